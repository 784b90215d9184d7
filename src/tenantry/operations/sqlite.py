"""Looking into an SQLite file, through connections that cannot write."""

import sqlite3
from collections.abc import Iterator

from tenantry.kernel import Settings
from tenantry.kernel.clock import SystemClock
from tenantry.kernel.database.looking_sqlite import (
    FileState,
    TableFigures,
    file_state,
    present,
    revisions,
    table_figures,
)
from tenantry.kernel.database.sqlite import SqliteDatabase
from tenantry.kernel.database.units import SERVICE
from tenantry.kernel.problems import DatabaseConflict, DatabaseUnavailable
from tenantry.product import Finding, Product

from .report import Examination, Sheet
from .schema import find_differences, find_other_revision
from .stored import Asked, ask_rows, look_at_rows

FREE_SHARE, FREE_PAGES = 0.25, 1000
ROWS_MANY = 10_000
_PLACE = "TENANTRY_DATABASE_URL"
_RESTORE = "Stop the server, keep a copy of the file, and restore a backup."
_NO_DBSTAT = "Pages of each table are not told: this SQLite was built without dbstat."
_NO_STATEMENTS = "SQLite counts neither statements nor the use of indexes; /metrics has how long requests take."


async def examine(product: Product, settings: Settings) -> Examination:
    """See the door."""
    database = _database_of(settings)
    try:
        findings, sheets = await _look(database, product)
    except (sqlite3.Error, DatabaseUnavailable, DatabaseConflict) as error:
        findings, sheets = [_unreadable(database, error)], []
    finally:
        await database.close()
    return Examination(settings.database_url, tuple(findings), tuple(sheets))


async def ask(product: Product, settings: Settings) -> Asked:
    """See `compare_stored_plans`."""
    database = _database_of(settings)
    if not database.path.exists():
        return Asked(skipped=f"there is no file {database.path} yet")
    try:
        await database.open_to_read()
        if database.reader is None or find_other_revision(revisions(database.reader), product):
            return Asked(skipped="its schema is another one; see `tenantry db current`")
        return Asked(await ask_rows(database.unit(SERVICE, writes=False), product))
    except (sqlite3.Error, DatabaseUnavailable, DatabaseConflict):
        return Asked(skipped=f"{database.path} cannot be read")
    finally:
        await database.close()


async def _look(database: SqliteDatabase, product: Product) -> tuple[list[Finding], list[Sheet]]:
    if not database.path.exists():
        problem = f"There is no file {database.path}."
        return [Finding("error", _PLACE, problem, "Run `tenantry db migrate`, or correct the address.")], []
    await database.open_to_read()
    reader = database.reader
    if reader is None:
        raise DatabaseUnavailable.before_sending("the database is not open")
    state, figures = file_state(reader), table_figures(reader)
    findings = list(_find_in_file(state, database))
    sheets = [*_figures(state, figures), Sheet("statements", "Slowest statements", note=_NO_STATEMENTS)]
    if other := find_other_revision(revisions(reader), product):
        return [other, *findings], sheets
    found, rows = await look_at_rows(database.unit(SERVICE, writes=False), product)
    missing = find_differences(present(reader), product, "sqlite")
    return [*missing, *findings, *_find_unanalyzed(figures, database), *found], [*rows, *sheets]


def _find_in_file(state: FileState, database: SqliteDatabase) -> Iterator[Finding]:
    for damage in state.damage:
        yield Finding("error", "database", f"The file is damaged: {damage}.", _RESTORE)
    for table, rows in state.dangling.items():
        are = "1 row refers" if rows == 1 else f"{rows} rows refer"
        fix = f"The pragma foreign_key_check({table}) lists them; they were written with foreign keys switched off."
        yield Finding("error", f"database.{table}", f"{are} to rows that are not there.", fix)
    if state.journal_mode != "wal":
        problem = f"Its journal mode is {state.journal_mode}, not WAL: readers and writers wait for each other."
        yield Finding("warning", "database", problem, "Start the server: it sets the mode, which stays.")
    if state.free_pages >= FREE_PAGES and state.free_pages > FREE_SHARE * state.pages:
        problem = f"{state.free_pages} of {state.pages} pages are free."
        yield Finding("warning", "database", problem, f"Give them back: sqlite3 {database.path} 'VACUUM'")


def _find_unanalyzed(figures: list[TableFigures], database: SqliteDatabase) -> Iterator[Finding]:
    for one in figures:
        if one.rows >= ROWS_MANY and not one.analyzed:
            problem = f"It has {one.rows} rows and was never analyzed: SQLite guesses which index to use."
            yield Finding("warning", f"database.{one.table}", problem, f"Run: sqlite3 {database.path} 'ANALYZE'")


def _figures(state: FileState, figures: list[TableFigures]) -> list[Sheet]:
    file = {
        "pages": state.pages,
        "free_pages": state.free_pages,
        "page_bytes": state.page_bytes,
        "bytes": state.pages * state.page_bytes,
        "journal_mode": state.journal_mode,
    }
    note = _NO_DBSTAT if any(one.pages is None for one in figures) else ""
    return [Sheet("database", "File", (file,)), Sheet.of("tables", "Tables", figures, note)]


def _unreadable(database: SqliteDatabase, error: Exception) -> Finding:
    said = getattr(error, "internal", None) or str(error)
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith("SQLITE_CORRUPT"):
        return Finding("error", "database", f"The file is damaged: {said}.", _RESTORE)
    if name == "SQLITE_NOTADB":
        said = "it is no SQLite database"
    fix = "Name another file, or look whether this user may read it and write beside it."
    return Finding("error", _PLACE, f"{database.path} cannot be read: {said}.", fix)


def _database_of(settings: Settings) -> SqliteDatabase:
    path = settings.sqlite_path
    if path is None:
        msg = "the settings name no SQLite file"
        raise ValueError(msg)
    return SqliteDatabase(path, SystemClock())
