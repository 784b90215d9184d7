"""The sessions: looked up by their token's hash, kept alive, ended."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import case, delete, insert, or_, select, update

from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.database.types import Bytes, Id, Whole
from tenantry.kernel.retention import expired
from tenantry.kernel.sql import now, plus

from ..models import Sessions


class Session(msgspec.Struct, frozen=True):
    """A signed-in browser, without anything that could stand for it.

    `reason`: why an operator looked through its person's eyes in it; None for the person's own.
    """

    id: UUID
    method: str
    address: str | None
    user_agent: str | None
    created_at: datetime
    last_seen_at: datetime | None
    expires_at: datetime
    reason: str | None


class EndedSession(msgspec.Struct, frozen=True):
    """A session that was just deleted."""

    id: UUID
    user_id: UUID


_one = Sessions.id == param("session")
_of_user = Sessions.user_id == param("user")

_see = statement(update(Sessions).where(_one, Sessions.expires_at > now()).values(last_seen_at=now()))
# However often it is used, a session ends for good so long after its person signed in.
_slid = plus(now(), param("seconds", Whole()))
_at_latest = plus(Sessions.__table__.c.created_at, param("longest", Whole()))
_slide = statement(
    update(Sessions)
    .where(_one, Sessions.expires_at > now())
    .values(expires_at=case((_slid < _at_latest, _slid), else_=_at_latest), last_seen_at=now())
)

_GIVEN = ("id", "user_id", "account_id", "method", "token_hash", "address", "user_agent")
_add = statement(
    insert(Sessions).values(
        **{name: param(name) for name in _GIVEN},
        expires_at=plus(now(), param("seconds", Whole())),
        last_seen_at=now(),
    )
)
_renewed = update(Sessions).where(_of_user, _one, Sessions.expires_at > now())
_renew = statement(_renewed.values(token_hash=param("new_hash", Bytes())))
_prove = statement(_renewed.values(token_hash=param("new_hash", Bytes()), authenticated_at=now()))

_is_live = statement(select(Sessions.id).where(_of_user, _one, Sessions.expires_at > now()))

_ended = (Sessions.id, Sessions.user_id)
# An operator's look is never deleted here: see `impersonations`.
_end = delete(Sessions).where(Sessions.impersonator_id.is_(None))
_end_by_hash = statement(_end.where(Sessions.token_hash == param("hash", Bytes())).returning(*_ended), EndedSession)
_end_by_id = statement(_end.where(_of_user, _one))
_end_but = _end.where(_of_user, Sessions.id != param("kept"))
_end_own = statement(_end_but)
_end_others_of = statement(_end_but.where(Sessions.method == param("began")))

_sessions = statement(
    select(
        Sessions.id,
        Sessions.method,
        Sessions.address,
        Sessions.user_agent,
        Sessions.created_at,
        Sessions.last_seen_at,
        Sessions.expires_at,
        Sessions.reason,
    )
    .where(
        _of_user,
        or_(Sessions.expires_at > now(), Sessions.impersonator_id.is_not(None)),
        Sessions.id < param("before", Id()),
    )
    .order_by(Sessions.id.desc())
    .limit(param("limit", Whole())),
    Session,
)

EXPIRED = expired(Sessions.expires_at)
NONE = UUID(int=0)
"""The id of no session."""


async def see(db: Unit, session: UUID) -> None:
    """Note that a live session was used just now."""
    await db.run(_see, session=session)


async def slide(db: Unit, session: UUID, *, lifetime: timedelta, longest: timedelta) -> None:
    """Let a live session last so long from now, at most `longest` from its beginning, and note that it was used."""
    seconds, most = int(lifetime.total_seconds()), int(longest.total_seconds())
    await db.run(_slide, session=session, seconds=seconds, longest=most)


async def add(db: Unit, *, seconds: int, **given: Any) -> None:
    """Write a session: `id`, `user_id`, `account_id`, `method`, `token_hash`, `address`, `user_agent`."""
    await db.run(_add, seconds=seconds, **given)


async def renew(db: Unit, user: UUID, session: UUID, *, token_hash: bytes, proven: bool) -> bool:
    """Give a live session another token; `proven`: its person has just shown who they are. False when there is none."""
    return await db.run(_prove if proven else _renew, user=user, session=session, new_hash=token_hash) == 1


async def is_live(db: Unit, user: UUID, session: UUID) -> bool:
    """Whether a session of that user is there and has not expired."""
    return await db.one_or_none(_is_live, user=user, session=session) is not None


async def end_by_hash(db: Unit, token_hash: bytes) -> EndedSession | None:
    """Delete the session of a token, its person's own; None when there is none."""
    return await db.one_or_none(_end_by_hash, hash=token_hash)


async def end_by_id(db: Unit, user: UUID, session: UUID) -> bool:
    """Delete one of a user's own sessions; False when the user has none of that id."""
    return await db.run(_end_by_id, user=user, session=session) == 1


async def end_own(db: Unit, user: UUID, *, kept: UUID | None = None) -> int:
    """Delete a user's own sessions but `kept`; answers how many there were."""
    return await db.run(_end_own, user=user, kept=kept or NONE)


async def end_others_of(db: Unit, user: UUID, method: str, *, kept: UUID | None = None) -> int:
    """The same for those that began one way."""
    return await db.run(_end_others_of, user=user, kept=kept or NONE, began=method)


async def of_user(db: Unit, user: UUID, *, before: UUID | None = None, limit: int = 100) -> list[Session]:
    """A user's live sessions, newest first, and an operator's ended ones; `before`: the last id of the page before."""
    return await db.rows(_sessions, user=user, before=before or UUID(int=2**128 - 1), limit=limit)
