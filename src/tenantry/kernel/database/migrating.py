"""Running and writing migrations with Alembic. Loaded only when a database is behind, or by `tenantry db`."""

import json
import os
import re
import sqlite3
from argparse import Namespace
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import renderers
from alembic.config import Config
from alembic.operations import ops
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import MetaData, create_engine, event, pool
from sqlalchemy.ext.asyncio import create_async_engine

from tenantry import migrations

from ..clock import SystemClock
from .guards import database_guards, table_guards
from .postgres import plain_url
from .revision import History
from .sqlite_file import make_file, register_functions
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


async def upgrade(url: str, target: str = "heads", *, histories: Sequence[History] = ()) -> None:
    """Bring the database at `url` (the owner's login) to a revision, or every history to its newest.

    A failed step leaves nothing behind.
    """
    await on_connection(url, lambda config: command.upgrade(config, target), histories)


async def downgrade(url: str, target: str, *, histories: Sequence[History] = ()) -> None:
    """Take the database back to a revision: an id, `base`, `name@base` for a module's own, or `-1` for one step."""
    await on_connection(url, lambda config: command.downgrade(config, target), histories)


async def revision(
    url: str, message: str, *, histories: Sequence[History] = (), of: History | None = None
) -> list[Path]:
    """Write the next migration from the difference between the models and the database at `url`; none, no file.

    The difference is that of the package's own tables or, with `of`, of that history's: then the file goes into its
    folder, on its branch, and depends on the package's newest revision.
    """
    written: list[Path] = []

    def write(config: Config) -> None:
        config.cmd_opts = Namespace(quiet=True)
        options = config.attributes["options"]
        options["include_object"] = _only_tables_of(of, histories)
        made: Any = command.revision(config, message, autogenerate=True, **_place(of))
        written.extend(Path(one.path) for one in (made if isinstance(made, list) else [made]) if one)

    if of is not None:
        of.folder.mkdir(parents=True, exist_ok=True)
    await on_connection(url, write, histories)
    return written


def print_sql(
    kind: str,
    target: str = "heads",
    *,
    found: Iterable[str] = (),
    histories: Sequence[History] = (),
    write: Callable[[str], object] = print,
) -> None:
    """Print the SQL that brings a database of `kind` ("sqlite", "postgresql") from `found` to `target`; run nothing."""
    config = _config(None, histories)
    config.attributes["dialect"] = kind
    config.stdout = _Lines(write)  # type: ignore[assignment]
    script = ScriptDirectory.from_config(config)

    def planned(heads: Any, _context: Any) -> Any:
        # A private call, but the one that `command.upgrade` is made of; that one takes a single revision to begin at.
        return script._upgrade_revs(target, heads)  # noqa: SLF001

    with EnvironmentContext(config, script, fn=planned, as_sql=True, starting_rev=tuple(found) or None):
        script.run_env()


def revisions() -> list[tuple[str, str]]:
    """Every revision of the package from the first to the newest: (id, message)."""
    script = script_of()
    return [(one.revision, one.doc) for one in reversed(list(script.walk_revisions()))]


def script_of(histories: Sequence[History] = ()) -> ScriptDirectory:
    """The package's history, and these beside it."""
    return ScriptDirectory.from_config(_config(None, histories))


class _Lines:
    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write

    def write(self, text: str) -> None:
        if text.strip():
            self._write(text.rstrip("\n"))

    def flush(self) -> None: ...


async def on_connection(url: str, work: Callable[[Config], Any], histories: Sequence[History] = ()) -> None:
    """Run `work` with Alembic's configuration for a connection to `url`; what it did is committed at the end."""
    if url.startswith("sqlite"):
        _on_sqlite(sqlite_path(url), work, histories)
        return
    engine = create_async_engine(
        plain_url(url).replace("postgresql://", "postgresql+asyncpg://", 1), poolclass=pool.NullPool
    )
    try:
        async with engine.connect() as connection:
            await connection.run_sync(lambda sync: work(_config(sync, histories)))
            await connection.commit()
    finally:
        await engine.dispose()


def _on_sqlite(path: Path, work: Callable[[Config], Any], histories: Sequence[History]) -> None:
    make_file(path)
    engine = create_engine(f"sqlite:///{path}", poolclass=pool.NullPool)
    event.listen(engine, "connect", _prepare_sqlite)
    # The driver would commit before DDL; so that a failed migration leaves nothing, we say BEGIN ourselves.
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    with engine.connect() as connection:
        work(_config(connection, histories))
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


def _config(connection: Any, histories: Sequence[History] = (), metadata: MetaData = Base.metadata) -> Config:
    config = Config()
    config.set_main_option("script_location", _written(FOLDER))
    config.set_main_option("path_separator", "os")
    if own := [one.folder for one in histories if one.folder.is_dir()]:
        folders = [FOLDER / "versions", *own]
        config.set_main_option("version_locations", os.pathsep.join(_written(folder) for folder in folders))
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


def _written(folder: Path) -> str:
    return str(folder.resolve()).replace("%", "%%")  # Alembic's options are read with % as a sign of its own


def _place(of: History | None) -> dict[str, Any]:
    """Where a new migration goes: its name, its branch, its folder, and what it stands on."""
    if of is None:
        return {"rev_id": f"{len(revisions()) + 1:04d}"}
    made = len(of.files())
    begins = {"head": "base", "branch_label": of.name} if not made else {"head": f"{of.name}@head"}
    return {
        "rev_id": f"{of.name}_{made + 1:04d}",
        "version_path": str(of.folder.resolve()),
        "depends_on": migrations.HEAD,
        **begins,
    }


def _only_tables_of(of: History | None, histories: Sequence[History]) -> Callable[..., bool]:
    others = frozenset().union(*(one.tables for one in histories))

    def included(_item: Any, name: str | None, kind: str, *_rest: Any) -> bool:
        if kind != "table" or name is None:
            return True
        if of is None:
            return name not in others
        # A table that is gone from the models is the history's when a migration of it made the table.
        return name in of.tables or (name not in Base.metadata.tables and _makes(of, name))

    return included


def _makes(history: History, table: str) -> bool:
    making = re.compile(rf"create_table\(\s*['\"]{re.escape(table)}['\"]")
    return any(making.search(path.read_text(encoding="utf-8")) for path in history.files())


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
