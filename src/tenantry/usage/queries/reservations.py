"""All SQL of reservations: the rows that say so, and the units in their counters.

Everybody locks the counter first and the reservation second, as deleting a counter does: so nobody waits in a circle.
"""

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec
from sqlalchemy import and_, case, insert, select, update

from tenantry.holders.models import Holders, Plans, plan_now
from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.database.types import Id, UtcDateTime, Whole, Words
from tenantry.kernel.sql import greatest, least, now, plus

from ..models import UsageCounters, UsageReservations
from .counters import limit_of
from .exchange import ANSWER, OVER, UNITS_MAX, Asked, Exchanged, exchange, open_windows

Status = Literal["held", "settled", "released", "expired"]
DUE_MAX = 200
"""Reservations that are looked for at a time."""


class Reservation(msgspec.Struct, frozen=True):
    """Units of a window that are set aside for work whose cost is known afterwards.

    `status`: "held"; "settled" or "released" by whoever did the work; "expired" when nobody had said in time, and may
    still say so once. `settled`: the units that count; None while it is held and when it was released.
    """

    id: UUID
    holder_id: UUID
    meter: str
    window_start: datetime
    units: int
    settled: int | None
    status: Status
    on_expiry: Literal["settle", "release"]
    expires_at: datetime


class End(msgspec.Struct, frozen=True):
    """How a reservation ends, and the units that count then. The units of None are those of 0."""

    status: Status
    settled: int | None


_COLUMNS = [getattr(UsageReservations, name) for name in Reservation.__struct_fields__]
_its_counter = and_(
    UsageCounters.holder_id == UsageReservations.holder_id,
    UsageCounters.meter == UsageReservations.meter,
    UsageCounters.window_start == UsageReservations.window_start,
)

_by_id = statement(select(*_COLUMNS).where(UsageReservations.id == param("reservation")), Reservation)

_lock = statement(
    select(*_COLUMNS)
    .join(UsageCounters, _its_counter)
    .where(UsageReservations.id == param("reservation"))
    .with_for_update(of=UsageCounters),
    Reservation,
)

_due = statement(
    select(UsageReservations.id)
    .where(UsageReservations.status == "held", UsageReservations.expires_at <= now())
    .order_by(UsageReservations.expires_at)
    .limit(DUE_MAX)
)

_add = statement(
    insert(UsageReservations)
    .values(
        {name: param(name) for name in ("id", "holder_id", "meter", "window_start", "units", "on_expiry")}
        | {"expires_at": plus(now(), param("seconds", Whole()))}
    )
    .returning(*_COLUMNS),
    Reservation,
)

_end = statement(
    update(UsageReservations)
    .where(UsageReservations.id == param("reservation"), UsageReservations.status == param("was"))
    .values(status=param("becomes", Words()), settled=param("counts", Whole()))
    .returning(*_COLUMNS),
    Reservation,
)

_whose = (
    select(Holders.id, limit_of(param("meter", Words())).label("plan_limit"))
    .join(Plans, Plans.name == plan_now())
    .where(Holders.id == param("holder", Id()))
    .subquery("whose")
)
_leased, _counted, _actual = param("from_leased", Whole()), param("from_used", Whole()), param("actual", Whole())
_is_over = UsageCounters.window_end <= now()
# Of a window that is over only its own row knows the limit. The plan is read behind the lock, so it is today's.
_limit = case((_is_over, UsageCounters.quota), else_=_whose.c.plan_limit)
_held = UsageCounters.used + UsageCounters.leased
_free = case((_limit.is_(None), UNITS_MAX), else_=_limit) - _held - UsageCounters.overrun
_covered = least(_actual, _leased + _counted + greatest(_free, 0))

_count = statement(
    update(UsageCounters)
    .where(
        UsageCounters.holder_id == _whose.c.id,
        UsageCounters.meter == param("meter", Words()),
        UsageCounters.window_start == param("window", UtcDateTime()),
    )
    .values(
        leased=UsageCounters.leased - _leased,
        used=UsageCounters.used - _counted + _covered,
        overrun=UsageCounters.overrun + _actual - _covered,
        granted=case((_is_over, OVER), else_=0),
        # Never below what is counted and leased: the CHECK holds, and nothing more is granted.
        quota=case(
            (_is_over, UsageCounters.quota),
            (_limit.is_(None), None),
            else_=greatest(_limit, _held - _leased - _counted + _covered, 1),
        ),
    )
    .returning(*ANSWER),
    Exchanged,
)


async def by_id(db: Unit, reservation: UUID) -> Reservation | None:
    """A reservation as it stands."""
    return await db.one_or_none(_by_id, reservation=reservation)


async def lock(db: Unit, reservation: UUID) -> Reservation | None:
    """A reservation, its counter locked. Whoever waited for the lock may be told how it stood before: `end` knows."""
    return await db.one_or_none(_lock, reservation=reservation)


async def due(db: Unit) -> list[UUID]:
    """Held reservations whose time is over, oldest first, `DUE_MAX` of them at most."""
    return await db.rows(_due)


async def take(db: Unit, asked: Asked) -> Exchanged | None:
    """Lease units of the window that is open now, made if absent. None: there are too few, or no such counter."""
    answered = await exchange(db, [asked])
    if not answered:
        await open_windows(db, [asked])
        answered = await exchange(db, [asked])
    return answered[0] if answered and answered[0].granted else None


async def add(db: Unit, reservation: UUID, taken: Exchanged, *, seconds: int, on_expiry: str) -> Reservation:
    """Write the reservation of units that were just taken. An id that stands already is a UniqueViolation."""
    return await db.one(
        _add,
        id=reservation,
        holder_id=taken.holder_id,
        meter=taken.meter,
        window_start=taken.window_start,
        units=taken.granted,
        seconds=seconds,
        on_expiry=on_expiry,
    )


async def end(db: Unit, was: Reservation, end: End) -> tuple[Reservation, Exchanged] | None:
    """End a reservation whose counter is locked, and count its units; None when it stands otherwise by now.

    What it had in the counter, leased or counted when it expired, goes back; then the units that count are taken from
    that and from what is free. The rest is overrun.
    """
    ended = await db.one_or_none(_end, reservation=was.id, was=was.status, becomes=end.status, counts=end.settled)
    if ended is None:
        return None
    counter = await db.one(
        _count,
        holder=was.holder_id,
        meter=was.meter,
        window=was.window_start,
        from_leased=was.units if was.status == "held" else 0,
        from_used=was.settled or 0,
        actual=end.settled or 0,
    )
    return ended, counter
