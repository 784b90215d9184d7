"""The sessions in which an operator looks through somebody's eyes."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import and_, case, insert, or_, select, update
from sqlalchemy.orm import aliased

from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.database.types import Bytes, Id, Whole
from tenantry.kernel.sql import now, plus

from ..models import Sessions, Users, role_now
from .sessions import NONE


class Impersonation(msgspec.Struct, frozen=True):
    """A look through somebody's eyes: the session, whose eyes, and the operator's."""

    id: UUID
    user_id: UUID
    impersonator_id: UUID


class Looking(msgspec.Struct, frozen=True):
    """The operator of a live one, as they know themselves; until when it lasts, and whether they may do something."""

    email: str
    name: str | None
    ends_at: datetime
    may_write: bool


_own = aliased(Sessions)
_lasting = plus(now(), param("seconds", Whole()))
# Never longer than the operator's own session, to which it goes back.
_ends = (
    select(case((_own.expires_at < _lasting, _own.expires_at), else_=_lasting))
    .where(_own.id == param("impersonator_session_id", Id()))
    .scalar_subquery()
)
_GIVEN = (
    "id", "user_id", "method", "token_hash", "address", "user_agent", "impersonator_id", "impersonator_session_id",
    "reason", "may_write",
)  # fmt: skip
_add = statement(
    insert(Sessions)
    .values(**{name: param(name) for name in _GIVEN}, expires_at=_ends, last_seen_at=now())
    .returning(Sessions.expires_at)
)
_this = Sessions.__table__.c
_a_moment_later = plus(_this.created_at, param("moment", Whole()))
_still_open = Sessions.impersonator_session_id.is_not(None)
_ended = update(Sessions).values(
    impersonator_session_id=None,
    # A row ends after it began, also where somebody was faster than the clock.
    expires_at=case((now() > _a_moment_later, now()), else_=_a_moment_later),
)
_ENDED = (Sessions.id, Sessions.user_id, Sessions.impersonator_id)
_through_theirs, _by_them = Sessions.user_id == param("user"), Sessions.impersonator_id == param("user")
_begun_in = Sessions.impersonator_session_id
_presented = Sessions.token_hash == param("hash", Bytes())
_end, _end_around, _end_by_hash = (
    statement(_ended.where(_still_open, or_(*which)).returning(*_ENDED), Impersonation)
    for which in (
        (
            and_(_through_theirs, Sessions.id == param("session")),
            and_(_by_them, _begun_in == param("session")),
        ),
        (_through_theirs, and_(_by_them, _begun_in != param("kept"))),
        (_presented, _begun_in == select(_own.id).where(_own.token_hash == param("hash", Bytes())).scalar_subquery()),
    )
)
# Whoever looks through another's eyes is signed in themselves and may still do so; asked at every request, so that what
# takes one of the two away ends the other at once.
_operator = statement(
    select(Users.email, Users.name, Sessions.expires_at.label("ends_at"), Sessions.may_write)
    .select_from(Sessions)
    .join(_own, _own.id == Sessions.impersonator_session_id)
    .join(Users, Users.id == _own.user_id)
    .where(
        Sessions.id == param("session"),
        Sessions.expires_at > now(),
        _own.expires_at > now(),
        Users.deleted_at.is_(None),
        role_now() == "ADMIN",
    ),
    Looking,
)


async def begin(db: Unit, *, seconds: int, **given: Any) -> datetime:
    """Write one, which lasts so long, and at most as long as the operator's session; answers until when."""
    found: datetime = await db.one(_add, seconds=seconds, **given)
    return found


async def end(db: Unit, user: UUID, session: UUID) -> list[Impersonation]:
    """End the look of that id through a user's eyes, and those that a user began in their own session of that id.

    Their rows stay, and open nothing any more.
    """
    return await db.rows(_end, user=user, session=session, moment=1)


async def end_around(db: Unit, user: UUID, *, kept: UUID | None = None) -> list[Impersonation]:
    """The same for all through a user's eyes, and all of a user's own, but those begun in the session `kept`."""
    return await db.rows(_end_around, user=user, kept=kept or NONE, moment=1)


async def end_by_hash(db: Unit, token_hash: bytes) -> list[Impersonation]:
    """The same for the look of a token, or for those that were begun in the session of a token."""
    return await db.rows(_end_by_hash, hash=token_hash, moment=1)


async def operator(db: Unit, session: UUID) -> Looking | None:
    """Who looks in a live one; None where they are an operator no more, or are signed out: then it has ended."""
    return await db.one_or_none(_operator, session=session)
