"""Several workers on one real database, for tests: each with leases, a clock and a wire of its own that may fail.

A worker stands for a process. Nothing here knows how leases work inside: a worker that crashes is never heard of again,
and what its last statement did is known to the database only.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import select

from tenantry.kernel import Context, new_id
from tenantry.kernel.context import system_context
from tenantry.kernel.database import statement
from tenantry.kernel.database.postgres import PostgresDatabase
from tenantry.kernel.database.sqlite import SqliteDatabase
from tenantry.kernel.problems import DatabaseConflict, DatabaseUnavailable
from tenantry.kernel.sql import any_of
from tenantry.testing import AppKit
from tenantry.usage import Leases
from tenantry.usage.held import LEASE_SECONDS
from tenantry.usage.models import UsageCounters

FAULTS = ("refused", "away", "lost before", "lost after", "late", "held before", "held after")
"""What may become of one statement of a worker: the database refuses it, or is not there, for certain; the answer is
lost, and it was not executed, was executed, or is executed later; it waits on its way there, or its answer on the way
back, until it is let go."""
TICK = 1e-6
STEP_SECONDS = 10


@dataclass(frozen=True)
class Row:
    """A counter, as the database has it."""

    holder: UUID
    meter: str
    start: Any
    end: Any
    quota: int | None
    used: int
    leased: int
    overrun: int

    @property
    def total(self) -> int:
        """Units that nobody else can have."""
        return self.used + self.leased + self.overrun

    @property
    def key(self) -> tuple[UUID, str, Any]:
        return self.holder, self.meter, self.end


_rows = statement(
    select(
        UsageCounters.holder_id,
        UsageCounters.meter,
        UsageCounters.window_start,
        UsageCounters.window_end,
        UsageCounters.quota,
        UsageCounters.used,
        UsageCounters.leased,
        UsageCounters.overrun,
    ).where(any_of(UsageCounters.holder_id, "holders")),
    Row,
)


class WorkerClock:
    """A process's own clock. Its time of day may be wrong, and it may stand still for a while.

    Its monotonic time hardly goes on by itself, so that a run is the same run when it is repeated.
    """

    def __init__(self, world: "World") -> None:
        self._world = world
        self.skew = timedelta()
        self.stood_still = 0.0
        self._ticks = self._set_at = 0.0

    def reset(self) -> None:
        """It is right again, as after a start of the machine."""
        self.skew, self.stood_still, self._set_at = timedelta(), 0.0, float("-inf")

    def set_skew(self, skew: timedelta) -> None:
        """Somebody sets it, which is no time that passes."""
        self.skew, self._set_at = skew, self._world.passed

    def is_steady(self, since: float) -> bool:
        """Whether it has gone as time has, from a lease's time before a moment until now."""
        return not self.stood_still and since > self._set_at + LEASE_SECONDS

    def now(self) -> Any:
        return self._world.kit.clock.now() + self.skew

    def monotonic(self) -> float:
        self._ticks += TICK
        return self._world.passed - self.stood_still + self._ticks


@dataclass(eq=False)
class Sent:
    """A statement on its way, and what may still become of it there."""

    how: str
    statement: Any
    given: dict[str, Any]
    fault: str = ""

    @property
    def counters(self) -> set[tuple[UUID, str]]:
        return {(UUID(one["holder"]), one["meter"]) for one in self.given["asked"]}


@dataclass
class Wire:
    """What lies between a worker and its database: `faults` happen to its next statements, one each."""

    database: Any
    faults: deque[str] = field(default_factory=deque)
    held: list[tuple[str, Sent, asyncio.Event]] = field(default_factory=list)
    late: list[Sent] = field(default_factory=list)
    lost: list[Sent] = field(default_factory=list)
    under_way: list[Sent] = field(default_factory=list)
    is_cut: bool = False

    @property
    def kind(self) -> str:
        return str(self.database.kind)

    def unit(self, identity: Any, *, writes: bool, single: bool = False) -> Any:
        unit = self.database.unit(identity, writes=writes, single=single)
        return WiredUnit(unit, self) if single else unit

    async def carry(self, call: Callable[[], Awaitable[Any]], sent: Sent) -> Any:
        sent.fault = self.faults.popleft() if self.faults else ""
        self.under_way.append(sent)
        try:
            await self._there(sent.fault, sent)
            answer = await call()
            await self._back(sent.fault, sent)
        finally:
            self.under_way.remove(sent)
        return answer

    async def _there(self, fault: str, sent: Sent) -> None:
        if fault == "refused":
            raise DatabaseConflict(internal="a test says so")
        if fault == "away":
            raise DatabaseUnavailable.before_sending("a test says so")
        if fault in {"lost before", "late"}:
            self.lost.append(sent)
            self.late += [sent] if fault == "late" else []
            raise DatabaseUnavailable(internal="lost on the way there")
        if fault == "held before":
            await self._hold(fault, sent)
        await self._end_of_the_line()

    async def _back(self, fault: str, sent: Sent) -> None:
        if fault == "lost after":
            self.lost.append(sent)
            raise DatabaseUnavailable(internal="lost on the way back")
        if fault == "held after":
            await self._hold(fault, sent)
        await self._end_of_the_line()

    async def _hold(self, where: str, sent: Sent) -> None:
        release = asyncio.Event()
        self.held.append((where, sent, release))
        await release.wait()

    async def _end_of_the_line(self) -> None:
        if self.is_cut:
            await asyncio.Event().wait()

    def let_go(self) -> None:
        """What was held goes on."""
        for _, _, release in self.held:
            release.set()
        self.held.clear()

    def hurry(self) -> None:
        """Nothing that follows is held, nor what is with the database: somebody will wait, on a clock that stands."""
        self.faults = deque(fault for fault in self.faults if not fault.startswith("held"))
        for sent in self.under_way:
            sent.fault = "" if sent.fault.startswith("held") else sent.fault

    def cut(self) -> None:
        """Nothing comes through any more; what was held on its way there may still arrive."""
        self.is_cut = True
        self.late += [sent for where, sent, _ in self.held if where == "held before"]
        self.held.clear()


