"""Looking a session up: a door beside the room's own, for the room that knows for whom a person works."""

from collections.abc import Awaitable, Mapping
from uuid import UUID

import msgspec

from tenantry.kernel.context import Holder
from tenantry.kernel.database import Unit, statement

from .queries.live import HOLDER, WIDTH, LiveSession, live_sessions, with_own_holder

__all__ = [
    "HOLDER",
    "WIDTH",
    "Found",
    "LiveSession",
    "SessionLookup",
    "live_sessions",
    "permissions_of",
    "with_own_holder",
]


class Found(msgspec.Struct, frozen=True):
    """A session, whose plan and quotas count in it, and the organization that its person works for, in which role."""

    session: LiveSession
    holder: Holder
    role: str | None = None
    organization_id: UUID | None = None
    organization_ids: tuple[UUID, ...] = ()
    organization_names: tuple[str, ...] = ()


class SessionLookup:
    """`ctx.port(SessionLookup)`: the one statement that every signed-in request begins with.

    This one knows no organizations; the room of that name has another.
    """

    # Not `async` itself: a coroutine less for every request.
    def find(self, db: Unit, token_hash: bytes) -> Awaitable[Found | None]:
        """The live session with this hash; None for an unknown or expired one, and for who was banned or has left."""
        return db.one_or_none(_live, hash=token_hash)


def permissions_of(rights: Mapping[str, frozenset[str]], found: Found) -> frozenset[str]:
    """The names of what the person may do: with what is their own everything, else what their role may."""
    nothing: frozenset[str] = frozenset()
    may = rights.get("person", nothing) if found.holder.kind == "user" else nothing
    if found.role is not None:
        may |= rights.get(found.role, nothing)
    is_operator = found.session.role == "ADMIN" and found.session.impersonator_id is None
    return may | rights.get("operator", nothing) if is_operator else may


_live = statement(with_own_holder(), lambda *values: Found(LiveSession(*values[:WIDTH]), Holder(*values[WIDTH:])))
