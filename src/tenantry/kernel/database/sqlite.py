"""SQLite called right in the event loop: reads take microseconds, and writers of a process queue on one async lock.

Several processes may share the file: a writing unit starts with BEGIN IMMEDIATE and, while another process holds the
file, sleeps and tries again (`busy_timeout=0`, so the loop never stands still). Figures: decisions/0002.
"""

import asyncio
import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from ..clock import Clock
from ..policies import PolicyRefused
from ..windows import window_end, window_start
from .compiling import Compiled
from .failures import (
    CheckViolation,
    DatabaseConflict,
    DatabaseUnavailable,
    ForeignKeyViolation,
    UniqueViolation,
    Unstorable,
)
from .types import write_time
from .units import Identity, Records, Unit

PATIENCE_SECONDS = 5.0
"""How long a writer waits for another process before it is told `database.conflict`."""
# A process that other processes compete with lets go for a moment after each turn of writing; without it, whoever
# holds the file takes it again before anybody else wakes up (decisions/0002).
TURN_SECONDS, PAUSE_SECONDS, CONTENDED_SECONDS = 0.005, 0.002, 1.0


class Moment:
    """A clock that stands still while a statement runs: its triggers, defaults and windows then agree on the time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._fixed: datetime | None = None

    def stand(self) -> None:
        """Stop at the clock's time."""
        self._fixed = self._clock.now()

    def run(self) -> None:
        """Follow the clock again."""
        self._fixed = None

    def now(self) -> datetime:
        return self._fixed or self._clock.now()


