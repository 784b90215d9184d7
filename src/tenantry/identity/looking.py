"""What an operator may do who looks through a person's eyes, and what stays closed to them whatever they were allowed.

Asked with the session, before any route is, so that none can forget it.
"""

from starlette.requests import Request

from tenantry.kernel.database import Unit
from tenantry.kernel.impersonation import Impersonation

from . import queries
from .errors import ClosedToOperators, ReadOnly
from .lookup import LiveSession

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Not CONNECT, the handshake of a websocket: nobody sees what is done by the messages after it."""
LEAVING = frozenset({"/auth/signout", "/v1/auth/sign-out", "/auth/impersonation/end"})
"""What ends a session that may only look."""
CLOSED = frozenset({
    "admin", "auth", "billing", "checkout", "invitations", "keys", "me", "organizations", "payments", "portal",
    "settings", "subscription", "team",
})  # fmt: skip
"""The first word of a path: how somebody signs in, what they are reached by, with whom they work, what they pay, and
what opens their account without them. Operators have pages of their own for what they may do about these."""


async def look(request: Request, db: Unit, session: LiveSession) -> Impersonation | None:
    """Who looks, in a session that is an operator's look through somebody's eyes; None where it has ended with them.

    Raises `ReadOnly` for what changes something where they may only look, and `ClosedToOperators` for what is nobody's
    but the person's.
    """
    looking = await queries.impersonations.operator(db, session.id)
    if looking is None:
        return None
    path = request.url.path.removeprefix(request.scope.get("root_path", ""))
    if request.method not in SAFE_METHODS and path not in LEAVING:
        if not looking.may_write:
            raise ReadOnly
        words = path.removeprefix("/v1/").lstrip("/").split("/")
        if words[0] in CLOSED or "keys" in words[:3]:
            raise ClosedToOperators
    return Impersonation(
        operator=looking.name or looking.email,
        person=session.name or session.email,
        ends_at=looking.ends_at,
        may_write=looking.may_write,
    )
