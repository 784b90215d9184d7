"""SQLite called right in the event loop: reads take microseconds, and writers of a process queue on one async lock.

Several processes may share the file: a writing unit starts with BEGIN IMMEDIATE and, while another process holds the
file, sleeps and tries again (`busy_timeout=0`, so the loop never stands still). Figures: decisions/0002.
"""

import asyncio
import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, NoReturn

from ..clock import Clock
from ..policies import PolicyRefused
from .compiling import Compiled
from .failures import (
    CheckViolation,
    DatabaseConflict,
    DatabaseUnavailable,
    ForeignKeyViolation,
    UniqueViolation,
    Unstorable,
)
from .sqlite_file import Moment, connect, connect_to_read, make_file
from .units import Identity, Records, Unit

PATIENCE_SECONDS = 5.0
"""How long a writer waits for another process before it is told `database.conflict`."""
# A process that other processes compete with lets go for a moment after each turn of writing; without it, whoever
# holds the file takes it again before anybody else wakes up (decisions/0002).
TURN_SECONDS, PAUSE_SECONDS, CONTENDED_SECONDS = 0.005, 0.002, 1.0


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
        """Open the file, making it (mode 0600) and its folder when they are not there."""
        try:
            make_file(self.path)
            self.writer = self.connect()
            self.reader = self.connect()
        except (sqlite3.Error, OSError) as error:
            raise DatabaseUnavailable(internal=f"{self.path}: {error}") from error

    async def open_to_read(self) -> None:
        """Open a file that is there for reading units only: it is not made, and nothing in it is changed."""
        try:
            self.reader = connect_to_read(self.path, self.moment)
        except sqlite3.Error as error:
            raise DatabaseUnavailable(internal=f"{self.path}: {error}") from error

    async def close(self) -> None:
        """Close both connections."""
        for connection in (self.reader, self.writer):
            if connection is not None:
                connection.close()
        self.reader = self.writer = None

    def unit(self, identity: Identity, *, writes: bool, single: bool = False) -> "SqliteUnit":
        """A unit of work; a writing one waits for its turn at its first statement. See `Unit` for `single`."""
        return SqliteUnit(self, identity, writes=writes, single=single)

    async def begin(self) -> sqlite3.Connection:
        """BEGIN IMMEDIATE on the writing connection; the caller holds `turn`. Waits while another process writes."""
        if self.writer is None:
            raise DatabaseUnavailable.before_sending("the database is not open")
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

    def connect_apart(self) -> tuple[sqlite3.Connection, Moment]:
        """A connection for one statement in a thread, with a moment of its own."""
        moment = Moment(self.clock)
        return connect(self.path, moment, durable=self.durable), moment


class SqliteUnit(Unit):
    """See `Unit`."""

    kind = "sqlite"

    _database: SqliteDatabase
    _connection: sqlite3.Connection | None = None

    async def _fetch(self, compiled: Compiled, arguments: list[Any], *, slow: bool) -> Records:
        if self.writes:
            return (await self._written(compiled, arguments))[0]
        if not compiled.reads:
            self._refuse_writing(compiled)
        if slow:
            return await asyncio.to_thread(self._fetch_apart, compiled, arguments)
        reader = self._database.reader
        if reader is None:
            raise DatabaseUnavailable.before_sending("the database is not open")
        return self._answered(reader, self._database.moment, compiled, arguments)[0]

    def _fetch_apart(self, compiled: Compiled, arguments: list[Any]) -> Records:
        connection, moment = self._database.connect_apart()
        with closing(connection):
            return self._answered(connection, moment, compiled, arguments)[0]

    async def _execute(self, compiled: Compiled, arguments: list[Any]) -> int:
        if not self.writes:
            self._refuse_writing(compiled)
        return (await self._written(compiled, arguments))[1]

    async def _written(self, compiled: Compiled, arguments: list[Any]) -> tuple[Records, int]:
        if not self.single:
            return self._answered(await self._begun(), self._database.moment, compiled, arguments)
        self._refuse_more_than_one(compiled)
        connection = await self._begun()
        try:
            answer = self._answered(connection, self._database.moment, compiled, arguments)
        except BaseException as error:
            await self._end("ROLLBACK")
            if isinstance(error, DatabaseUnavailable):
                error.nothing_happened = True
            raise
        await self._end("COMMIT")
        return answer

    def _refuse_writing(self, compiled: Compiled) -> NoReturn:
        msg = f"a reading unit was handed a statement that writes: {compiled.sql}"
        raise PolicyRefused(msg)

    async def commit(self) -> None:
        if self._broken:
            await self.rollback()
            msg = "a unit of work that was refused something cannot be committed"
            raise RuntimeError(msg)
        await self._end("COMMIT")

    async def rollback(self) -> None:
        if self._connection is not None:
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

    def _answered(
        self, connection: sqlite3.Connection, moment: Moment, compiled: Compiled, arguments: list[Any]
    ) -> tuple[Records, int]:
        """The rows, and how many were touched. Nothing comes between: one statement, one time, as on PostgreSQL."""
        moment.stands, moment.fixed = True, None
        try:
            cursor = connection.execute(compiled.sql, arguments)
            return cursor.fetchall(), cursor.rowcount
        except (sqlite3.Error, OverflowError, UnicodeEncodeError) as error:
            raise self._refused(self._meaning(error)) from error
        finally:
            moment.stands = False

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


def _try_begin(connection: sqlite3.Connection) -> sqlite3.OperationalError | None:
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if str(getattr(error, "sqlite_errorname", "")).startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            return error
        raise DatabaseUnavailable.before_sending(error) from error
    return None
