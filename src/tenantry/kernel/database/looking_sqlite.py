"""What an SQLite file says about itself: its schema, its pages, its state. Every function only reads."""

import re
import sqlite3
from collections.abc import Iterator
from typing import Any

import msgspec

from .expected import COLUMN, CONSTRAINT, INDEX, TABLE, TRIGGER, Thing
from .revision import VERSION_TABLE


class FileState(msgspec.Struct, frozen=True):
    """The file as a whole. `damage` is what SQLite's own check says of it, `dangling` rows that refer to nothing."""

    pages: int
    free_pages: int
    page_bytes: int
    journal_mode: str
    damage: list[str]
    dangling: dict[str, int]


class TableFigures(msgspec.Struct, frozen=True):
    """One table: `rows` counted, pages and bytes with those of its indexes apart (None where SQLite does not tell)."""

    table: str
    rows: int
    pages: int | None
    bytes: int | None
    index_pages: int | None
    index_bytes: int | None
    analyzed: bool


DAMAGES_MAX = 10
_UNKNOWN: tuple[int | None, int | None] = (None, None)


def present(connection: sqlite3.Connection) -> set[Thing]:
    """Everything that `expected` names and this file has."""
    return set(_present(connection))


def revisions(connection: sqlite3.Connection) -> frozenset[str]:
    """The revisions the file is at; none when it was never migrated."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", [VERSION_TABLE]).fetchone():
        return frozenset()
    return frozenset(row[0] for row in connection.execute(f"SELECT version_num FROM {VERSION_TABLE}"))  # noqa: S608 - a constant


def file_state(connection: sqlite3.Connection) -> FileState:
    """How the file is. Reads all of it."""
    damage = [row[0] for row in connection.execute(f"PRAGMA integrity_check({DAMAGES_MAX})")]
    dangling: dict[str, int] = {}
    for row in connection.execute("PRAGMA foreign_key_check"):
        dangling[row[0]] = dangling.get(row[0], 0) + 1
    return FileState(
        pages=_pragma(connection, "page_count"),
        free_pages=_pragma(connection, "freelist_count"),
        page_bytes=_pragma(connection, "page_size"),
        journal_mode=_pragma(connection, "journal_mode"),
        damage=[] if damage == ["ok"] else damage,
        dangling=dangling,
    )


def table_figures(connection: sqlite3.Connection) -> list[TableFigures]:
    """Every table, the largest first. Pages are told where SQLite was built with `dbstat`."""
    sizes, analyzed = _sizes(connection), _analyzed(connection)
    found = []
    for table in _tables(connection):
        rows = connection.execute(f"SELECT count(*) FROM {_quoted(table)}").fetchone()[0]  # noqa: S608 - quoted
        pages, size = sizes.get((table, False), _UNKNOWN)
        index_pages, index_bytes = sizes.get((table, True), (0, 0) if sizes else _UNKNOWN)
        found.append(TableFigures(table, rows, pages, size, index_pages, index_bytes, table in analyzed))
    return sorted(found, key=lambda one: (-(one.bytes or 0) - (one.index_bytes or 0), -one.rows, one.table))


def _present(connection: sqlite3.Connection) -> Iterator[Thing]:
    rows = connection.execute("SELECT type, tbl_name, name, coalesce(sql, '') FROM sqlite_master").fetchall()
    for kind, table, name, sql in rows:
        if kind == "table":
            yield Thing(TABLE, table, name)
            for column in connection.execute("SELECT name FROM pragma_table_xinfo(?)", [name]):
                yield Thing(COLUMN, name, column[0])
            for constraint in re.findall(r'CONSTRAINT "?(\w+)"? ', sql):
                yield Thing(CONSTRAINT, name, constraint)
        elif kind in {INDEX, TRIGGER}:
            yield Thing(kind, table, name)


def _tables(connection: sqlite3.Connection) -> list[str]:
    found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
    return [row[0] for row in found if row[0] != VERSION_TABLE]


def _sizes(connection: sqlite3.Connection) -> dict[tuple[str, bool], tuple[int, int]]:
    """Pages and bytes of each table, and of its indexes together; nothing without `dbstat`."""
    query = (
        "SELECT m.tbl_name, m.type = 'index', sum(d.pageno), sum(d.pgsize) "
        "FROM (SELECT name, pageno, pgsize FROM dbstat WHERE aggregate = TRUE) d "
        "JOIN sqlite_master m ON m.name = d.name GROUP BY 1, 2"
    )
    try:
        return {(table, bool(index)): (pages, size) for table, index, pages, size in connection.execute(query)}
    except sqlite3.OperationalError:
        return {}  # no such table: dbstat


def _analyzed(connection: sqlite3.Connection) -> set[str]:
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_stat1'").fetchone():
        return set()
    return {row[0] for row in connection.execute("SELECT DISTINCT tbl FROM sqlite_stat1")}


def _pragma(connection: sqlite3.Connection, name: str) -> Any:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


def _quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'
