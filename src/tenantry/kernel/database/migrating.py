"""Running and writing migrations with Alembic. Loaded only when a database is behind, or by `tenantry db`."""

import json
import sqlite3
from argparse import Namespace
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import renderers
from alembic.config import Config
from alembic.operations import ops
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import MetaData, create_engine, event, pool
from sqlalchemy.ext.asyncio import create_async_engine

from tenantry import migrations

from ..clock import SystemClock
from .guards import database_guards, table_guards
from .postgres import plain_url
from .sqlite import register_functions
from .tables import Base
from .types import Bytes, Flag, Id, Json, UtcDateTime, Whole, Words

FOLDER = Path(migrations.__file__).parent

_RENDERED = {
    Id: 'sa.Uuid().with_variant(sa.Text(), "sqlite")',
    UtcDateTime: 'sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")',
    Json: 'postgresql.JSONB().with_variant(sa.Text(), "sqlite")',
    Flag: 'sa.Boolean().with_variant(sa.Integer(), "sqlite")',
    Whole: 'sa.BigInteger().with_variant(sa.Integer(), "sqlite")',
    Bytes: "sa.LargeBinary()",
    Words: "sa.Text()",
}


async def upgrade(url: str, target: str = "head") -> None:
    """Bring the database at `url` (the owner's login) to a revision; a failed step leaves nothing behind."""
    await on_connection(url, lambda config: command.upgrade(config, target))


async def downgrade(url: str, target: str) -> None:
    """Take the database back to a revision: an id, `base`, or `-1` for one step."""
    await on_connection(url, lambda config: command.downgrade(config, target))


async def revision(url: str, message: str) -> list[Path]:
    """Write the next migration from the difference between the models and the database at `url`; none, no file."""
    written: list[Path] = []

    def write(config: Config) -> None:
        following = f"{len(revisions()) + 1:04d}"
        config.cmd_opts = Namespace(quiet=True)
        made: Any = command.revision(config, message, autogenerate=True, rev_id=following)
        written.extend(Path(one.path) for one in (made if isinstance(made, list) else [made]) if one)

    await on_connection(url, write)
    return written


def print_sql(kind: str, target: str = "head", *, down: bool = False, write: Callable[[str], object] = print) -> None:
    """Print the SQL of the migrations for `kind` ("sqlite" or "postgresql") instead of running it."""
    config = _config(None)
    config.attributes["dialect"] = kind
    config.stdout = _Lines(write)  # type: ignore[assignment]
    if down:
        command.downgrade(config, f"head:{target}", sql=True)
    else:
        command.upgrade(config, target, sql=True)


def revisions() -> list[tuple[str, str]]:
    """Every revision from the first to the newest: (id, message)."""
    script = ScriptDirectory.from_config(_config(None))
    return [(one.revision, one.doc) for one in reversed(list(script.walk_revisions()))]


class _Lines:
    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write

    def write(self, text: str) -> None:
        if text.strip():
            self._write(text.rstrip("\n"))

    def flush(self) -> None: ...


async def on_connection(url: str, work: Callable[[Config], Any]) -> None:
    """Run `work` with Alembic's configuration for a connection to `url`; what it did is committed at the end."""
    if url.startswith("sqlite"):
        _on_sqlite(sqlite_path(url), work)
        return
    engine = create_async_engine(
        plain_url(url).replace("postgresql://", "postgresql+asyncpg://", 1), poolclass=pool.NullPool
    )
    try:
        async with engine.connect() as connection:
            await connection.run_sync(lambda sync: work(_config(sync)))
            await connection.commit()
    finally:
        await engine.dispose()


def _on_sqlite(path: Path, work: Callable[[Config], Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(f"sqlite:///{path}", poolclass=pool.NullPool)
    event.listen(engine, "connect", _prepare_sqlite)
    # The driver would commit before DDL; so that a failed migration leaves nothing, we say BEGIN ourselves.
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    with engine.connect() as connection:
        work(_config(connection))
        connection.commit()
    engine.dispose()


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None
    register_functions(connection, SystemClock())
    with closing(connection.cursor()) as cursor:
        cursor.execute("PRAGMA busy_timeout = 5000")
        cursor.execute("PRAGMA journal_mode = WAL")
        # A table is rebuilt by dropping the old one, which must not cascade; `_refuse_dangling` looks afterwards.
        cursor.execute("PRAGMA foreign_keys = OFF")


def sqlite_path(url: str) -> Path:
    """The file an `sqlite:///` URL names; relative to the working folder unless there are four slashes."""
    return Path(url.removeprefix("sqlite:///"))


def _config(connection: Any, metadata: MetaData = Base.metadata) -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.set_main_option("path_separator", "os")
    config.attributes.update(
        connection=connection,
        metadata=metadata,
        options={
            "render_item": _render_item,
            "process_revision_directives": _add_guards,
            "on_version_apply": _refuse_dangling,
        },
    )
    return config


def _refuse_dangling(ctx: Any, **_step: Any) -> None:
    """Called in each step's transaction, so that a step which leaves rows referring to nothing leaves nothing."""
    if ctx.dialect.name != "sqlite" or ctx.as_sql:
        return
    broken = ctx.connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
    if broken:
        tables = sorted({str(row[0]) for row in broken})
        msg = f"the migration leaves rows that refer to nothing, in {', '.join(tables)}"
        raise CommandError(msg)


def _render_item(kind: str, item: Any, _context: Any) -> str | bool:
    if kind == "type" and type(item) in _RENDERED:
        return _RENDERED[type(item)]
    if kind == "server_default" and type(getattr(item, "arg", None)).__name__ == "now":
        return "_now()"
    return False


class GuardsOp(ops.MigrateOperation):
    """The policies and triggers of one new table, written into the migration as text."""

    def __init__(self, guards: dict[str, list[str]]) -> None:
        self.guards = guards


@renderers.dispatch_for(GuardsOp)
def _render_guards(_context: Any, op: GuardsOp) -> list[str]:
    return [
        f"_run(\n    {kind!r},\n" + "".join(f"    {_literal(statement)},\n" for statement in statements) + ")"
        for kind, statements in op.guards.items()
        if statements
    ]


def _literal(statement: str) -> str:
    return f'"""{statement}"""' if "\n" in statement else json.dumps(statement)


def _add_guards(_context: Any, _revision: Any, directives: list[Any]) -> None:
    first = not revisions()
    if not first and all(script.upgrade_ops.is_empty() for script in directives):
        directives.clear()
    for script in directives:
        found: list[Any] = []
        if first:
            found.append(GuardsOp({"postgresql": list(database_guards("postgresql"))}))
        found.extend(script.upgrade_ops.ops)
        for one in script.upgrade_ops.ops:
            if isinstance(one, ops.CreateTableOp):
                one.info = {}
                table = Base.metadata.tables[one.table_name]
                found.append(GuardsOp({kind: list(table_guards(table, kind)) for kind in ("postgresql", "sqlite")}))
        script.upgrade_ops.ops = found