class WiredUnit:
    """A unit of a single statement, which goes over the wire."""

    writes = True

    def __init__(self, unit: Any, wire: Wire) -> None:
        self._unit, self._wire = unit, wire

    async def rows(self, stated: Any, **given: Any) -> Any:
        return await self._wire.carry(lambda: self._unit.rows(stated, **given), Sent("rows", stated, given))

    async def run(self, stated: Any, **given: Any) -> Any:
        return await self._wire.carry(lambda: self._unit.run(stated, **given), Sent("run", stated, given))

    async def commit(self) -> None:
        await self._unit.commit()

    async def rollback(self) -> None:
        await self._unit.rollback()


@dataclass
class Worker:
    """One life of a process: its leases, and who still waits in it."""

    place: int
    clock: WorkerClock
    wire: Wire
    leases: Leases
    ctx: Context
    waiting: set[asyncio.Task[Any]] = field(default_factory=set)
    refused: dict[tuple[UUID, str], float] = field(default_factory=dict)
    """When a call was last refused here, or failed: for how long that is remembered is limited."""


class World:
    """One database, the application for what operators do, and places for workers, all on one event loop."""

    def __init__(self, kit: AppKit, run: Callable[[Awaitable[Any]], Any], add: Callable[..., Awaitable[None]]) -> None:
        self.kit, self._run, self._add = kit, run, add
        self.passed = 0.0
        """Seconds that have passed for who did not stand still."""
        self.set_backs = 0
        """How often the database's clock was set back."""
        self.clocks: list[WorkerClock] = []
        self.databases: list[Any] = []

    def run(self, work: Awaitable[Any]) -> Any:
        """Do something to its end; what hangs fails."""

        async def done() -> Any:
            async with asyncio.timeout(STEP_SECONDS):
                return await work

        return self._run(done())

    async def open(self, places: int, stack: AsyncExitStack) -> None:
        """Make places for so many workers, each with connections of its own."""
        for _ in range(places):
            clock = WorkerClock(self)
            database = self._database(clock)
            await database.open()
            stack.push_async_callback(database.close)
            self.clocks.append(clock)
            self.databases.append(database)

    def _database(self, clock: WorkerClock) -> Any:
        tested = self.kit.database
        if tested.kind == "sqlite":
            # A file has no clock: the process's own is the database's.
            return SqliteDatabase(Path(tested.api_url.removeprefix("sqlite:///")), clock)
        return PostgresDatabase(tested.service_url or "", size=5)

    def worker(self, place: int, kind: type[Leases] = Leases) -> Worker:
        """A process starts."""
        clock, wire = self.clocks[place], Wire(self.databases[place])
        leases = kind(clock)
        ports = {**self.kit.runtime.ports, Leases: leases}
        runtime = replace(self.kit.runtime, clock=clock, service=wire, ports=ports)
        return Worker(place, clock, wire, leases, system_context(runtime))

    def crash(self, worker: Worker) -> None:
        """Kill -9: whatever it was about to do, nothing comes of it any more."""
        worker.wire.cut()
        for task in worker.waiting:
            task.cancel()

    async def move(self, by: timedelta, *, standing: set[int] | None = None) -> None:
        """Time passes for the database and for every process but those that stand still."""
        await self.kit.set_time(self.kit.clock.now() + by)
        seconds = max(0.0, by.total_seconds())
        self.passed += seconds
        self.set_backs += by < timedelta()
        for place in standing or ():
            self.clocks[place].stood_still += seconds

    def time_of(self, worker: Worker) -> Any:
        """The time of the database that a worker asks."""
        return worker.clock.now() if worker.wire.kind == "sqlite" else self.kit.clock.now()

    async def add_user(self, ctx: Context) -> UUID:
        """A person without a sign-in."""
        user = new_id()
        await self._add(ctx, user)
        return user

    async def rows(self, holders: list[UUID]) -> dict[tuple[UUID, str, Any], Row]:
        async with self.kit.system.service(writes=False) as ctx:
            return {row.key: row for row in await ctx.db.rows(_rows, holders=holders)}

    async def arrive(self, sent: Sent) -> None:
        """A statement that nobody waits for any more is executed after all."""
        async with self.kit.system.service(single=True) as ctx:
            await getattr(ctx.db, sent.how)(sent.statement, **sent.given)

    async def clear(self) -> None:
        """Nothing goes on from one run into the next."""
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        for task in others:
            with suppress(asyncio.CancelledError, Exception):
                await task
