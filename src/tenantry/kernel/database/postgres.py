"""PostgreSQL through asyncpg's own pool: one pool a login, reads in one trip, writes bound at BEGIN."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import msgspec

from ..policies import PolicyRefused, Role
from .compiling import Compiled
from .connections import Connections
from .failures import (
    CheckViolation,
    DatabaseConflict,
    DatabaseUnavailable,
    ForeignKeyViolation,
    PolicyViolation,
    UniqueViolation,
    Unstorable,
)
from .types import encode_json
from .units import Identity, Records, Unit

# The last two: a connection that was lost in the middle of something, and one that does not answer in time.
_DRIVER_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, asyncpg.InternalClientError, TimeoutError)


class _Connection(asyncpg.Connection):  # type: ignore[misc]
    def get_reset_query(self) -> str:
        # Identity is bound inside the transaction and gone with it, so the reset's extra trip buys nothing.
        return ""


class PostgresDatabase:
    """One login's pool. `statement_cache=False` is for PgBouncer below 1.21 in transaction mode."""

    kind = "postgresql"

    def __init__(
        self, url: str, *, size: int = 10, timeout_seconds: float = 10.0, statement_cache: bool = True
    ) -> None:
        self.url = url
        self.size = size
        self.timeout_seconds = timeout_seconds
        self.statement_cache = statement_cache
        self._connections: Connections | None = None

    async def open(self) -> None:
        """Open the pool; raises `DatabaseUnavailable` when the server does not answer or refuses the login."""
        try:
            pool = await asyncpg.create_pool(
                plain_url(self.url),
                min_size=1,
                max_size=self.size,
                init=_prepare_connection,
                connection_class=_Connection,
                timeout=self.timeout_seconds,
                command_timeout=60,
                statement_cache_size=1000 if self.statement_cache else 0,
                max_inactive_connection_lifetime=300,
            )
        except _DRIVER_ERRORS as error:
            raise DatabaseUnavailable(internal=f"{type(error).__name__}: {error}") from error
        self._connections = Connections(pool, timeout_seconds=self.timeout_seconds)

    async def close(self) -> None:
        """Close every connection, waiting a moment for those in use."""
        connections, self._connections = self._connections, None
        if connections is not None:
            await connections.close(timeout_seconds=5)

    def unit(self, identity: Identity, *, writes: bool, single: bool = False) -> "PostgresUnit":
        """A unit of work on this login; it takes a connection at its first statement. See `Unit` for `single`."""
        return PostgresUnit(self, identity, writes=writes, single=single)

    def at_hand(self) -> Any | None:
        """A connection that is there without waiting: a coroutine less for most reads. None: `acquire` one."""
        return None if self._connections is None else self._connections.at_hand()

    async def acquire(self) -> Any:
        """A connection of the pool; `DatabaseUnavailable` when none comes free in time."""
        if self._connections is None:
            raise DatabaseUnavailable.before_sending("the database is not open")
        try:
            return await self._connections.take()
        except _DRIVER_ERRORS as error:
            raise DatabaseUnavailable.before_sending(error) from error

    async def release(self, connection: Any, *, in_order: bool = False) -> None:
        """Give a connection back; `in_order` when all that ran on it has ended and left nothing behind."""
        if self._connections is None:
            return
        if in_order:
            self._connections.keep(connection)  # A coroutine less for every read.
        else:
            await self._connections.give_back(connection, in_order=False)