class SqliteDatabase:
    """One file. Both logins are the same database here; the compiled policy is what keeps tenants apart."""

    kind = "sqlite"

    def __init__(
        self,
        path: Path,
        clock: Clock,
        *,
        durable: bool = True,
        names: dict[str, str] | None = None,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self.path = path
        self.clock = clock
        self.moment = Moment(clock)
        self.durable = durable
        self.patience_seconds = patience_seconds
        self.constraint_names = names or {}
        """`table.column, table.column` as SQLite reports a broken key, to the constraint's name."""
        self.turn = asyncio.Lock()
        self.reader: sqlite3.Connection | None = None
        self.writer: sqlite3.Connection | None = None
        self._refused_at = self._turn_began = self._last_write = float("-inf")

    async def open(self) -> None:
        """Open the file, making it and its folder when they are not there."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.writer = self.connect()
            self.reader = self.connect()
        except (sqlite3.Error, OSError) as error:
            raise DatabaseUnavailable(internal=f"{self.path}: {error}") from error

    async def close(self) -> None:
        """Close both connections."""
        for connection in (self.reader, self.writer):
            if connection is not None:
                connection.close()
        self.reader = self.writer = None

    def unit(self, identity: Identity, *, writes: bool) -> "SqliteUnit":
        """A unit of work; a writing one waits for its turn at its first statement."""
        return SqliteUnit(self, identity, writes=writes)

    async def begin(self) -> sqlite3.Connection:
        """BEGIN IMMEDIATE on the writing connection; the caller holds `turn`. Waits while another process writes."""
        if self.writer is None:
            raise DatabaseUnavailable(internal="the database is not open")
        loop = asyncio.get_running_loop()
        await self._share(loop.time)
        give_up = loop.time() + self.patience_seconds
        while (refusal := _try_begin(self.writer)) is not None:
            self._refused_at = loop.time()
            if self._refused_at >= give_up:
                raise DatabaseConflict(internal=str(refusal)) from refusal
            await asyncio.sleep(random.uniform(0.0005, 0.0015))  # noqa: S311 - spreads retries, keeps no secret
        return self.writer

    async def _share(self, time: Callable[[], float]) -> None:
        now = time()
        if now - self._last_write > PAUSE_SECONDS:
            self._turn_began = now
        elif now - self._turn_began > TURN_SECONDS and now - self._refused_at < CONTENDED_SECONDS:
            await asyncio.sleep(PAUSE_SECONDS)
            self._turn_began = time()
        self._last_write = time()

    def connect(self) -> sqlite3.Connection:
        """A new connection with the pragmas and functions every statement and trigger relies on."""
        return connect(self.path, self.moment, durable=self.durable)

    def connect_apart(self) -> sqlite3.Connection:
        """A connection for one statement in a thread, which therefore knows one moment only."""
        apart = Moment(self.clock)
        apart.stand()
        return connect(self.path, apart, durable=self.durable)


class SqliteUnit(Unit):
    """See `Unit`."""

    kind = "sqlite"

    def __init__(self, database: SqliteDatabase, identity: Identity, *, writes: bool) -> None:
        super().__init__(identity, writes=writes)
        self._database = database
        self._connection: sqlite3.Connection | None = None

    async def _fetch(self, compiled: Compiled, arguments: list[Any], *, slow: bool) -> Records:
        if self.writes:
            connection = await self._begun()
            return self._guarded(lambda: connection.execute(compiled.sql, arguments).fetchall())  # type: ignore[no-any-return]
        self._refuse_writing(compiled)
        if slow:
            return await asyncio.to_thread(self._fetch_apart, compiled, arguments)
        reader = self._database.reader
        if reader is None:
            raise DatabaseUnavailable(internal="the database is not open")
        return self._guarded(lambda: reader.execute(compiled.sql, arguments).fetchall())  # type: ignore[no-any-return]

    def _fetch_apart(self, compiled: Compiled, arguments: list[Any]) -> Records:
        with closing(self._database.connect_apart()) as connection:
            return self._told(lambda: connection.execute(compiled.sql, arguments).fetchall())  # type: ignore[no-any-return]

    async def _execute(self, compiled: Compiled, arguments: list[Any]) -> int:
        self._refuse_writing(compiled)
        connection = await self._begun()
        return int(self._guarded(lambda: connection.execute(compiled.sql, arguments).rowcount))

    def _refuse_writing(self, compiled: Compiled) -> None:
        if not self.writes and not compiled.reads:
            msg = f"a reading unit was handed a statement that writes: {compiled.sql}"
            raise PolicyRefused(msg)

    async def commit(self) -> None:
        if self._broken:
            await self.rollback()
            msg = "a unit of work that was refused something cannot be committed"
            raise RuntimeError(msg)
        await self._end("COMMIT")

    async def rollback(self) -> None:
        await self._end("ROLLBACK")

    async def _begun(self) -> sqlite3.Connection:
        if self._connection is not None:
            return self._connection
        self._hold()
        try:
            async with asyncio.timeout(self._database.patience_seconds):
                await self._database.turn.acquire()
        except TimeoutError as error:
            self._let_go()
            raise DatabaseConflict(internal="another unit of this process kept the file") from error
        except BaseException:
            self._let_go()
            raise
        try:
            writer = await self._database.begin()
        except BaseException:
            self._database.turn.release()
            self._let_go()
            raise
        self._connection = writer
        return writer

    async def _end(self, how: str) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            connection.execute(how)
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if how == "COMMIT":
                raise self._meaning(error) from error
        finally:
            self._database.turn.release()
            self._let_go()

    def _guarded(self, call: Callable[[], Any]) -> Any:
        # In the event loop, where nothing comes between: one statement, one time, as on PostgreSQL.
        self._database.moment.stand()
        try:
            return self._told(call)
        finally:
            self._database.moment.run()

    def _told(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except (sqlite3.Error, OverflowError, UnicodeEncodeError) as error:
            raise self._refused(self._meaning(error)) from error

    def _meaning(self, error: Exception) -> Exception:
        if isinstance(error, OverflowError | UnicodeEncodeError):
            return Unstorable(internal=type(error).__name__)
        if isinstance(error, sqlite3.IntegrityError):
            return self._violation(error)
        if isinstance(error, sqlite3.OperationalError):
            name = getattr(error, "sqlite_errorname", "")
            if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
                return DatabaseConflict(internal=str(error))
            if name.startswith(("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_READONLY")):
                return DatabaseUnavailable(internal=str(error))
        return error

    def _violation(self, error: sqlite3.IntegrityError) -> Exception:
        kind, _, what = str(error).partition(" constraint failed: ")
        what = what.removeprefix("index '").removesuffix("'")
        match getattr(error, "sqlite_errorname", ""):
            case "SQLITE_CONSTRAINT_UNIQUE" | "SQLITE_CONSTRAINT_PRIMARYKEY":
                return UniqueViolation(self._database.constraint_names.get(what, what))
            case "SQLITE_CONSTRAINT_FOREIGNKEY":
                return ForeignKeyViolation("")
        if kind.startswith("cannot store "):
            # STRICT refuses the value's type: a sum outgrew 64 bits and became a REAL. Its error has no name here.
            return Unstorable(internal=kind)
        return CheckViolation(what or kind)


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


def register_functions(connection: sqlite3.Connection, clock: Clock) -> None:
    """The functions of `kernel/sql.py`, so that a frozen clock moves triggers, defaults and windows too."""
    read, write = datetime.fromisoformat, write_time
    connection.create_function("tenantry_now", 0, lambda: write(clock.now()))
    exact: list[tuple[str, Callable[..., Any]]] = [
        ("tenantry_plus", lambda at, seconds: at and write(read(at) + timedelta(seconds=seconds))),
        ("tenantry_window_start", lambda per, at: at and write(window_start(per, read(at)))),
        ("tenantry_window_end", lambda per, at: at and write(window_end(per, read(at)))),
    ]
    for name, function in exact:
        connection.create_function(name, 2, function, deterministic=True)


def _try_begin(connection: sqlite3.Connection) -> sqlite3.OperationalError | None:
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if str(getattr(error, "sqlite_errorname", "")).startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            return error
        raise
    return None
