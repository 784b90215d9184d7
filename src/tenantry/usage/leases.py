"""What this process holds of everybody's quotas: calls are admitted from memory, and the database is asked in batches.

Callers who must wait for the database wait together: while one exchange is under way the next one gathers, so that
64 callers cost one statement, and 64 holders two halves of one. A change of plan is in force within `LEASE_SECONDS`;
what is not spent by then goes back.
"""

import asyncio
import contextvars
from collections import deque
from contextlib import suppress
from typing import cast
from uuid import UUID

from tenantry.kernel import Context
from tenantry.kernel.clock import Clock
from tenantry.kernel.context import system_context
from tenantry.kernel.database import refuse_while_open
from tenantry.kernel.logs import logger_of
from tenantry.kernel.problems import DatabaseConflict, DatabaseUnavailable
from tenantry.product import Meter

from .asking import FLIGHTS_MAX, TRIES_MAX, Key, batch_of, exchanged, opened
from .held import LEASE_SECONDS, Held, lease_size
from .notices import Notices
from .queries.exchange import Exchanged
from .rows import Decision
from .waiting import Sent, Waiter

SWEEP_SECONDS = 0.25
SETTLE_SECONDS, SETTLE_PAUSE_SECONDS, SETTLE_PAUSE_SECONDS_MAX = 5.0, 0.002, 0.1

log = logger_of("tenantry.usage")


