"""What is done before a server starts: its schema, its plans, and for a first look its demo data."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tenantry.app import StartRefused, create_app
from tenantry.kernel import Settings
from tenantry.kernel.addresses import masked
from tenantry.kernel.database.revision import sqlite_revision
from tenantry.kernel.problems import DatabaseUnavailable
from tenantry.kernel.runtime import Runtime
from tenantry.migrations import HEAD
from tenantry.product import Product

from .failures import Failure, Refused
from .lazy import load_module


def migrate_in_development(settings: Settings) -> str:
    """Bring an SQLite file to the newest revision; answers "made", "migrated", or "" when nothing was to be done.

    PostgreSQL and production are left alone: there a person decides when (`tenantry db migrate`).
    """
    path = settings.sqlite_path
    if path is None or settings.is_production:
        return ""
    try:
        found = sqlite_revision(path)
    except sqlite3.Error as error:
        raise Failure(f"{path}: {error}.", "Name another file in TENANTRY_DATABASE_URL.") from error
    if found == HEAD:
        return ""
    # Alembic is loaded only here, for most starts do not need it.
    load_module("db_migrate").bring_to_newest(settings.database_url)
    return "migrated" if found else "made"


@asynccontextmanager
async def running(product: Product, settings: Settings, *, worker: bool = False) -> AsyncIterator[Runtime]:
    """The application without a server: databases open, plans written. Raises Refused and Failure."""
    try:
        app = create_app(product, settings, worker=worker)
        async with app.router.lifespan_context(app):
            yield app.state.runtime
    except StartRefused as refused:
        raise Refused(refused.findings) from refused
    except DatabaseUnavailable as error:
        where = masked(settings.database_url)
        raise Failure(
            f"{where}: the database does not answer: {error.internal}.", "Start it, or correct the address."
        ) from error


def prove(product: Product, settings: Settings) -> None:
    """Start and stop the application once, so that what keeps it from starting is told in a sentence."""

    async def start() -> None:
        async with running(product, settings):
            pass

    asyncio.run(start())
