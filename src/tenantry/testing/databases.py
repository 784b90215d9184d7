"""Throw-away databases for tests: migrated once, emptied for each test, reached through the logins a server uses."""

import asyncio
import shutil
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg

from tenantry.kernel.database.logins import initialise
from tenantry.kernel.database.migrating import upgrade
from tenantry.kernel.module import histories_of
from tenantry.product import Product

from .postgres import PostgresServer

NOW = """\
CREATE OR REPLACE FUNCTION tenantry.now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT {now} $$"""


@dataclass(frozen=True, slots=True)
class TestDatabase:
    """The addresses of one database. `owner_url` is None on SQLite."""

    __test__ = False  # not a test, whatever pytest thinks of the name

    kind: str
    api_url: str
    service_url: str | None
    owner_url: str | None

    async def freeze(self, at: datetime | None) -> None:
        """Let PostgreSQL's `tenantry.now()` stand at a time, or run again. SQLite asks the application's clock."""
        if self.owner_url is None:
            return
        now = "pg_catalog.statement_timestamp()" if at is None else f"timestamptz '{at.isoformat()}'"
        await self._as_owner(NOW.format(now=now))

    async def run_ahead(self, by: timedelta) -> None:
        """Let PostgreSQL's `tenantry.now()` run, ahead of the server's clock (behind it when negative)."""
        if self.owner_url is not None:
            seconds = by.total_seconds()
            await self._as_owner(NOW.format(now=f"pg_catalog.statement_timestamp() + interval '{seconds:.6f} seconds'"))

    async def empty(self) -> None:
        """Delete every row, audit log included; triggers do not run."""
        if self.owner_url is None:
            return
        await self._as_owner(
            "SET session_replication_role = replica; "
            # Those that were never written to are left out. TRUNCATE takes five times as long: it makes new files.
            "DO $$ DECLARE t regclass; BEGIN FOR t IN SELECT oid FROM pg_class WHERE relname <> 'tenantry_schema' "
            # A partitioned table holds nothing itself; its partitions may be in another schema.
            "AND relnamespace = 'public'::regnamespace "
            "AND (relkind = 'p' OR relkind = 'r' AND pg_relation_size(oid) > 0) "
            "LOOP EXECUTE format('DELETE FROM %s', t); END LOOP; END $$"
        )

    async def _as_owner(self, sql: str) -> None:
        connection = await asyncpg.connect(self.owner_url)
        try:
            await connection.execute(sql)
        finally:
            await connection.close()


def sqlite_template(folder: Path, product: Product | None = None) -> Path:
    """A migrated SQLite file to copy from; with the own tables of a product's modules."""
    path = folder / "template.db"
    _run(upgrade(f"sqlite:///{path}", histories=histories_of(product.modules if product else ())))
    return path


def sqlite_database(template: Path, folder: Path) -> TestDatabase:
    """A fresh copy of the template in `folder`."""
    path = folder / "test.db"
    shutil.copyfile(template, path)
    return TestDatabase("sqlite", f"sqlite:///{path}", None, None)


def postgres_database(server: PostgresServer, name: str, product: Product | None = None) -> TestDatabase:
    """A migrated database on the server, with its API and service logins; the logins own nothing.

    It has the own tables of a product's modules too.
    """
    database = TestDatabase(
        "postgresql",
        _address(server, name, f"{name}_api", "api-secret"),
        _address(server, name, f"{name}_service", "service-secret"),
        urlsplit(server.url)._replace(path=f"/{name}").geturl(),
    )

    async def make() -> None:
        owner = database.owner_url or ""
        await initialise(owner, database.api_url, database.service_url or "")
        await upgrade(owner, histories=histories_of(product.modules if product else ()))

    _run(make())
    return database


def _run(work: Coroutine[Any, Any, None]) -> None:
    # In a thread of its own: a test's event loop may be running in this one.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()


def _address(server: PostgresServer, name: str, login: str, password: str) -> str:
    netloc = f"{login}:{password}@{server.host}:{server.port}"
    return urlsplit(server.url)._replace(netloc=netloc, path=f"/{name}").geturl()
