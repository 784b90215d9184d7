"""What is done before a server starts: its schema, its plans, and for a first look its demo data."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from tenantry.app import StartRefused, create_app
from tenantry.kernel import Settings
from tenantry.kernel.addresses import masked
from tenantry.kernel.database.revision import newest, sqlite_revisions
from tenantry.kernel.module import histories_of
from tenantry.kernel.problems import DatabaseUnavailable
from tenantry.kernel.runtime import Runtime
from tenantry.product import Product

from .failures import Failure, Refused
from .lazy import load_module


def migrate_in_development(product: Product, settings: Settings) -> str:
    """Bring an SQLite file to the newest revision; answers "made", "migrated", or "" when nothing was to be done.

    PostgreSQL and production are left alone: there a person decides when (`tenantry db migrate`).
    """
    path = settings.sqlite_path
    if path is None or settings.is_production:
        return ""
    try:
        found = sqlite_revisions(path)
    except sqlite3.Error as error:
        raise Failure(f"{path}: {error}.", "Name another file in TENANTRY_DATABASE_URL.") from error
    histories = histories_of(product.modules)
    if found == newest(histories):
        return ""
    # Alembic is loaded only here, for most starts do not need it.
    load_module("db_migrate").bring_to_newest(settings.database_url, histories)
    return "migrated" if found else "made"


@asynccontextmanager
async def started(product: Product, settings: Settings, *, worker: bool = False) -> AsyncIterator[FastAPI]:
    """The application without a server: databases open, plans written. Raises Refused and Failure.

    What keeps it from starting is told in a sentence, because it starts here and not inside a server.
    """
    try:
        app = create_app(product, settings, worker=worker)
        async with app.router.lifespan_context(app):
            yield app
    except StartRefused as refused:
        raise Refused(refused.findings) from refused
    except DatabaseUnavailable as error:
        where = masked(settings.database_url)
        raise Failure(
            f"{where}: the database does not answer: {error.internal}.", "Start it, or correct the address."
        ) from error


@asynccontextmanager
async def running(product: Product, settings: Settings, *, worker: bool = False) -> AsyncIterator[Runtime]:
    """What commands need of a started application: its runtime. Raises Refused and Failure."""
    async with started(product, settings, worker=worker) as app:
        yield app.state.runtime


def prove(product: Product, settings: Settings) -> None:
    """Start and stop the application once, before other processes are made that would all fail of the same."""

    async def start() -> None:
        async with started(product, settings):
            pass

    asyncio.run(start())
