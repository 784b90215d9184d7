"""Which revision an SQLite file is at: a look that costs nothing, so that a server may take it at every start."""

import sqlite3
from contextlib import closing
from pathlib import Path

VERSION_TABLE = "tenantry_schema"


def sqlite_revision(path: Path) -> str | None:
    """The revision; None when the file has none, or is not there. `sqlite3.Error` when it is no database."""
    if not path.exists():
        return None
    with closing(sqlite3.connect(path)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", [VERSION_TABLE]).fetchone():
            return None
        row = connection.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone()  # noqa: S608 - a constant
        return row and str(row[0])
