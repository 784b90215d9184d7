"""What this process holds of everybody's quotas: calls are admitted from memory, and the database is asked in batches.

Callers who must wait for the database wait together: while one exchange is under way the next one gathers, so that
64 callers, or 64 holders, cost one statement. A change of plan is in force within `LEASE_SECONDS`; what is not spent by
then goes back.
"""

import asyncio
import contextvars
import copy
from collections import deque
from contextlib import suppress
from uuid import UUID

from tenantry.kernel import Context
from tenantry.kernel.clock import Clock
from tenantry.kernel.context import system_context
from tenantry.kernel.database.failures import DatabaseConflict
from tenantry.kernel.logs import logger_of
from tenantry.product import Meter

from .held import LEASE_SECONDS, Held, lease_size
from .queries import exchange as queries
from .queries.exchange import Asked, Exchanged
from .rows import Decision

Key = tuple[UUID, str]

BATCH_MAX = 256
"""Counters in one statement."""
FLIGHTS_MAX = {"sqlite": 1, "postgresql": 4}
"""Exchanges under way at a time: one that waits for a locked row does not hold up the others. A file has one writer."""
SWEEP_SECONDS = 0.25
TRIES_MAX = 3

log = logger_of("tenantry.usage")


class _Waiter:
    """A caller who waits for the database."""

    __slots__ = ("answer", "cost")

    def __init__(self, cost: int) -> None:
        self.cost = cost
        self.answer: asyncio.Future[Decision | None] = asyncio.get_running_loop().create_future()

    @property
    def waits(self) -> bool:
        """Whether they still do: who went away is not charged."""
        return not self.answer.done()

    def tell(self, decision: Decision | None) -> None:
        if self.waits:
            self.answer.set_result(decision)

    def fail(self, error: BaseException) -> None:
        if self.waits:
            # One instance raised by many callers would collect all their tracebacks.
            self.answer.set_exception(copy.copy(error) if isinstance(error, Exception) else asyncio.CancelledError())


