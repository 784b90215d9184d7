"""The doctor knows an author's own tables, and no others."""

import sqlite3
from contextlib import closing
from typing import Any

import asyncpg
import pytest

from tenantry import Product
from tenantry.kernel import Settings
from tenantry.operations import examine
from tenantry.testing import TestDatabase

LOST = "The index ix_notes_holder_id_notebook_id is missing"


@pytest.fixture
def settings(database: TestDatabase) -> Settings:
    return Settings(database_url=database.api_url, service_url=database.service_url, owner_url=database.owner_url)


async def run(database: TestDatabase, sql: str) -> None:
    if database.owner_url is None:
        with closing(sqlite3.connect(database.api_url.removeprefix("sqlite:///"))) as connection, connection:
            connection.execute(sql)
        return
    connection: Any = await asyncpg.connect(database.owner_url)
    await connection.execute(sql)
    await connection.close()


async def test_an_index_of_their_own_is_missed_and_comes_back(
    product: Product, settings: Settings, database: TestDatabase
) -> None:
    async def errors() -> list[Any]:
        return [one for one in (await examine(product, settings)).findings if one.level == "error"]

    assert await errors() == []
    await run(database, "DROP INDEX ix_notes_holder_id_notebook_id")
    (found,) = await errors()
    assert (found.where, found.problem.startswith(LOST)) == ("database.notes", True)
    await run(database, found.fix.removeprefix("Run as the owner: "))
    assert await errors() == []


async def test_without_the_module_its_history_is_unknown(product: Product, settings: Settings) -> None:
    # Its tables are in the metadata still; what is told is the revision, not that everything differs.
    without = Product(product.name, sign_in=product.sign_in, plans=product.plans)
    found = await examine(without, settings)
    assert ["at revision" in one.problem for one in found.findings if one.level == "error"] == [True]
