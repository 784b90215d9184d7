"""The events received: stored once, claimed by lease, settled; and who reads an object right now."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import and_, case, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.database.types import Id, UtcDateTime, Whole, Words
from tenantry.kernel.listing import Listing
from tenantry.kernel.retention import expired
from tenantry.kernel.sql import any_of, now, plus

from ..models import PROVIDERS, BillingEvents, BillingLocks
from ..rows import StoredEvent


class EventCount(msgspec.Struct, frozen=True):
    """How many events of a provider stand at a status."""

    provider: str
    status: str
    count: int


class ListedEvent(msgspec.Struct, frozen=True):
    """An event as an operator sees it."""

    id: UUID
    provider: str
    event: str
    object_kind: str | None
    object_id: str | None
    status: str
    attempts: int
    received_at: datetime
    due_at: datetime
    finished_at: datetime | None
    last_error: str | None


class SeenEvent(msgspec.Struct, frozen=True):
    """An event with what was sent, byte by byte: `body` None once it was forgotten."""

    event: ListedEvent
    dedupe_key: str
    occurred_at: datetime | None
    body: bytes | None


_GIVEN = ("id", "provider", "dedupe_key", "event", "object_kind", "object_id", "occurred_at", "headers", "body")
_store = statement(
    insert(BillingEvents)
    .values(
        {name: param(name) for name in _GIVEN}
        | {"status": param("status"), "finished_at": case((param("status", Words()) == "ignored", now()), else_=None)}
    )
    .on_conflict_do_nothing(index_elements=["provider", "dedupe_key"])
)

_is_open = or_(BillingEvents.status == "received", BillingEvents.status == "waiting")
_due = (
    select(BillingEvents.id)
    .where(
        _is_open,
        BillingEvents.due_at <= now(),
        or_(BillingEvents.leased_until.is_(None), BillingEvents.leased_until < now()),
    )
    .order_by(BillingEvents.due_at, BillingEvents.id)
    .limit(param("limit", Whole()))
    .with_for_update(skip_locked=True)
    # Apart, so that it runs once: inside IN, PostgreSQL may run it again and lock more rows than the limit.
    .cte("due")
)
_COLUMNS = [BillingEvents.__table__.c[name] for name in StoredEvent.__struct_fields__]
_claim = statement(
    update(BillingEvents)
    .where(BillingEvents.id.in_(select(_due.c.id)))
    .values(
        lease=param("new_lease", Id()),
        leased_until=plus(now(), param("seconds", Whole())),
        attempts=BillingEvents.attempts + 1,
    )
    .returning(*_COLUMNS),
    StoredEvent,
)

_of_object = and_(
    BillingEvents.provider == param("provider"),
    BillingEvents.object_kind == param("object_kind"),
    BillingEvents.object_id == param("object_id"),
)
_open_of_object = statement(select(BillingEvents.id).where(_of_object, _is_open))
_done = {"status": "done", "finished_at": now(), "lease": None, "leased_until": None, "last_error": None}
_finish = statement(update(BillingEvents).where(any_of(BillingEvents.id, "ids"), _is_open).values(**_done))

_held = and_(BillingEvents.id == param("event"), BillingEvents.lease == param("held_by", Id()))
_put_off = statement(
    update(BillingEvents)
    .where(_held)
    .values(
        status=param("new_status", Words()),
        due_at=plus(now(), param("seconds", Whole())),
        finished_at=case((param("new_status", Words()) == "dead", now()), else_=None),
        lease=None,
        leased_until=None,
        last_error=param("error", Words()),
    )
)
_hand_back = statement(
    update(BillingEvents)
    .where(_held)
    .values(
        attempts=BillingEvents.attempts - 1,
        due_at=plus(now(), param("seconds", Whole())),
        lease=None,
        leased_until=None,
    )
)
_replayable = or_(BillingEvents.status == "dead", BillingEvents.status == "waiting", BillingEvents.status == "done")
_AGAIN = {
    "status": "received",
    "attempts": 0,
    "due_at": now(),
    "finished_at": None,
    "lease": None,
    "leased_until": None,
}
_replay = statement(update(BillingEvents).where(BillingEvents.id == param("event"), _replayable).values(**_AGAIN))
_replay_dead = statement(update(BillingEvents).where(BillingEvents.status == "dead").values(**_AGAIN))

_counts = statement(
    select(BillingEvents.provider, BillingEvents.status, func.count().label("count")).group_by(
        BillingEvents.provider, BillingEvents.status
    ),
    EventCount,
)
_LISTED = [BillingEvents.__table__.c[name] for name in ListedEvent.__struct_fields__]
_of_any_provider = or_(*(BillingEvents.provider == name for name in PROVIDERS))
EVENTS = Listing(
    select(*_LISTED),
    ListedEvent,
    id=BillingEvents.id,
    filters={
        "status": BillingEvents.status == param("status"),
        "provider": BillingEvents.provider == param("provider"),
        # The index begins with the provider.
        "object_id": and_(_of_any_provider, BillingEvents.object_id == param("object_id")),
    },
)
_one = statement(
    select(*_LISTED, BillingEvents.dedupe_key, BillingEvents.occurred_at, BillingEvents.body).where(
        BillingEvents.id == param("event", Id())
    ),
    lambda *values: SeenEvent(ListedEvent(*values[:-3]), *values[-3:]),
)

_lock_insert = insert(BillingLocks).values(
    provider=param("provider"),
    object_kind=param("object_kind"),
    object_id=param("object_id"),
    lease=param("new_lease"),
    leased_until=plus(now(), param("seconds", Whole())),
)
_lock = statement(
    _lock_insert.on_conflict_do_update(
        index_elements=["provider", "object_kind", "object_id"],
        set_={"lease": _lock_insert.excluded.lease, "leased_until": _lock_insert.excluded.leased_until},
        where=BillingLocks.leased_until < now(),
    ).returning(now().label("at"))
)
_unlock = statement(delete(BillingLocks).where(BillingLocks.lease == param("held_by", Id())))
_still = statement(
    select(BillingLocks.lease)
    .where(
        BillingLocks.provider == param("provider"),
        BillingLocks.object_kind == param("object_kind"),
        BillingLocks.object_id == param("object_id"),
        BillingLocks.lease == param("held_by", Id()),
    )
    .with_for_update()
)
_now = statement(select(now()))

EXPIRED_LOCKS = expired(BillingLocks.leased_until)
FORGOTTEN_AT_ONCE = 1000
_is_old = and_(
    BillingEvents.received_at < param("before", UtcDateTime()),
    BillingEvents.body.is_not(None),
    or_(*(BillingEvents.status == status for status in ("done", "ignored", "dead"))),
)
_forget_bodies = statement(
    update(BillingEvents)
    .where(
        BillingEvents.id.in_(
            select(BillingEvents.id).where(_is_old).order_by(BillingEvents.received_at).limit(FORGOTTEN_AT_ONCE)
        )
    )
    .values(body=None, headers={})
)


async def store(db: Unit, event_id: UUID, **given: Any) -> bool:
    """Write an event; False when one of its `dedupe_key` is there, committed."""
    return await db.run(_store, id=event_id, **given) == 1


async def claim(db: Unit, lease: UUID, *, limit: int, seconds: int) -> list[StoredEvent]:
    """Hold the events that have been due longest, and nobody else does."""
    return await db.rows(_claim, new_lease=lease, limit=limit, seconds=seconds)


async def open_of_object(db: Unit, provider: str, kind: str, object_id: str) -> list[UUID]:
    """The unsettled events of an object that are there now: what a reading that begins now answers."""
    return await db.rows(_open_of_object, provider=provider, object_kind=kind, object_id=object_id)


async def finish(db: Unit, events: Sequence[UUID]) -> int:
    """Settle events; those that somebody else settled meanwhile are left as they are."""
    return await db.run(_finish, ids=list(events))


async def put_off(db: Unit, event: UUID, lease: UUID, *, status: str, seconds: int, error: str) -> bool:
    """Let a held event wait, or die of its last attempt; False when it is not held any more."""
    return await db.run(_put_off, event=event, held_by=lease, new_status=status, seconds=seconds, error=error) == 1


async def hand_back(db: Unit, event: UUID, lease: UUID, *, seconds: int = 0) -> bool:
    """Let a held event go as if it had not been tried."""
    return await db.run(_hand_back, event=event, held_by=lease, seconds=seconds) == 1


async def replay(db: Unit, event: UUID) -> bool:
    """Let an event be worked on anew, whatever became of it; False when there is none that can be."""
    return await db.run(_replay, event=event) == 1


async def replay_dead(db: Unit) -> int:
    """The same for all that died; answers how many."""
    return await db.run(_replay_dead)


async def counts(db: Unit) -> list[EventCount]:
    """How many events stand where."""
    return await db.rows(_counts)


async def one(db: Unit, event: UUID) -> SeenEvent | None:
    """One event with what was sent; None when there is none of that id."""
    return await db.one_or_none(_one, event=event)


async def lock(db: Unit, provider: str, kind: str, object_id: str, lease: UUID, *, seconds: int) -> datetime | None:
    """Become the one who reads an object, for so long at most; the database's time, None when somebody else is."""
    return await db.one_or_none(
        _lock, provider=provider, object_kind=kind, object_id=object_id, new_lease=lease, seconds=seconds
    )


async def still_locked(db: Unit, provider: str, kind: str, object_id: str, lease: UUID) -> bool:
    """Whether one still is, until the unit ends; a lease that ran out may be somebody else's by now."""
    given = {"provider": provider, "object_kind": kind, "object_id": object_id, "held_by": lease}
    return await db.one_or_none(_still, **given) is not None


async def unlock(db: Unit, lease: UUID) -> None:
    """Let others read the object."""
    await db.run(_unlock, held_by=lease)


async def database_now(db: Unit) -> datetime:
    """The database's time."""
    found: datetime = await db.one(_now)
    return found


async def forget_bodies(db: Unit, before: datetime) -> int:
    """Empty what old events said, so many at once; their keys stay, since a provider may repeat one at any time.

    One that died is worked on again without it: what it names is read.
    """
    return await db.run(_forget_bodies, before=before)
