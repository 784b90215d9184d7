"""The SQLite file: who may read it, and the connections to it with our settings and functions."""

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path

from ..clock import Clock
from ..windows import window_end, window_start
from .types import write_time


class Moment:
    """A clock that stands still while a statement runs: its triggers, defaults and windows then agree on the time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.stands = False
        self.fixed: datetime | None = None
        """While it stands: the time that was told first. Most reads never ask for one."""

    def now(self) -> datetime:
        if not self.stands:
            return self._clock.now()
        if self.fixed is None:
            self.fixed = self._clock.now()
        return self.fixed

    def monotonic(self) -> float:
        return self._clock.monotonic()


def make_file(path: Path) -> None:
    """Make an empty file (mode 0600), and its folder, where there is none; one that exists is left as it is.

    SQLite gives the `-wal` and `-shm` files beside it the same mode. Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # One that exists must not even be opened: closing it would end the locks this process holds on it.
    with suppress(FileExistsError):
        path.touch(mode=0o600, exist_ok=False)


def connect(path: Path, clock: Clock, *, durable: bool = True) -> sqlite3.Connection:
    """A connection in autocommit mode (the unit says BEGIN itself) with our pragmas and functions."""
    connection = sqlite3.connect(path, isolation_level=None, cached_statements=1000, check_same_thread=False, timeout=0)
    connection.execute("PRAGMA busy_timeout = 1000")  # only while the journal mode is set, which takes a lock
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA busy_timeout = 0")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
    register_functions(connection, clock)
    return connection


def connect_to_read(path: Path, clock: Clock) -> sqlite3.Connection:
    """A connection that can only read, to a file that is there; `sqlite3.OperationalError` when it is not."""
    address = f"{path.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(address, uri=True, isolation_level=None, timeout=1)
    register_functions(connection, clock)
    return connection


def data_version(connection: sqlite3.Connection) -> int:
    """A number that is another one whenever anybody else, in this process or not, has committed to the file."""
    version: int = connection.execute("PRAGMA data_version").fetchall()[0][0]
    return version


def register_functions(connection: sqlite3.Connection, clock: Clock) -> None:
    """The functions of `kernel/sql.py`, so that a frozen clock moves triggers, defaults and windows too."""
    read, write = datetime.fromisoformat, write_time

    def plus(at: str | None, seconds: int) -> str | None:
        return at and write(read(at) + timedelta(seconds=seconds))

    def edge_of(rule: Callable[..., datetime]) -> Callable[..., str | None]:
        def edge(per: str, at: str | None, start: str | None, end: str | None) -> str | None:
            return at and write(rule(per, read(at), start and read(start), end and read(end)))

        # A statement asks of one moment, for many holders.
        return lru_cache(8)(edge)

    connection.create_function("tenantry_now", 0, lambda: write(clock.now()))
    connection.create_function("tenantry_plus", 2, plus, deterministic=True)
    for name, rule in (("start", window_start), ("end", window_end)):
        connection.create_function(f"tenantry_window_{name}", 4, edge_of(rule), deterministic=True)