class Leases:
    """`ctx.port(Leases)`. Belongs to one event loop; opened and closed by the application."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._held: dict[Key, Held] = {}
        self._waiting: dict[Key, deque[_Waiter]] = {}
        self._due: dict[Key, bool] = {}
        """What the next exchange is about, in the order of asking; True: it gives everything back."""
        self._flights: set[asyncio.Task[None]] = set()
        self._sweeper: asyncio.Task[None] | None = None
        self._system: Context | None = None

    async def open(self) -> None:
        """Nothing is held yet."""

    async def aclose(self) -> None:
        """Settle what was spent and give the rest back; waits for the database as long as its own limits say."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._sweeper
            self._sweeper = None
        await self.settle()

    async def take(self, ctx: Context, holder_id: UUID, meter: Meter, cost: int) -> Decision | None:
        """Decide about a call of this cost, from what is held or by asking; `ctx` has no open unit.

        None when there is no such counter: no such holder, or a plan that does not name the meter.
        """
        key = (holder_id, meter.name)
        now = self._clock.monotonic()
        held = self._held.get(key)
        if held is None:
            self._held[key] = Held(meter, now)
        elif key in self._waiting:
            pass  # Nobody overtakes.
        elif now < held.deadline and held.left >= cost:
            held.spent += cost
            if held.left <= held.low and not held.asking:
                self._due.setdefault(key, False)
                self._fly(ctx)
            return held.decision(cost, allowed=True)
        elif now < held.refused_until:
            if held.known is None:
                return None
            if not held.fits(cost):
                return held.decision(cost, allowed=False)
        return await self._wait(ctx, key, cost)

    async def settle(self, holder_id: UUID | None = None) -> None:
        """Let the database know what was spent, of one holder or of all, and give back what is left."""
        began = self._clock.monotonic()
        known = [key for key in self._held if holder_id in {None, key[0]}]
        unsettled = [key for key in known if self._held[key].asking or not self._held[key].is_settled]
        self._due.update(dict.fromkeys(unsettled, True))
        while self._system is not None and unsettled:
            self._fly(self._system)
            await asyncio.wait(self._flights, return_when=asyncio.FIRST_COMPLETED)
            held = self._held
            unsettled = [key for key in unsettled if key in held and (held[key].asking or held[key].asked_at < began)]

    def expire(self, holder_id: UUID) -> None:
        """Ask anew before the next call of this holder: their plan has changed."""
        for key, held in self._held.items():
            if key[0] == holder_id:
                held.deadline = held.refused_until = self._clock.monotonic()

    async def _wait(self, ctx: Context, key: Key, cost: int) -> Decision | None:
        waiter = _Waiter(cost)
        self._waiting.setdefault(key, deque()).append(waiter)
        self._due.setdefault(key, False)
        self._fly(ctx)
        return await waiter.answer

    def _fly(self, ctx: Context) -> None:
        """Begin another exchange, if there is anything to ask and room for it."""
        if self._system is None:
            self._system = system_context(ctx.runtime)
        if self._sweeper is None or self._sweeper.done():
            self._sweeper = asyncio.create_task(self._sweep(self._system), context=contextvars.Context())
        if self._due and len(self._flights) < FLIGHTS_MAX[self._system.runtime.service.kind]:
            # Not in the context of the request that happens to ask: others come along.
            flight = asyncio.create_task(self._exchange(self._system), context=contextvars.Context())
            self._flights.add(flight)
            flight.add_done_callback(self._flights.discard)

    async def _exchange(self, ctx: Context) -> None:
        # Whoever asks in this turn of the loop comes along.
        await asyncio.sleep(0)
        tries = 0
        while batch := self._batch():
            sent = self._clock.monotonic()
            try:
                found = await _asked(ctx, [asked for asked, _ in batch.values()])
            except DatabaseConflict as error:
                tries += 1
                self._refused(batch, error if tries >= TRIES_MAX else None)
            except BaseException as error:
                self._lost(batch, error)
                if not isinstance(error, Exception):
                    raise
            else:
                tries = 0
                for key, (asked, waited) in batch.items():
                    self._arrived(key, asked, waited, found.get(key), sent)

    def _batch(self) -> "dict[Key, tuple[Asked, int]]":
        """What to ask now, of every counter that is due and not under way, and for how many who wait."""
        now = self._clock.monotonic()
        batch = {}
        for key in [key for key in self._due if not self._held[key].asking][:BATCH_MAX]:
            held, waiters = self._held[key], self._waiting.get(key, ())
            # What may not be spent any more goes back first of all.
            closing = self._due.pop(key) or now >= held.deadline
            costs = held.fitting([one.cost for one in waiters])
            need = max(0, sum(costs) - (0 if closing else held.left))
            held.measure(need, now)
            more = 0 if held.meter.strict or (closing and not need) else lease_size(held.rate, held.free)
            batch[key] = held.ask(key[0], need=need, more=more, closing=closing), len(waiters)
        return batch

    def _arrived(self, key: Key, asked: Asked, waited: int, found: Exchanged | None, sent: float) -> None:
        held, waiters = self._held[key], self._waiting.pop(key, deque())
        if found is None:
            held.absent(sent)
            for waiter in list(waiters)[:waited]:
                waiter.tell(None)
            self._put_off(key, [one for one in waiters if one.waits])
            return
        held.answered(asked, found, sent)
        if found.window_end <= found.at:
            # What was spent is settled; who waits is asked for in the window that is open now.
            held.window_over()
            waited = 0
        late = []
        for place, waiter in enumerate(waiters):
            if not waiter.waits:
                continue
            if held.known is not None and held.left >= waiter.cost:
                held.spent += waiter.cost
                waiter.tell(held.decision(waiter.cost, allowed=True))
            elif held.fits(waiter.cost) or (held.meter.strict and place >= waited) or held.known is None:
                late.append(waiter)
            else:
                waiter.tell(held.decision(waiter.cost, allowed=False))
        # They came while the exchange was under way, or all together were too many.
        self._put_off(key, late)

    def _put_off(self, key: Key, waiters: list[_Waiter]) -> None:
        if waiters:
            self._waiting[key] = deque(waiters)
            self._due.setdefault(key, False)

    def _refused(self, batch: "dict[Key, tuple[Asked, int]]", error: Exception | None) -> None:
        """The database chose another of two that met: ask again, and after some tries say so to who waits."""
        for key in batch:
            self._held[key].refused()
            if error is not None:
                for waiter in self._waiting.pop(key, ()):
                    waiter.fail(error)
            elif key in self._waiting:
                self._due.setdefault(key, False)

    def _lost(self, batch: "dict[Key, tuple[Asked, int]]", error: BaseException) -> None:
        units = 0
        for key, (asked, _) in batch.items():
            held = self._held[key]
            units += asked.settle + asked.give + held.left
            held.lost()
            for waiter in self._waiting.pop(key, ()):
                waiter.fail(error)
        log.warning("usage.exchange_lost", counters=len(batch), units=units, reason=type(error).__name__)

    async def _sweep(self, ctx: Context) -> None:
        """Give back what was not spent in its time; ends when nothing is held any more."""
        while self._held:
            await asyncio.sleep(SWEEP_SECONDS)
            now = self._clock.monotonic()
            for key, held in list(self._held.items()):
                if held.asking or key in self._waiting or now < held.deadline:
                    continue
                if not held.is_settled:
                    self._due[key] = True
                elif now >= held.deadline + LEASE_SECONDS and key not in self._due:
                    del self._held[key]
            if self._due:
                self._fly(ctx)


async def _asked(ctx: Context, asked: list[Asked]) -> dict[Key, Exchanged]:
    """Ask; whose row does not exist yet gets one, and is asked again."""
    found = await _exchanged(ctx, asked)
    missing = [one for one in asked if one.take and (one.holder_id, one.meter) not in found]
    if missing:
        async with ctx.service(single=True) as working:
            await queries.open_windows(working.db, missing)
        found |= await _exchanged(ctx, missing)
    return found


async def _exchanged(ctx: Context, asked: list[Asked]) -> dict[Key, Exchanged]:
    async with ctx.service(single=True) as working:
        return {(one.holder_id, one.meter): one for one in await queries.exchange(working.db, asked)}
