"""Sessions: SQLAlchemy's ORM inside a unit of work, for those who want objects instead of rows.

A session is a guest of the unit: it runs on the unit's connection, in its transaction, as its identity. It neither
commits nor rolls back; a flush that fails spoils the unit, which can then only be rolled back.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NoReturn

from sqlalchemy import URL, Engine, NullPool, event
from sqlalchemy.orm import Session
from sqlalchemy.util import LRUCache

from ..extras import extra
from ..policies import Role
from .failures import Unstorable
from .session_dialect import UnitConnection, refuse_to_decide, session_dialect
from .types import UnstorableText
from .units import Unit

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession


class UnitSession(Session):
    """The session inside the asynchronous one. What the unit decides is refused."""

    def begin(self, nested: bool = False) -> NoReturn:  # noqa: FBT001, FBT002 - SQLAlchemy's own signature
        refuse_to_decide("set a savepoint" if nested else "begin")

    def begin_nested(self) -> NoReturn:
        refuse_to_decide("set a savepoint")

    def commit(self) -> NoReturn:
        refuse_to_decide("commit")

    def rollback(self) -> NoReturn:
        refuse_to_decide("roll back")


class Sessions:
    """Makes the sessions of one application. What is compiled for one is kept for all of the same role."""

    def __init__(self) -> None:
        self._dialects: dict[tuple[str, Role], tuple[Any, LRUCache[Any, Any]]] = {}

    @asynccontextmanager
    async def session(self, unit: Unit) -> AsyncIterator["AsyncSession"]:
        """A session on the unit; flushed at its end, closed in any case."""
        # It costs a start 60 ms, and most products have no session.
        orm = extra("sqlalchemy.ext.asyncio")
        session: AsyncSession = orm.AsyncSession(
            orm.AsyncEngine(self._engine(unit)),
            sync_session_class=UnitSession,
            expire_on_commit=False,
            close_resets_only=False,
            info={"unit": unit},
        )
        try:
            yield session
            await session.flush()
        finally:
            # Closing asks the database nothing, so nobody needs to wait, or to be kept from waiting.
            session.sync_session.close()

    def _engine(self, unit: Unit) -> Engine:
        key = (unit.kind, unit.identity.role)
        if key not in self._dialects:
            dialect = session_dialect(*key)
            event.listen(dialect, "handle_error", _told, retval=True)
            self._dialects[key] = dialect, LRUCache(500)
        dialect, compiled = self._dialects[key]
        pool = NullPool(lambda: UnitConnection(unit), dialect=dialect, reset_on_return=None)  # type: ignore[arg-type]
        return Engine(pool, dialect, URL.create(unit.kind), execution_options={"compiled_cache": compiled})


@event.listens_for(UnitSession, "after_rollback")
def _spoil(session: Session) -> None:
    # Some of a flush may be written, and the session has forgotten what.
    session.info["unit"].spoil()


def _told(context: Any) -> Exception | None:
    """What a value cannot be stored for is a problem of the request's, as it is without a session."""
    if not isinstance(context.original_exception, UnstorableText):
        return None
    if context.connection is not None:
        context.connection.connection.dbapi_connection.unit.spoil()
    return Unstorable()
