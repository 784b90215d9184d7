"""The live session of a request, with its person: the one statement that every signed-in request begins with."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import Select, exists, or_, select
from sqlalchemy.orm import aliased

from tenantry.holders.models import Holders, plan_now
from tenantry.kernel.database import param
from tenantry.kernel.database.types import Bytes
from tenantry.kernel.sql import now

from ..models import Sessions, Users, role_now


class LiveSession(msgspec.Struct, frozen=True):
    """Everything a request needs to know about its session and person, in one row."""

    id: UUID
    expires_at: datetime
    authenticated_at: datetime
    last_seen_at: datetime | None
    impersonator_id: UUID | None
    may_write: bool
    user_id: UUID
    name: str | None
    email: str
    role: str


_SESSION = (
    Sessions.id, Sessions.expires_at, Sessions.authenticated_at, Sessions.last_seen_at, Sessions.impersonator_id,
    Sessions.may_write, Users.id.label("user_id"), Users.name, Users.email, role_now().label("role"),
)  # fmt: skip
HOLDER: Final = (
    Holders.id, Holders.kind, plan_now().label("plan"), Holders.revision, Holders.period_start, Holders.period_end,
)  # fmt: skip
WIDTH: Final = len(_SESSION)

_operators, _their_sessions = aliased(Users), aliased(Sessions)
# Whoever looks through another's eyes is signed in themselves and may still do so; asked in the same statement, so that
# what takes one of the two away ends the other at once.
_operator_stands = exists().where(
    _their_sessions.id == Sessions.impersonator_session_id,
    _their_sessions.expires_at > now(),
    _operators.id == _their_sessions.user_id,
    _operators.deleted_at.is_(None),
    role_now(_operators) == "ADMIN",
)


def live_sessions(*more: Any) -> Select[Any]:
    """The live session of a hash with its person: the first `WIDTH` columns of the answer; `more` follow them.

    The live ones only: expired, banned and deleted are refused here, whether or not a job has come by; and an
    operator's look through somebody's eyes, where the operator is one no more, or is signed out.
    """
    return (
        select(*_SESSION, *more)
        .select_from(Sessions)
        .join(Users, Users.id == Sessions.user_id)
        .where(
            Sessions.token_hash == param("hash", Bytes()),
            Sessions.expires_at > now(),
            Users.deleted_at.is_(None),
            or_(Users.banned_at.is_(None), Users.ban_ends_at <= now()),
            or_(Sessions.impersonator_id.is_(None), _operator_stands),
        )
    )


def with_own_holder(*more: Any) -> Select[Any]:
    """The same with the columns of `HOLDER` of the person's own holder, and then `more`."""
    return live_sessions(*HOLDER, *more).join(Holders, Holders.user_id == Users.id)
