"""All SQL of idempotency keys."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, and_, delete, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from ..database.statements import Statement, param, statement
from ..database.types import Whole
from ..database.units import Unit
from ..retention import expired
from ..sql import now, plus
from .models import IdempotencyKeys


class Kept(msgspec.Struct, frozen=True):
    """What is known of a key."""

    request_hash: bytes
    status: str
    leased_until: datetime
    answer: str | None


_OWNER = ("actor_kind", "actor_id", "key_hash")
_GIVEN = ("id", *_OWNER, "route", "request_hash", "lease")

_new = insert(IdempotencyKeys).values(
    **{name: param(name) for name in _GIVEN},
    leased_until=plus(now(), param("lease_seconds", Whole())),
    ends_at=plus(now(), param("kept_seconds", Whole())),
)
_is_open = IdempotencyKeys.status == "in_progress"
_is_over = IdempotencyKeys.ends_at <= now()
# Whoever held it is dead, or is refused by the lease when it wants to commit.
_is_left = and_(
    _is_open, IdempotencyKeys.leased_until <= now(), IdempotencyKeys.request_hash == _new.excluded.request_hash
)


def _reserving(may: ColumnElement[bool]) -> Statement[UUID]:
    taken = {name: _new.excluded[name] for name in ("route", "request_hash", "lease", "leased_until", "ends_at")}
    return statement(
        _new.on_conflict_do_update(
            index_elements=_OWNER, set_={**taken, "status": "in_progress", "answer": None}, where=may
        ).returning(IdempotencyKeys.id)
    )


_reserve = {False: _reserving(_is_over), True: _reserving(or_(_is_over, _is_left))}

_kept = statement(
    select(
        IdempotencyKeys.request_hash, IdempotencyKeys.status, IdempotencyKeys.leased_until, IdempotencyKeys.answer
    ).where(*(getattr(IdempotencyKeys, name) == param(name) for name in _OWNER)),
    Kept,
)

_held = and_(IdempotencyKeys.id == param("id"), IdempotencyKeys.lease == param("held_by"), _is_open)
_settle = statement(update(IdempotencyKeys).where(_held).values(status="done", answer=param("answer")))
_lapse = statement(update(IdempotencyKeys).where(_held).values(leased_until=now()))
_release = statement(delete(IdempotencyKeys).where(_held))

EXPIRED = expired(IdempotencyKeys.ends_at)


async def reserve(db: Unit, *, again: bool, **values: Any) -> UUID | None:
    """Take a key for a request; None when another one has it. `again`: also one whose holder's lease is over."""
    return await db.one_or_none(_reserve[again], **values)


async def kept(db: Unit, **owner: Any) -> Kept | None:
    """What is known of an actor's key."""
    return await db.one_or_none(_kept, **owner)


async def settle(db: Unit, key: UUID, lease: UUID, *, answer: str) -> bool:
    """Keep the answer; False when the key is not held by this lease any more."""
    return await db.run(_settle, id=key, held_by=lease, answer=answer) == 1


async def lapse(db: Unit, key: UUID, lease: UUID) -> None:
    """Nobody will answer it any more."""
    await db.run(_lapse, id=key, held_by=lease)


async def release(db: Unit, key: UUID, lease: UUID) -> None:
    """The key is free again, unless its answer is kept."""
    await db.run(_release, id=key, held_by=lease)
