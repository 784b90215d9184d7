"""Looking at a schema, and making it anew: for `tenantry db` and for a server that starts in development."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import asyncpg
from alembic import command
from alembic.config import Config
from sqlalchemy import text
from sqlalchemy.schema import AddConstraint, CreateIndex, CreateTable

from .guards import database_guards, table_guards
from .migrating import on_connection, sqlite_path
from .postgres import plain_url
from .revision import VERSION_TABLE, History, sqlite_revisions
from .tables import Base

LOCK_SECONDS = 10
"""How long dropping waits for a server that uses the tables."""

_DROP = """\
DO $$
DECLARE one regclass;
BEGIN
  FOR one IN
    SELECT c.oid FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
  LOOP
    EXECUTE format('DROP TABLE %s CASCADE', one);
  END LOOP;
  DROP SCHEMA IF EXISTS tenantry CASCADE;
  -- Elsewhere the function is the platform's own.
  IF EXISTS (SELECT FROM pg_proc WHERE oid = to_regprocedure('auth.uid()') AND prosrc = 'SELECT tenantry.uid()') THEN
    DROP FUNCTION auth.uid();
  END IF;
END $$"""


async def current(url: str) -> frozenset[str]:
    """The revisions the database at `url` is at; none when it has none. Makes nothing, not even an SQLite file.

    One for each history, less those that another one of them stands on.
    """
    if url.startswith("sqlite"):
        return sqlite_revisions(sqlite_path(url))
    connection = await asyncpg.connect(plain_url(url))
    try:
        if await connection.fetchval("SELECT to_regclass($1)", f"public.{VERSION_TABLE}") is None:
            return frozenset()
        rows = await connection.fetch(f"SELECT version_num FROM public.{VERSION_TABLE}")  # noqa: S608 - a constant
        return frozenset(row[0] for row in rows)
    finally:
        await connection.close()


async def is_empty(url: str) -> bool:
    """Whether the database holds no table of anybody's. The empty one that remembers the revision does not count."""
    if url.startswith("sqlite"):
        path = sqlite_path(url)
        if not path.exists():
            return True
        with closing(sqlite3.connect(path)) as connection:
            found = connection.execute(
                "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name <> ?", [VERSION_TABLE]
            ).fetchone()
            return found is None
    connection = await asyncpg.connect(plain_url(url))
    try:
        found = "SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = 'public' AND tablename <> $1)"
        return not await connection.fetchval(found, VERSION_TABLE)
    finally:
        await connection.close()


async def drop(url: str) -> None:
    """Drop every table, with its rows, and what belongs to the tables. All of it or, when it fails, none."""
    if url.startswith("sqlite"):
        _drop_sqlite(sqlite_path(url))
        return
    connection = await asyncpg.connect(plain_url(url))
    try:
        async with connection.transaction():
            await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
            await connection.execute(_DROP)
    finally:
        await connection.close()


async def create(url: str, *, histories: Sequence[History] = ()) -> None:
    """Make the schema straight from the models, without a migration, and say it is the newest revision.

    Every room's models must have been imported. For development: two such schemas need not be alike.
    """
    await on_connection(url, _create, histories)


def _create(config: Config) -> None:
    connection: Any = config.attributes["connection"]
    kind = connection.dialect.name
    for statement in database_guards(kind):
        connection.execute(_verbatim(statement))
    _create_tables(connection)
    for table in Base.metadata.sorted_tables:
        for statement in table_guards(table, kind):
            connection.execute(_verbatim(statement))
    command.stamp(config, "heads")


def _create_tables(connection: Any) -> None:
    """What `create_all` does; but that leaves a mark on keys that are added later, and SQLite would go without them."""
    later = []
    for table in Base.metadata.sorted_tables:
        connection.execute(CreateTable(table))
        for index in table.indexes:
            connection.execute(CreateIndex(index))
        later += [key for key in table.foreign_key_constraints if key.use_alter]
    if connection.dialect.supports_alter:
        # Of two tables that reference each other, one must be there first.
        for key in later:
            connection.execute(AddConstraint(key, isolate_from_table=False))


def _verbatim(statement: str) -> Any:
    return text(statement.replace(":", "\\:"))


def _drop_sqlite(path: Path) -> None:
    if not path.exists():
        return
    with closing(sqlite3.connect(path, isolation_level=None, timeout=LOCK_SECONDS)) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("BEGIN IMMEDIATE")
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        for (name,) in tables.fetchall():
            quoted = name.replace('"', '""')
            connection.execute(f'DROP TABLE "{quoted}"')
        connection.execute("COMMIT")
        connection.execute("VACUUM")
