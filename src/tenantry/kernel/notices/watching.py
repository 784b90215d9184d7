"""Notices on an SQLite file: looked for ten times a second, on a connection of their own, right in the event loop."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import UUID

from ..clock import Clock
from ..database.sqlite_file import connect, data_version
from ..database.statements import Statement
from ..policies import Role
from . import queries
from .queries import Notice

BATCH = 500
"""Rows that are read and delivered before anybody else has a turn on the event loop."""


class Watching:
    """A look takes microseconds while nothing was committed, and reads by key when something was."""

    every_seconds = 0.1

    def __init__(self, path: Path, clock: Clock, deliver: Callable[[str, UUID], None]) -> None:
        self._path, self._clock, self._deliver = path, clock, deliver
        self._connection: sqlite3.Connection | None = None
        self._version: int | None = None
        self._known: Notice | None = None

    async def open(self) -> None:
        """Begin behind the newest notice."""
        self._connection = connect(self._path, self._clock)
        self._version = None
        self._known = self._newest(self._connection)

    async def beat(self) -> bool:
        """Deliver what was told since the last look; False when some of it was deleted meanwhile."""
        connection = self._connection
        if connection is None:
            msg = "the file is not open"
            raise RuntimeError(msg)
        # Before the rows: what is committed in between is found by the next look.
        version = data_version(connection)
        if version == self._version:
            return True
        is_complete = await self._read(connection)
        self._version = version
        return is_complete

    async def aclose(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    async def _read(self, connection: sqlite3.Connection) -> bool:
        is_complete = True
        while True:
            known = self._known
            found = _rows(connection, queries.SINCE, known=known.id if known else 0, limit=BATCH)
            new = found[1:] if found and found[0] == known else found
            if known and not found:
                # Not even the last one is there: somebody emptied the table.
                self._known = self._newest(connection)
                return False
            # The known one may be forgotten by now; the one behind it was never read.
            is_complete = is_complete and (new is not found or not new or new[0].id == (known.id if known else 0) + 1)
            for notice in new:
                self._known = notice
                self._deliver(notice.topic, notice.subject_id)
            if len(found) < BATCH:
                return is_complete
            await asyncio.sleep(0)

    def _newest(self, connection: sqlite3.Connection) -> Notice | None:
        return next(iter(_rows(connection, queries.NEWEST)), None)


def _rows(connection: sqlite3.Connection, wanted: Statement[Notice], **given: int) -> Sequence[Notice]:
    compiled = wanted.compiled("sqlite", Role.SERVICE)
    return wanted.rows(compiled, connection.execute(compiled.sql, compiled.arguments(given)).fetchall())