class PostgresUnit(Unit):
    """See `Unit`."""

    kind = "postgresql"

    _database: PostgresDatabase
    _connection: Any = None

    async def _fetch(self, compiled: Compiled, arguments: list[Any], *, slow: bool) -> Records:
        del slow
        if self.single:
            return await self._alone("fetch", compiled, arguments)  # type: ignore[no-any-return]
        if self.writes:
            connection = await self._begun()
            return await self._guarded(connection.fetch, compiled.sql, arguments)  # type: ignore[no-any-return]
        if not compiled.reads:
            msg = f"a reading unit was handed a statement that writes: {compiled.sql}"
            raise PolicyRefused(msg)
        # Each read by itself: between two of them a unit holds nothing.
        connection, in_order = self._database.at_hand() or await self._database.acquire(), False
        try:
            records: Records = await self._read(connection, compiled, arguments)
            in_order = True
        finally:
            await self._database.release(connection, in_order=in_order)
        return records

    def _read(self, connection: Any, compiled: Compiled, arguments: list[Any]) -> Coroutine[Any, Any, Any]:
        if self.identity.role is Role.ANON:
            return self._read_as_stranger(connection, compiled, arguments)
        if compiled.bound_sql is None:
            return self._guarded(connection.fetch, compiled.sql, arguments)
        self._claims = self._claims or self.identity.claims()
        return self._guarded(connection.fetch, compiled.bound_sql, [*arguments, self._claims])

    async def _read_as_stranger(self, connection: Any, compiled: Compiled, arguments: list[Any]) -> Any:
        # A role cannot change inside a statement.
        await self._guarded(connection.execute, self._opening(), [])
        try:
            return await self._guarded(connection.fetch, compiled.sql, arguments)
        finally:
            await self._guarded(connection.execute, "ROLLBACK", [])

    async def _execute(self, compiled: Compiled, arguments: list[Any]) -> int:
        if not self.writes:
            msg = f"a reading unit was handed a statement that writes: {compiled.sql}"
            raise PolicyRefused(msg)
        if self.single:
            status: str = await self._alone("execute", compiled, arguments)
        else:
            status = await self._guarded((await self._begun()).execute, compiled.sql, arguments)
        return int(status.rpartition(" ")[2])

    async def _alone(self, how: str, compiled: Compiled, arguments: list[Any]) -> Any:
        """One statement outside of a transaction block: the server commits it before it answers."""
        self._refuse_more_than_one(compiled)
        self._hold()
        connection, in_order = None, False
        try:
            connection = self._database.at_hand() or await self._database.acquire()
            answer = await self._guarded(getattr(connection, how), compiled.sql, arguments)
            in_order = True
        finally:
            self._let_go()
            if connection is not None:
                await self._database.release(connection, in_order=in_order)
        return answer

    async def commit(self) -> None:
        if self._broken:
            await self.rollback()
            msg = "a unit of work that was refused something cannot be committed"
            raise RuntimeError(msg)
        await self._end("COMMIT")

    async def rollback(self) -> None:
        if self._connection is not None:
            await self._end("ROLLBACK")

    async def _begun(self) -> Any:
        if self._connection is None:
            self._hold()
            try:
                self._connection = self._database.at_hand() or await self._database.acquire()
                await self._guarded(self._connection.execute, self._opening(), [])
            except BaseException:
                await self._end("ROLLBACK")
                raise
        return self._connection

    def _opening(self) -> str:
        if self.identity.role is Role.SERVICE:
            return "BEGIN"
        # One trip for the three; the claims are made of ids only and so need no quoting.
        role = "; SET LOCAL ROLE anon" if self.identity.role is Role.ANON else ""
        return f"BEGIN{role}; SELECT set_config('request.jwt.claims', '{self.identity.claims()}', true)"

    async def _guarded(self, call: Callable[..., Any], sql: str, arguments: list[Any]) -> Any:
        try:
            return await call(sql, *arguments)
        except asyncpg.InsufficientPrivilegeError as error:
            kind = PolicyViolation if "row-level security" in str(error) else PolicyRefused
            raise self._refused(kind(str(error))) from error
        except _DRIVER_ERRORS as error:
            raise self._refused(_meaning(error)) from error

    async def _end(self, how: str) -> None:
        connection, self._connection = self._connection, None
        self._let_go()
        if connection is None:
            return
        in_order = False
        try:
            await asyncio.shield(connection.execute(how))
            in_order = True
        except _DRIVER_ERRORS as error:
            _cut(connection)
            if how == "COMMIT":
                raise _meaning(error) from error
        except BaseException:
            # Cancelled while it ended: nobody knows its state, so the connection is not used again.
            _cut(connection)
            raise
        finally:
            await self._database.release(connection, in_order=in_order)


def _cut(connection: Any) -> None:
    # What was lost already belongs to nobody, and says so.
    with contextlib.suppress(asyncpg.InterfaceError):
        connection.terminate()


def plain_url(url: str) -> str:
    """The URL as asyncpg wants it, whatever driver suffix it was written with."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(scheme="postgresql"))


async def _prepare_connection(connection: Any) -> None:
    # Without the codec JSONB comes back as text.
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        # As text, which msgspec reads without a function of ours in between; the server writes it out either way.
        format="text",
        encoder=lambda value: encode_json(value).decode(),
        decoder=msgspec.json.decode,
    )


_CONFLICTS = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, asyncpg.LockNotAvailableError)
_UNSTORABLE = (asyncpg.DataError, asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError)


def _meaning(error: Any) -> Exception:
    """The same words for what either database refuses."""
    if isinstance(error, asyncpg.IntegrityConstraintViolationError):
        return _violation(error)
    # The driver's own DataError, a value it cannot write, has no public name; the server's has.
    if isinstance(error, _UNSTORABLE) or (isinstance(error, asyncpg.InterfaceError) and isinstance(error, ValueError)):
        return Unstorable(internal=type(error.__cause__ or error).__name__)
    if isinstance(error, _CONFLICTS):
        return DatabaseConflict(internal=str(error))
    match error:
        case asyncpg.RaiseError():
            return CheckViolation(str(error))
        case asyncpg.InFailedSQLTransactionError():
            return RuntimeError("the transaction had failed before")
        case asyncpg.SyntaxOrAccessError():
            return RuntimeError(f"PostgreSQL does not accept a statement of ours: {error}")
    return DatabaseUnavailable(internal=f"{type(error).__name__}: {error}")


def _violation(error: Any) -> Exception:
    match error:
        case asyncpg.UniqueViolationError() | asyncpg.ExclusionViolationError():
            return UniqueViolation(error.constraint_name or "")
        case asyncpg.ForeignKeyViolationError() | asyncpg.RestrictViolationError():
            return ForeignKeyViolation(error.constraint_name or "")
        case asyncpg.NotNullViolationError():
            return CheckViolation(f"{error.table_name}.{error.column_name}")
    return CheckViolation(error.constraint_name or "")
