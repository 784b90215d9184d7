"""The machine of `test_state_machine.py`: what happens to quotas and to the workers that keep them, and what must hold.

What was admitted is counted here, from what callers are told, and compared after each step with the limits that were in
force and with the rows of the database:

- I1: admitted <= the largest limit that was in force in the window;
- I2: used + leased + overrun >= admitted, whatever crashed or was lost, and the row's own bounds;
- I3: where nothing crashed or was lost every unit is accounted for, and what is free is had by who asks;
- I4: a call that is refused consumes nothing.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import delete

from tenantry import Google, Meter, Plan, Product
from tenantry.holders import open_for_user, set_plan
from tenantry.holders.models import Holders
from tenantry.kernel.database import param, statement
from tenantry.kernel.problems import DatabaseConflict, DatabaseUnavailable
from tenantry.testing import START
from tenantry.usage import Decision, Leases, decide
from tenantry.usage.held import LEASE_SECONDS
from usage.lease_world import FAULTS, Row, Sent, Worker, World

requests, exports, exact = Meter("requests"), Meter("exports", per="month"), Meter("exact", strict=True)
METERS = (requests, exports, exact)
NOTHING, ENDLESS = 0, float("inf")
LIMITS: dict[str, dict[Meter, int | None]] = {
    "small": {requests: 12, exports: 40, exact: 5},
    "middle": {requests: 400, exports: 250, exact: 60},
    "large": {requests: 20_000, exports: 9000, exact: 900},
    "unlimited": {requests: None, exports: None, exact: None},
    "without": {exports: 40},
}
PRODUCT = Product(
    "Acme",
    sign_in=[Google()],
    plans=[
        Plan(name, price=number, limits={requests: 1, exact: 1, **limits})
        for number, (name, limits) in enumerate(LIMITS.items())
    ],
)
PLACES = 3
STEPS_BEFORE_DELETION = 8
places, whose = st.integers(0, PLACES - 1), st.integers(0, 1)
meters = st.sampled_from([requests, requests, exports, exact])
plans = st.sampled_from(["large", "large", "large", "unlimited", "middle", "small", "without"])
costs = st.sampled_from([1, 1, 1, 2, 5, 30, 240])
_delete = statement(delete(Holders).where(Holders.id == param("holder")))

Key = tuple[UUID, str, datetime]


@dataclass
class Account:
    """A holder, as the test knows it."""

    id: UUID
    plan: str = "small"
    changed: float = 0.0
    """When the plan was changed last, or the holder deleted, in seconds that passed."""
    changed_by: Worker | None = None
    step_of_change: int = 0
    is_gone: bool = False

    def limit(self, meter: str) -> float:
        if self.is_gone:
            return NOTHING
        found = {one.name: limit for one, limit in LIMITS[self.plan].items()}.get(meter, NOTHING)
        return ENDLESS if found is None else found


@dataclass(frozen=True)
class Call:
    """A call that was made: by which worker, when, and what it was told. None: it failed, or the holder is unknown."""

    worker: Worker
    holder: Account
    meter: Meter
    cost: int
    began: float
    step: int
    decision: Decision | None


class Quotas(RuleBasedStateMachine):
    """What happens to two holders' quotas, and to the workers that keep them. Reservations: `reservation_steps.py`."""

    def __init__(self, world: World, leases: type[Leases]) -> None:
        super().__init__()
        self.world, self.kind = world, leases
        self.workers: list[Worker | None] = [None] * PLACES
        self.holders: list[Account] = []
        self.admitted: Counter[Key] = Counter()
        """Units of admitted calls, units that reservations hold, and what was used of those that were settled."""
        self.largest: dict[Key, float] = {}
        self.rows: dict[Key, Row] = {}
        self.limits: dict[tuple[UUID, str], float] = {}
        """The limits in force after the step before, by holder and meter."""
        self.soiled: dict[tuple[UUID, str], datetime] = {}
        """Until when windows began in which units may be lost: a worker crashed, or an answer was lost."""
        self.calls: list[Call] = []
        """The calls of this step that were answered."""
        self.broken: list[BaseException] = []
        """What callers met that they should not have."""
        self.late: list[Sent] = []
        self.step = 0

    @initialize(plan=plans)
    def begin(self, plan: str) -> None:
        self.world.run(self._begin(plan))

    async def _begin(self, plan: str) -> None:
        await self.world.kit.set_time(START)
        for clock in self.world.clocks:
            clock.reset()
        for _ in range(2):
            async with self.world.kit.system.service() as ctx:
                user = await self.world.add_user(ctx)
                self.holders.append(Account(await open_for_user(ctx, user)))
        await self._change(None, self.holders[0], plan)
        for place in range(PLACES - 1):
            self.workers[place] = self.world.worker(place, self.kind)

    # Calls.

    @rule(place=places, which=whose, meter=meters, cost=costs)
    def call(self, place: int, which: int, meter: Meter, cost: int) -> None:
        """One call, while nobody else calls."""
        if worker := self.workers[place]:
            self.world.run(self._alone(worker, self.holders[which], meter, cost))

    async def _alone(self, worker: Worker, holder: Account, meter: Meter, cost: int) -> None:
        before = await self._rows()
        remembered = self._is_remembered(worker, holder, meter)
        done = await self._called([(worker, holder, meter, cost)])
        if not done or remembered or self._is_anything_held() or worker.clock.stood_still:
            return
        decision, after = done[0].decision, await self._rows()
        if decision is None:
            assert holder.is_gone
            return
        key = (holder.id, meter.name, decision.reset_at)
        total = max(rows[key].total if key in rows else 0 for rows in (before, after))
        assert decision.allowed or total + cost > holder.limit(meter.name), "I3: refused, though it fits"
        # A holder who was deleted less than a lease's time ago may have units, and has no row.
        if meter.strict and decision.allowed and (row := after.get(key)) and self._is_clean(row):
            # What was counted for callers who went away is there for the next ones, in whichever worker.
            held = self.held_in(row)
            assert row.used + row.overrun >= self.admitted[key] - held, "a strict meter counts before it admits"
            assert row.leased == held, "a strict meter has no leases"

    @rule(callers=st.lists(st.tuples(places, whose, meters, costs, st.integers(1, 60)), min_size=1, max_size=4))
    def call_at_once(self, callers: list[tuple[int, int, Meter, int, int]]) -> None:
        self.world.run(self._called(self._many(callers)))

    @rule(
        callers=st.lists(st.tuples(places, whose, meters, costs, st.integers(1, 30)), min_size=1, max_size=4),
        place=places,
        which=whose,
        plan=plans,
    )
    def call_while_the_plan_changes(
        self, callers: list[tuple[int, int, Meter, int, int]], place: int, which: int, plan: str
    ) -> None:
        async def both() -> None:
            await asyncio.gather(
                self._called(self._many(callers)), self._change(self.workers[place], self.holders[which], plan)
            )

        self.world.run(both())

    @rule(rounds=st.integers(5, 40), cost=st.sampled_from([1, 1, 2]))
    def work(self, rounds: int, cost: int) -> None:
        """Every worker is busy for everybody: then all of them hold leases, as far as the plans allow."""
        self.world.run(self._work(rounds, cost))

    @rule(rounds=st.integers(5, 40))
    def work_on(self, rounds: int) -> None:
        self.world.run(self._work(rounds, 1))

    async def _work(self, rounds: int, cost: int) -> None:
        async def calls(worker: Worker, holder: Account, meter: Meter) -> None:
            for _ in range(rounds):
                if not await self._called([(worker, holder, meter, cost)]):
                    return

        leased = (requests, exports)
        await asyncio.gather(
            *(calls(worker, holder, meter) for worker in self._alive() for holder in self.holders for meter in leased)
        )

    def _many(self, callers: list[tuple[int, int, Meter, int, int]]) -> list[tuple[Worker, Account, Meter, int]]:
        found = []
        for place, which, meter, cost, number in callers:
            if worker := self.workers[place]:
                found += [(worker, self.holders[which], meter, cost)] * number
        return found

    async def _called(self, calls: list[tuple[Worker, Account, Meter, int]]) -> list[Call]:
        """Make calls at once, and answer those that were not held on the wire, nor failed."""
        before = len(self.calls)
        tasks = set()
        for one in calls:
            task = asyncio.create_task(self._call(*one))
            one[0].waiting.add(task)
            task.add_done_callback(partial(self._done, one[0]))
            tasks.add(task)
        while tasks and not (held := self._is_anything_held()):
            _, tasks = await asyncio.wait(tasks, timeout=0.01)
        if tasks and held:
            # The others of these callers are served; who waits for a held statement goes on waiting.
            await asyncio.wait(tasks, timeout=0.02)
        return self.calls[before:]

    def _done(self, worker: Worker, task: asyncio.Task[None]) -> None:
        worker.waiting.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self.broken.append(error)

    async def _call(self, worker: Worker, holder: Account, meter: Meter, cost: int) -> None:
        began, at = worker.clock.monotonic(), self.world.time_of(worker)
        passed, step, set_backs = self.world.passed, self.step, self.world.set_backs
        try:
            decision = await decide(worker.ctx, holder.id, meter, cost)
        except (DatabaseConflict, DatabaseUnavailable):
            worker.refused[holder.id, meter.name] = began
            return
        except LookupError:
            assert holder.is_gone, "a holder that is there was not found"
            worker.refused[holder.id, meter.name] = began
            decision = None
        if decision is not None and decision.allowed:
            self.admitted[holder.id, meter.name, decision.reset_at] += cost
            # Whoever waited while somebody set a clock back was decided about at an earlier time than they came.
            is_steady = worker.clock.is_steady(passed) and self.world.set_backs == set_backs
            assert not is_steady or decision.reset_at > at, "admitted in a window that was over"
        elif decision is not None:
            worker.refused[holder.id, meter.name] = worker.clock.monotonic()
        self.calls.append(Call(worker, holder, meter, cost, passed, step, decision))

    def _is_remembered(self, worker: Worker, holder: Account, meter: Meter) -> bool:
        """Whether the worker may refuse because it was refused a moment ago."""
        last = worker.refused.get((holder.id, meter.name))
        return last is not None and worker.clock.monotonic() - last < LEASE_SECONDS

    @rule(place=places, which=whose, meter=meters, number=st.integers(1, 5), fault=st.sampled_from(["before", "after"]))
    def call_and_leave(self, place: int, which: int, meter: Meter, number: int, fault: str) -> None:
        """Callers go away while what was asked for them is under way."""

        async def leave(worker: Worker) -> None:
            worker.wire.faults.appendleft(f"held {fault}")
            await self._called([(worker, self.holders[which], meter, 3)] * number)
            for task in worker.waiting:
                task.cancel()
            await self._let_go()

        worker = self.workers[place]
        if worker and not worker.wire.held:
            self.world.run(leave(worker))

    @rule(place=places)
    def give_up(self, place: int) -> None:
        """Whoever waits in a worker goes away, and is not charged."""

        async def away(worker: Worker) -> None:
            for task in worker.waiting:
                task.cancel()
            await asyncio.sleep(0)

        if worker := self.workers[place]:
            self.world.run(away(worker))

    # Settling.

    @rule(place=places)
    def settle(self, place: int) -> None:
        worker = self.workers[place]
        if worker and not worker.wire.held:
            worker.wire.hurry()
            self.world.run(worker.leases.settle())

    @rule()
    def settle_all(self) -> None:
        """Where nothing was lost, the rows say exactly what was admitted."""
        self.world.run(self._settled())

    async def _settled(self) -> None:
        for worker in self._alive():
            worker.wire.faults.clear()
            worker.wire.hurry()
        await self._let_go()
        for worker in self._alive():
            await worker.leases.settle()
            # What was let go may have been lost just now.
            self._gather_losses(worker)
        for key, row in (await self._rows()).items():
            held = self.held_in(row)
            if self._is_clean(row):
                counted = row.used + row.overrun, row.leased
                assert counted == (self.admitted[key] - held, held), f"I3, I4: units are lost or made up: {row}"

    def held_in(self, row: Row) -> int:
        """Units that reservations hold of a counter."""
        return 0

    # Workers.

    @rule()
    @precondition(lambda self: None in self.workers)
    def start(self) -> None:
        place = self.workers.index(None)
        self.workers[place] = self.world.worker(place, self.kind)

    @rule(place=places, again=st.booleans())
    def crash(self, place: int, again: bool) -> None:
        if worker := self.workers[place]:
            self.world.run(self._crash(worker))
            self.workers[place] = self.world.worker(place, self.kind) if again else None

    async def _crash(self, worker: Worker) -> None:
        self.world.crash(worker)
        await asyncio.sleep(0)
        self._gather_losses(worker)
        self._soil((holder.id, meter.name) for holder in self.holders for meter in METERS)

    @rule(place=places, again=st.booleans())
    def stop(self, place: int, again: bool) -> None:
        if worker := self.workers[place]:
            self.world.run(self._stop(worker))
            self.workers[place] = self.world.worker(place, self.kind) if again else None

    async def _stop(self, worker: Worker) -> None:
        worker.wire.hurry()
        await self._let_go()
        await worker.leases.aclose()
        self._gather_losses(worker)

    # What goes wrong on the wire.

    @rule(place=places, faults=st.lists(st.sampled_from(FAULTS), min_size=1, max_size=3))
    def spoil(self, place: int, faults: list[str]) -> None:
        if worker := self.workers[place]:
            worker.wire.faults.extend(faults)

    @rule()
    def let_go(self) -> None:
        self.world.run(self._let_go())

    async def _let_go(self) -> None:
        """What is held on the wire goes on, and whoever waits for it is answered."""
        while self._is_anything_held():
            for worker in self._alive():
                worker.wire.let_go()
            await asyncio.sleep(0.005)
        waiting = {task for worker in self._alive() for task in worker.waiting}
        while waiting:
            _, waiting = await asyncio.wait(waiting, timeout=0.01)
            if self._is_anything_held():
                await self._let_go()

    @rule()
    def arrive(self) -> None:
        """What was given up is executed."""
        if self.late:
            sent = self.late.pop(0)
            self._soil(sent.counters)
            self.world.run(self.world.arrive(sent))

    def _is_anything_held(self) -> bool:
        return any(worker.wire.held for worker in self._alive())

    # Plans and holders.

    @rule(place=places, which=whose, plan=plans)
    def change_plan(self, place: int, which: int, plan: str) -> None:
        self.world.run(self._change(self.workers[place], self.holders[which], plan))

    async def _change(self, worker: Worker | None, holder: Account, plan: str) -> None:
        if holder.is_gone:
            return
        async with (worker.ctx if worker else self.world.kit.system).service() as ctx:
            await set_plan(ctx, holder.id, plan, source="admin", reason="test")
        holder.plan, holder.changed, holder.changed_by = plan, self.world.passed, worker
        holder.step_of_change = self.step

    @rule(which=whose)
    @precondition(lambda self: self.step > STEPS_BEFORE_DELETION and not any(one.is_gone for one in self.holders))
    def delete_holder(self, which: int) -> None:
        holder = self.holders[which]

        async def gone() -> None:
            async with self.world.kit.system.service() as ctx:
                await ctx.db.run(_delete, holder=holder.id)

        self.world.run(gone())
        holder.is_gone, holder.changed, holder.changed_by = True, self.world.passed, None

    # Time.

    @rule(seconds=st.sampled_from([0.1, 0.4, 1.0, 2.5]))
    def wait(self, seconds: float) -> None:
        self.world.run(self._move(timedelta(seconds=seconds)))

    @rule(seconds=st.sampled_from([-0.5, -0.1, 0.0, 0.3]), per=st.sampled_from(["day", "day", "month"]))
    def come_to_midnight(self, seconds: float, per: str) -> None:
        """A moment before or after a window ends."""
        self.world.run(self._come_to(self._midnight(per) + timedelta(seconds=seconds)))

    @rule(
        before=st.sampled_from([0.7, 0.2]),
        after=st.sampled_from([0.0, 0.1, 0.6]),
        per=st.sampled_from(["day", "month"]),
        rounds=st.integers(5, 30),
    )
    def work_over_midnight(self, before: float, after: float, per: str, rounds: int) -> None:
        """Leases are taken a moment before a window ends, and nobody pauses."""

        async def over() -> None:
            midnight = self._midnight(per)
            await self._come_to(midnight - timedelta(seconds=before))
            await self._work(rounds, 1)
            await self._laws()
            await self._come_to(midnight + timedelta(seconds=after))
            await self._work(rounds, 1)

        self.world.run(over())

    def _midnight(self, per: str) -> datetime:
        day = self.world.kit.clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
        return day + timedelta(days=1) if per == "day" else (day.replace(day=1) + timedelta(days=32)).replace(day=1)

    async def _come_to(self, moment: datetime) -> None:
        await self._move(moment - self.world.kit.clock.now())

    @rule(seconds=st.sampled_from([0.3, 1.0, 3600.0]))
    def set_back(self, seconds: float) -> None:
        """Somebody corrects the database's clock."""
        self.world.run(self._move(timedelta(seconds=-seconds)))

    @rule(standing=st.sets(places, min_size=1), hours=st.sampled_from([0.001, 6, 12, 24]))
    def stand_still(self, standing: set[int], hours: float) -> None:
        """Processes are frozen for a while, and go on as if no time had passed."""
        self.world.run(self._move(timedelta(hours=hours), standing=standing))

    @rule(place=places, hours=st.sampled_from([-30, -1, 0, 1, 30]))
    def be_wrong(self, place: int, hours: int) -> None:
        """The clock of one machine is wrong from now on, or right again."""
        self.world.clocks[place].set_skew(timedelta(hours=hours))

    @rule()
    def sweep(self) -> None:
        """Real time passes, so that workers look after what they hold."""
        self.world.run(asyncio.sleep(0.3))

    async def _move(self, by: timedelta, standing: set[int] | None = None) -> None:
        await self.world.move(by, standing=standing)

    # What must hold after each of them.

    @invariant()
    def laws_hold(self) -> None:
        if self.holders:
            self.world.run(self._laws())

    async def _laws(self) -> None:
        if self.broken:
            raise self.broken[0]
        for worker in self._alive():
            self._gather_losses(worker)
        rows, now = await self._rows(), self._limits_now()
        for key, row in rows.items():
            before, limit = self.rows.get(key), max(self.limits.get(key[:2], 0), now[key[:2]])
            assert row.used >= 0 <= row.leased, "a count below nothing"
            assert row.quota is None or row.used + row.leased <= row.quota
            assert self.admitted[key] <= row.total, "I2: more admitted than counted"
            held, overrun = (before.total - before.overrun, before.overrun) if before else (0, 0)
            if row.total - row.overrun > held:
                # Work that used more than was left is not refused, and takes no more than there is beyond its overrun.
                taken = row.total - (row.overrun if row.overrun > overrun else 0)
                assert taken <= limit, "I1: units were taken beyond the limit in force"
                self.largest[key] = max(self.largest.get(key, 0), limit)
            admitted = self.admitted[key] - row.overrun
            assert admitted <= self.largest.get(key, 0), "I1: more admitted than any limit in force"
        for one in self.calls:
            self._look_at(one, rows)
        self.calls.clear()
        self.rows, self.limits = rows, now
        self.step += 1

    def _look_at(self, call: Call, rows: dict[Key, Row]) -> None:
        """A change of plan is in force at once where it was made, and everywhere after the time of a lease."""
        decision, holder = call.decision, call.holder
        if decision is None or not decision.allowed or call.worker.clock.stood_still:
            return
        is_told = call.worker is holder.changed_by and call.step > holder.step_of_change
        if is_told or call.began > holder.changed + LEASE_SECONDS:
            limit = holder.limit(call.meter.name)
            assert limit, "admitted without a limit that allows anything"
            row = rows[holder.id, call.meter.name, decision.reset_at]
            assert row.used + row.leased <= limit, "admitted by a plan that is changed"

    def _limits_now(self) -> dict[tuple[UUID, str], float]:
        return {(one.id, meter.name): one.limit(meter.name) for one in self.holders for meter in METERS}

    async def _rows(self) -> dict[Key, Row]:
        return await self.world.rows([one.id for one in self.holders])

    # What is known of losses.

    def _gather_losses(self, worker: Worker) -> None:
        wire = worker.wire
        for sent in wire.lost:
            self._soil(sent.counters)
        self.late += wire.late
        wire.lost.clear()
        wire.late.clear()

    def _soil(self, counters: Any) -> None:
        latest = max(self.world.kit.clock.now() + clock.skew for clock in self.world.clocks)
        for counter in counters:
            known = [row.start for row in self.rows.values() if row.key[:2] == counter]
            self.soiled[counter] = max([latest, *known, self.soiled.get(counter, latest)])

    def _is_clean(self, row: Row) -> bool:
        until = self.soiled.get((row.holder, row.meter))
        return until is None or until < row.start

    def _alive(self) -> list[Worker]:
        return [worker for worker in self.workers if worker]

    # The end.

    def teardown(self) -> None:
        self.world.run(self._end())

    async def _end(self) -> None:
        try:
            if self.holders:
                await self._settled()
                await self._laws()
                await self._fill_up()
                for worker in self._alive():
                    await self._stop(worker)
                self.workers.clear()
                await self._settled()
                await self._laws()
        finally:
            await self.world.clear()

    async def _fill_up(self) -> None:
        """Exactly what is free can be had, by one call from one worker, and nothing more from another."""
        await self._move(timedelta(seconds=2 * LEASE_SECONDS))
        soon = self.world.kit.clock.now() + timedelta(minutes=1)
        if soon.date() != self.world.kit.clock.now().date():
            await self._move(timedelta(minutes=1))
        first, second = self.world.worker(0, self.kind), self.world.worker(1, self.kind)
        for clock in self.world.clocks:
            clock.reset()
        for worker in self._alive():
            await worker.leases.aclose()
        self.workers = [first, second, None]
        for holder in self.holders:
            for meter in METERS:
                await self._fill(holder, meter)

    async def _fill(self, holder: Account, meter: Meter) -> None:
        limit = holder.limit(meter.name)
        if limit in {NOTHING, ENDLESS}:
            return
        first, second = self._alive()
        end = (await decide(first.ctx, holder.id, meter, 10**9)).reset_at
        row = (await self._rows()).get((holder.id, meter.name, end))
        assert row is not None
        await self._move(timedelta(seconds=2 * LEASE_SECONDS))
        if (free := int(limit) - row.total) > 0:
            await self._called([(first, holder, meter, free)])
            assert self.calls[-1].decision.allowed, "I3: what is free was not to be had"
        await self._called([(second, holder, meter, 1)])
        assert not self.calls[-1].decision.allowed, "I1: more than the limit was to be had"
