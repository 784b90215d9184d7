"""Jotter is a stranger's product with tables of its own (`product.py`, `jotter/`), as `docs/your-own-tables.md` tells.

Its tables are in the one metadata of all tables, so it is loaded for these tests only and taken out again behind them.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tenantry import Product
from tenantry.blueprints import load_product
from tenantry.kernel.database import Base
from tenantry.testing import PostgresServer, TestDatabase, postgres_database, sqlite_template

JOTTER = Path(__file__).parent


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    """The product, loaded from its file."""
    before = set(Base.metadata.tables)
    with pytest.MonkeyPatch.context() as patch:
        # As in a program of its own: what lies beside the file can be imported later too.
        patch.syspath_prepend(str(JOTTER))
        yield load_product(str(JOTTER / "product.py"))
    for name in set(Base.metadata.tables) - before:
        Base.metadata.remove(Base.metadata.tables[name])


@pytest.fixture(scope="module")
def _postgres(postgres_server: PostgresServer, product: Product) -> TestDatabase:
    return postgres_database(postgres_server, "jotter", product)


@pytest.fixture(scope="module")
def _sqlite(tmp_path_factory: pytest.TempPathFactory, product: Product) -> Path:
    return sqlite_template(tmp_path_factory.mktemp("jotter"), product)


@pytest.fixture
async def jotter(start: Any, product: Product) -> Any:
    """The product, running."""
    return await start(product)
