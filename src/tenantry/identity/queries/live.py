"""The live session of a request, with its person: the one statement that every signed-in request begins with."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import Select, or_, select

from tenantry.holders.models import Holders, held_columns
from tenantry.kernel.database import param
from tenantry.kernel.database.types import Bytes
from tenantry.kernel.sql import now

from ..models import Sessions, Users


class LiveSession(msgspec.Struct, frozen=True):
    """Everything a request needs to know about its session and person, in one row.

    With an `impersonator_id` it counts only together with `queries.impersonations.operator`, which asks whether the
    operator still may. `role` is in force where it is ADMIN: who is banned has no live session, and only PREMIUM ends.
    """

    id: UUID
    authenticated_at: datetime
    last_seen_at: datetime | None
    impersonator_id: UUID | None
    user_id: UUID
    name: str | None
    email: str
    role: str


_SESSION = (
    Sessions.id, Sessions.authenticated_at, Sessions.last_seen_at, Sessions.impersonator_id,
    Users.id.label("user_id"), Users.name, Users.email, Users.role,
)  # fmt: skip
HOLDER: Final = held_columns()
WIDTH: Final = len(_SESSION)


def live_sessions(*more: Any) -> Select[Any]:
    """The live session of a hash with its person: the first `WIDTH` columns of the answer; `more` follow them.

    The live ones only: expired, banned and deleted are refused here, whether or not a job has come by. Every further
    table costs every signed-in request something, so what few sessions need is asked apart.
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
        )
    )


def with_own_holder(*more: Any) -> Select[Any]:
    """The same with the columns of `HOLDER` of the person's own holder, and then `more`."""
    return live_sessions(*HOLDER, *more).join(Holders, Holders.user_id == Users.id)
