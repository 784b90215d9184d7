"""Units set aside for work whose cost is known afterwards: model tokens. A door of its own, beside that of the room.

async with reserved(ctx, tokens, 4_000, expires_in=timedelta(minutes=10)) as held:
    async for part in model.stream(...):
        held.settle(part.tokens_so_far)

A reservation takes units like a call, before the work; settling it counts what the work really used. Whoever used more
is not refused, for the work is done: what is left of the window is taken, and the rest stands in `overrun`, so that
nothing more is admitted until a larger plan or the next window has room for it.

Who never says what was used is judged by time: at `expires_in` the whole amount counts, or none of it. That is a guess,
so the figure that comes late takes its place, once, in the same window: people pay for what was used.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from math import ceil
from typing import Literal, TypedDict, Unpack
from uuid import UUID

import msgspec

from tenantry.holders import HolderNotFound
from tenantry.kernel import Context, Problem, new_id
from tenantry.kernel.context import system_context
from tenantry.kernel.database import refuse_while_open
from tenantry.kernel.database.failures import UniqueViolation
from tenantry.kernel.logs import logger_of
from tenantry.kernel.tasks import to_the_end
from tenantry.product import Meter

from . import queries
from .bursts import keep_pace
from .errors import QuotaExceeded, ReservationConflict, ReservationNotFound
from .leases import Leases
from .queries.exchange import Asked, Exchanged
from .queries.reservations import End, Reservation
from .rows import Decision
from .spending import COST_MAX

__all__ = ["Reservation", "Reserved", "Terms", "release", "reserve", "reserved", "settle"]

EXPIRES_MAX = timedelta(days=7)
"""Nothing is set aside for longer."""

log = logger_of("tenantry.usage")


class Terms(TypedDict, total=False):
    """What may be said of a reservation beside its units and its time.

    - `on_expiry`: what becomes of it when nobody has said in time what was used: "settle" counts the whole amount,
      "release" none of it. Without a word "settle".
    - `reservation_id`: makes a repeated call the same reservation; without one each call is another.
    - `holder_id`: whose units; without one the context's holder's.
    """

    on_expiry: Literal["settle", "release"]
    reservation_id: UUID
    holder_id: UUID


class Reserved:
    """What `reserved` hands to its block: the reservation, and the place to say what was used."""

    def __init__(self, reservation: Reservation) -> None:
        self.reservation = reservation
        self._used: int | None = None
        self._has_begun = False

    def begin(self) -> None:
        """The work costs something from here on, whatever becomes of it. Who says a figure need not say this."""
        self._has_begun = True

    def settle(self, actual: int) -> None:
        """What was used so far, 0 to 10**12 units; the last word counts, when the block ends."""
        self._used = _fitting(actual, least=0)

    def end(self, *, failed: bool) -> End:
        """What is written when the block ends now."""
        if self._used is not None:
            return End("settled", self._used)
        if failed and not self._has_begun:
            return End("released", None)
        whole = self.reservation.on_expiry == "settle"
        return End("settled", self.reservation.units) if whole else End("released", None)


async def reserve(
    ctx: Context, meter: Meter, units: int, *, expires_in: timedelta, **terms: Unpack[Terms]
) -> Reservation:
    """Set units of the current window aside, 1 to 10**12, committed before anything else happens; see `Terms`.

    `ctx` has no open unit. `expires_in` is a second to seven days. Of the context's holder it is a call as `consume`
    is: too soon after others it is `BurstExceeded` (429). Too few units left: `QuotaExceeded` (429). Then nothing has
    changed. The same id with the same holder, meter and units answers the same reservation, also when it
    has ended; with others `ReservationConflict` (409). An unknown holder or meter raises LookupError.
    """
    refuse_while_open("reserving units")
    wanted = _wanted(ctx, meter, units, expires_in, terms)
    if "holder_id" not in terms:
        keep_pace(ctx)
    outcome = await _attempt(ctx, wanted)
    if isinstance(outcome, Decision) and outcome.soon:
        # Some of what is missing may be held by this very process.
        await ctx.port(Leases).settle(wanted.asked.holder_id)
        outcome = await _attempt(ctx, wanted)
    if isinstance(outcome, Decision):
        raise QuotaExceeded.of(outcome, ctx.clock.now(), ctx.product.plan(outcome.plan).burst)
    return outcome


async def settle(ctx: Context, reservation_id: UUID, actual: int, *, holder_id: UUID | None = None) -> Reservation:
    """Count what was used, 0 to 10**12 units, in the reservation's own window; `ctx` has no open unit.

    Also after it expired, once. The same figure again answers the same; another one, or one after a release, raises
    `ReservationConflict` (409). `ReservationNotFound` (404): there is none, or it is another holder's than `holder_id`
    or the context's. Without either, as in a job, it is anybody's.
    """
    return await _ended(ctx, reservation_id, End("settled", _fitting(actual, least=0)), holder_id)


async def release(ctx: Context, reservation_id: UUID, *, holder_id: UUID | None = None) -> Reservation:
    """Give all of it back: the work was not done. Like `settle` otherwise, also after it expired."""
    return await _ended(ctx, reservation_id, End("released", None), holder_id)


@asynccontextmanager
async def reserved(
    ctx: Context, meter: Meter, units: int, *, expires_in: timedelta, **terms: Unpack[Terms]
) -> AsyncIterator[Reserved]:
    """Reserve for a block of work, and settle when it ends, however it ends: also when it was cancelled.

    With what `Reserved.settle` was told. Without a word: released when the block raised before `Reserved.begin`, else
    ended as `on_expiry` says. Raises what `reserve` raises, and `ReservationConflict` (409) for one that has ended.
    """
    making = asyncio.create_task(reserve(ctx, meter, units, expires_in=expires_in, **terms))
    try:
        reservation = await asyncio.shield(making)
    except asyncio.CancelledError:
        await to_the_end(_unmade(ctx, making, is_named="reservation_id" in terms))
        raise
    if reservation.status != "held":
        raise _conflict(reservation)
    held = Reserved(reservation)
    try:
        yield held
    except BaseException:
        await to_the_end(_ended(ctx, reservation.id, held.end(failed=True), reservation.holder_id))
        raise
    await to_the_end(_ended(ctx, reservation.id, held.end(failed=False), reservation.holder_id))


async def expire_reservations(ctx: Context, _payload: dict[str, object]) -> None:
    """End the reservations that nobody settled in time, as their `on_expiry` says; each in a unit of its own."""
    count = units = 0
    while due := await _due(ctx):
        for reservation_id in due:
            async with ctx.service() as working:
                found = await queries.reservations.lock(working.db, reservation_id)
                if found is None or found.status != "held":
                    continue
                counts = found.units if found.on_expiry == "settle" else 0
                done = await queries.reservations.end(working.db, found, End("expired", counts))
            if done is not None:
                count, units = count + 1, units + (done[0].settled or 0)
                _look(ctx, done[1])
    if count:
        log.warning("usage.reservations_expired", count=count, units=units)


class _Wanted(msgspec.Struct, frozen=True):
    id: UUID
    is_named: bool
    asked: Asked
    seconds: int
    on_expiry: Literal["settle", "release"]


def _wanted(ctx: Context, meter: Meter, units: int, expires_in: timedelta, terms: Terms) -> _Wanted:
    if meter not in ctx.product.meters:
        msg = f'no plan limits the meter "{meter.name}" per {meter.per}; add it to the limits of the plans'
        raise LookupError(msg)
    if not timedelta(seconds=1) <= expires_in <= EXPIRES_MAX:
        msg = f"a reservation expires in a second to {EXPIRES_MAX.days} days, not in {expires_in}"
        raise ValueError(msg)
    units, named = _fitting(units, least=1), terms.get("reservation_id")
    asked = Asked(
        holder_id=terms.get("holder_id") or ctx.holder.id,
        meter=meter.name,
        per=meter.per,
        window_start=None,
        settle=0,
        give=0,
        need=units,
        take=units,
        directly=False,
    )
    seconds = ceil(expires_in.total_seconds())
    return _Wanted(named or new_id(), named is not None, asked, seconds, terms.get("on_expiry", "settle"))


def _fitting(units: int, *, least: int) -> int:
    if not least <= units <= COST_MAX:
        msg = f"a reservation is of {least} to {COST_MAX} units, not of {units}"
        raise ValueError(msg)
    return units


async def _attempt(ctx: Context, wanted: _Wanted) -> Reservation | Decision:
    try:
        return await _reserved(ctx, wanted)
    except UniqueViolation:
        # The same id was quicker, in another window; now it is there to be found.
        return await _reserved(ctx, wanted)


async def _reserved(ctx: Context, wanted: _Wanted) -> Reservation | Decision:
    async with ctx.service() as working:
        same = await _same(working, wanted)
        if same is not None:
            return same
        taken = await queries.reservations.take(working.db, wanted.asked)
        if taken is not None:
            return await queries.reservations.add(
                working.db, wanted.id, taken, seconds=wanted.seconds, on_expiry=wanted.on_expiry
            )
        # It may be the very one that took the last units while this one waited for them.
        return await _same(working, wanted) or await _refusal(working, wanted.asked)


async def _same(ctx: Context, wanted: _Wanted) -> Reservation | None:
    if not wanted.is_named:
        return None
    found = await queries.reservations.by_id(ctx.db, wanted.id)
    asked = wanted.asked
    if found and (found.holder_id, found.meter, found.units) != (asked.holder_id, asked.meter, asked.take):
        raise ReservationConflict("A reservation of this id was made of other units.", reservation=str(wanted.id))
    return found


async def _refusal(ctx: Context, asked: Asked) -> Decision:
    found = await queries.counters.standing(ctx.db, asked.holder_id, asked.meter, per=asked.per)
    if found is None:
        raise HolderNotFound(internal=f"holder {asked.holder_id} does not exist")
    return found.refusal(asked.meter, asked.take)


async def _ended(ctx: Context, reservation_id: UUID, end: End, holder_id: UUID | None) -> Reservation:
    refuse_while_open("settling a reservation")
    whose = holder_id or (ctx.current_holder.id if ctx.current_holder else None)
    async with ctx.service() as working:
        while True:
            found = await queries.reservations.lock(working.db, reservation_id)
            if found is None or whose not in {None, found.holder_id}:
                raise ReservationNotFound
            if found.status in {"settled", "released"}:
                if (found.status, found.settled) != (end.status, end.settled):
                    raise _conflict(found)
                return found
            if done := await queries.reservations.end(working.db, found, end):
                break
            # It had ended while the lock was waited for, and this was how it stood before.
    _look(ctx, done[1])
    return done[0]


async def _unmade(ctx: Context, making: asyncio.Task[Reservation], *, is_named: bool) -> None:
    """Whoever wanted it went away. One with an id of its own may be somebody else's too, who is still at work."""
    with suppress(Problem):
        made = await making
        if not is_named:
            await release(ctx, made.id, holder_id=made.holder_id)


async def _due(ctx: Context) -> list[UUID]:
    async with ctx.service(writes=False) as reading:
        return await queries.reservations.due(reading.db)


def _conflict(reservation: Reservation) -> ReservationConflict:
    counted = "" if reservation.settled is None else f" at {reservation.settled} units"
    return ReservationConflict(
        f"The reservation is {reservation.status} already{counted}.",
        reservation=str(reservation.id),
        units=reservation.units,
        settled=reservation.settled,
    )


def _look(ctx: Context, counter: Exchanged) -> None:
    """Let people be told when that took them past a percent of their limit."""
    for meter in ctx.product.meters:
        if meter.name == counter.meter:
            ctx.port(Leases).notices.look(system_context(ctx.runtime), meter, counter)