class Leases:
    """`ctx.port(Leases)`. Belongs to one event loop; opened and closed by the application."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.notices = Notices()
        self._held: dict[Key, Held] = {}
        self._meters: set[str] = set()
        self._waiting: dict[Key, deque[Waiter]] = {}
        self._due: dict[Key, bool] = {}
        """What the next exchange is about, in the order of asking; True: it gives everything back."""
        self._flights: set[asyncio.Task[None]] = set()
        self._sweeper: asyncio.Task[None] | None = None
        self._system: Context | None = None
        self._closing = False
        self._refused_at = float("-inf")
        """When who waited was last told that the database did nothing for them."""

    async def open(self) -> None:
        """Nothing is held yet."""

    async def aclose(self) -> None:
        """Settle what was spent and give the rest back; no call is admitted from then on."""
        self._closing = True
        if self._sweeper is not None:
            self._sweeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._sweeper
        await self.settle()
        await self.notices.aclose()

    async def take(self, ctx: Context, holder_id: UUID, meter: Meter, cost: int, most: int | None) -> Decision | None:
        """Decide about a call of this cost, from what is held or by asking; `ctx` has no open unit.

        `most`: refuse also what would make the window's use more than that. None when there is no such counter: no
        such holder, or a plan that does not name the meter.
        """
        if self._closing:
            raise DatabaseUnavailable(internal="the application is stopping")
        key, now = (holder_id.int, meter.name), self._clock.monotonic()
        if (decision := self.at_hand(ctx, holder_id, meter, cost, most, now)) is not None:
            return decision
        held = self._held.get(key)
        if held is None:
            self._held[key] = Held(meter, now)
            self._meters.add(meter.name)
        elif held.known is None and now < held.refused_until and key not in self._waiting:
            return None
        return await self._wait(ctx, key, Waiter(cost, most))

    def at_hand(
        self, ctx: Context, holder_id: UUID, meter: Meter, cost: int, most: int | None, now: float
    ) -> Decision | None:
        """`take` without waiting, at the time `now`: None when what is held does not decide it."""
        key = (holder_id.int, meter.name)
        held = self._held.get(key)
        # Nobody overtakes.
        if held is None or self._closing or (self._waiting and key in self._waiting):
            return None
        if held.meter is not meter and held.meter != meter:
            return None  # Of the same name, but not declared: that is told where the database would be asked.
        decision = held.admit(cost, now, most)
        if held.leased + held.counted - held.spent <= held.low and decision is not None and not held.asking:
            self._due.setdefault(key, False)
            self._fly(ctx)
        return decision

    async def settle(self, holder_id: UUID | None = None) -> None:
        """Let the database know what was spent, of one holder or of all, and give back what is left.

        Waits until that is done, and `SETTLE_SECONDS` at most: what the database does not take then, the next try does.
        Refused while a unit is open, which it would wait for on SQLite.
        """
        refuse_while_open("usage was settled")
        began, pause = self._clock.monotonic(), SETTLE_PAUSE_SECONDS
        while self._system is not None and (keys := self._unsettled(holder_id, began)):
            # What was asked since then is under way: once is enough.
            due = [key for key in keys if not (held := self._held[key]).asking or held.asked_at <= began]
            self._due.update(dict.fromkeys(due, True))
            self._fly(self._system)
            await asyncio.sleep(pause)
            pause = min(2 * pause, SETTLE_PAUSE_SECONDS_MAX)
            # Whoever only looks need not wait for a database that is away.
            if self._clock.monotonic() - began > SETTLE_SECONDS or (self._refused_at >= began and not self._closing):
                return

    def _unsettled(self, holder_id: UUID | None, began: float) -> list[Key]:
        """Whose row does not know yet what was spent before a moment."""
        found = self._held.items() if holder_id is None else self._of(holder_id)
        return [key for key, held in found if held.exchanged_at < began and (held.asking or not held.is_settled)]

    def _of(self, holder_id: UUID) -> list[tuple[Key, Held]]:
        """What is held of one holder: looked up, for there may be very many others."""
        keys = [(holder_id.int, name) for name in self._meters]
        return [(key, self._held[key]) for key in keys if key in self._held]

    def expire(self, holder_id: UUID | None = None) -> None:
        """Ask anew before the next call of this holder, or of all: their plan or period has changed, or may have."""
        for _, held in self._held.items() if holder_id is None else self._of(holder_id):
            held.expire(self._clock.monotonic())

    async def _wait(self, ctx: Context, key: Key, waiter: Waiter) -> Decision | None:
        self._waiting.setdefault(key, deque()).append(waiter)
        self._due.setdefault(key, False)
        self._fly(ctx)
        return await waiter.answer

    def _fly(self, ctx: Context) -> None:
        """Begin another exchange, if there is anything to ask and room for it."""
        if self._system is None:
            self._system = system_context(ctx.runtime)
        if not self._closing and (self._sweeper is None or self._sweeper.done()):
            self._sweeper = asyncio.create_task(self._sweep(self._system), context=contextvars.Context())
        has_room = len(self._flights) < FLIGHTS_MAX[self._system.runtime.service.kind]
        if has_room and any(not self._held[key].asking for key in self._due):
            # Not in the context of the request that happens to ask: others come along.
            self._flights.add(asyncio.create_task(self._exchange(self._system), context=contextvars.Context()))

    async def _exchange(self, ctx: Context) -> None:
        try:
            # Whoever asks in this turn of the loop comes along.
            await asyncio.sleep(0)
            await self._ask_all(ctx)
        finally:
            # At once, not when the task has ended: who is woken up now must find the room.
            self._flights.discard(cast("asyncio.Task[None]", asyncio.current_task()))

    async def _ask_all(self, ctx: Context) -> None:
        tries, in_vain = 0, set[Key]()
        while batch := self._batch(ctx.runtime.service.kind):
            sent = self._clock.monotonic()
            try:
                found = await exchanged(ctx, [each.asked for each in batch.values()])
            except DatabaseConflict as error:
                tries += 1
                self._refused(batch, error if tries >= TRIES_MAX else None)
            except BaseException as error:
                if isinstance(error, DatabaseUnavailable) and error.nothing_happened:
                    self._refused(batch, error)
                    continue
                self._lost(batch, error)
                if not isinstance(error, Exception):
                    raise
            else:
                tries = 0
                for key, row in found.items():
                    self._arrived(key, batch[key], row, sent)
                    self.notices.look(ctx, self._held[key].meter, row)
                await self._open(ctx, {key: each for key, each in batch.items() if key not in found}, in_vain, sent)
                in_vain.difference_update(found)

    def _batch(self, kind: str) -> dict[Key, Sent]:
        """What to ask now, of every counter that is due and not under way, and for how many who wait."""
        now = self._clock.monotonic()
        batch = {}
        for key in batch_of([key for key in self._due if not self._held[key].asking], kind):
            held, waiters = self._held[key], self._waiting.get(key, ())
            # What may not be spent any more goes back first of all.
            closing = self._due.pop(key) or now >= held.deadline
            costs = held.fitting([one.cost for one in waiters if one.waits])
            need = max(0, sum(costs) - (0 if closing else held.left))
            held.measure(need, now)
            more = 0 if held.meter.strict or (closing and not need) else lease_size(held.rate, held.free)
            batch[key] = Sent(held.ask(UUID(int=key[0]), need=need, more=more, closing=closing), len(waiters), closing)
        return batch

    async def _open(self, ctx: Context, missing: dict[Key, Sent], in_vain: set[Key], sent: float) -> None:
        """Make the rows that were not there, for nothing happened to them; what has none even then gets no answer.

        One that was made and is not found is of a window that was over a moment later: there is another one by now.
        """
        absent = in_vain & missing.keys()
        for key in absent:
            self._absent(key, missing[key], sent)
        first = {key: each for key, each in missing.items() if key not in absent}
        if not first:
            return
        self._refused(first, None)
        try:
            made = await opened(ctx, [each.asked for each in first.values()])
        except Exception as error:  # noqa: BLE001 - whoever waits is told, whatever it was
            for key in first:
                for waiter in self._waiting.pop(key, ()):
                    waiter.fail(error)
        else:
            in_vain.update(first.keys() - made)

    def _absent(self, key: Key, each: Sent, sent: float) -> None:
        held, waiters = self._held[key], list(self._waiting.pop(key, ()))
        if each.asked.take:
            held.absent(sent)
            for waiter in waiters[: each.waited]:
                waiter.tell(None)
        else:
            held.lost()
        self._put_off(key, [one for one in waiters if one.waits])

    def _arrived(self, key: Key, each: Sent, found: Exchanged, sent: float) -> None:
        held, waiters = self._held[key], self._waiting.pop(key, deque())
        held.answered(each.asked, found, sent)
        # Whoever came later must not spend what was granted for a time that is over.
        served = each.waited if self._clock.monotonic() >= held.deadline else len(waiters)
        if found.is_over:
            # Who waits is asked for in the window that is open now, once this one has everything back.
            served = 0
        late = []
        for place, waiter in enumerate(waiters):
            if not waiter.waits:
                continue
            if place < served and held.left >= waiter.cost:
                waiter.tell(decision := held.serve(waiter.cost, waiter.most))
                if held.counted and not decision.allowed:
                    self._due[key] = True  # What was counted for it is others' again, at once.
            elif place >= served or held.fits(waiter.cost) or self._is_new(held, place, each):
                late.append(waiter)
            else:
                waiter.tell(held.refusal(waiter.cost))
        # They came while the exchange was under way, or all together were too many.
        self._put_off(key, late)

    def _is_new(self, held: Held, place: int, each: Sent) -> bool:
        """Whether a strict meter was not asked for this caller yet."""
        return held.meter.strict and place >= each.waited

    def _put_off(self, key: Key, waiters: list[Waiter]) -> None:
        if waiters:
            self._waiting[key] = deque(waiters)
            self._due.setdefault(key, False)

    def _refused(self, batch: dict[Key, Sent], error: Exception | None) -> None:
        """Nothing happened, and that is certain: ask again, or say so to who waits. What is held stays held."""
        if error is not None:
            self._refused_at = self._clock.monotonic()
        for key, each in batch.items():
            self._held[key].refused()
            if error is not None:
                for waiter in self._waiting.pop(key, ()):
                    waiter.fail(error)
            elif each.closing or key in self._waiting:
                self._due[key] = each.closing or self._due.get(key, False)

    def _lost(self, batch: dict[Key, Sent], error: BaseException) -> None:
        units = 0
        for key, each in batch.items():
            held = self._held[key]
            units += each.asked.settle + each.asked.give + held.left
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
