"""Reserve, settle, release, expire, in any order and as often as one likes: each reservation counts once (I12).

Windows end and plans change in between, and ends race with each other. After each step the rows of the database are
compared with a model of what each reservation came to: `used + leased <= quota`, `leased` is what is held, and what
counts is what was settled and called, not a unit more or less.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select

from tenantry import Google, Meter, Plan, Product
from tenantry.kernel import Context, new_id
from tenantry.kernel.database import param, statement
from tenantry.testing import START, AppKit, TestDatabase
from tenantry.usage import QuotaExceeded, decide
from tenantry.usage.errors import ReservationConflict
from tenantry.usage.models import UsageCounters, UsageReservations
from tenantry.usage.reservations import Reservation, expire_reservations, release, reserve, settle
from usage.people import person, to_plan

# Strict, so that no lease of this process stands in `leased`.
tokens = Meter("tokens", strict=True)
LIMITS: dict[str, int | None] = {"small": 60, "middle": 150, "large": 400, "unlimited": None}
PRODUCT = Product(
    "Acme",
    sign_in=[Google()],
    plans=[Plan(name, price=number, limits={tokens: limit}) for number, (name, limit) in enumerate(LIMITS.items())],
)
STEPS = 30
FEW = st.sampled_from([1, 5, 20, 40, 60])
SOME = st.sampled_from([0, 0, 1, 5, 20, 40, 60, 90, 300])
picks = st.integers(0, 9)


@dataclass(frozen=True)
class Row:
    """A counter, as the database has it."""

    start: datetime
    end: datetime
    quota: int | None
    used: int
    leased: int
    overrun: int


_counters = statement(
    select(
        UsageCounters.window_start,
        UsageCounters.window_end,
        UsageCounters.quota,
        UsageCounters.used,
        UsageCounters.leased,
        UsageCounters.overrun,
    ).where(UsageCounters.holder_id == param("holder")),
    Row,
)
_stored = statement(
    select(UsageReservations.id, UsageReservations.status, UsageReservations.settled).where(
        UsageReservations.holder_id == param("holder")
    ),
    lambda *row: row,
)


@dataclass
class Kept:
    """A reservation, as the test knows it."""

    id: UUID
    units: int
    start: datetime
    expires_at: datetime
    on_expiry: Literal["settle", "release"]
    status: str = "held"
    settled: int | None = None

    @property
    def is_final(self) -> bool:
        return self.status in {"settled", "released"}

    def expire(self) -> None:
        self.status, self.settled = "expired", self.units if self.on_expiry == "settle" else 0


@dataclass
class Window:
    """What was called and set aside in one window."""

    calls: int = 0
    kept: list[Kept] = field(default_factory=list)

    @property
    def held(self) -> int:
        return sum(one.units for one in self.kept if one.status == "held")

    @property
    def counted(self) -> int:
        return self.calls + sum(one.settled or 0 for one in self.kept)


class World:
    """The application, shared by all runs: each has a person of its own."""

    def __init__(self, kit: AppKit, run: Callable[[Awaitable[Any]], Any]) -> None:
        self.kit, self.run = kit, run


class Reservations(RuleBasedStateMachine):
    """What happens to one holder's reservations."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world, self.kit = world, world.kit
        self.windows: dict[datetime, Window] = {}
        self.plan = "small"
        self.all: list[Kept] = []
        self.before: dict[datetime, Row] = {}

    @property
    def today(self) -> datetime:
        return self.kit.clock.now().replace(hour=0, minute=0, second=0, microsecond=0)

    @property
    def window(self) -> Window:
        return self.windows.setdefault(self.today, Window())

    def free(self) -> float:
        limit = LIMITS[self.plan]
        return float("inf") if limit is None else limit - self.window.counted - self.window.held

    def one_of(self, which: int) -> Kept:
        """Mostly one that may still be ended, at times one that has."""
        some = [one for one in self.all if not one.is_final] if which else []
        return (some or self.all)[-1 - which % len(some or self.all)]

    @initialize(plan=st.sampled_from(sorted(LIMITS)))
    def begin(self, plan: str) -> None:
        self.world.run(self.kit.set_time(START))
        self.ctx: Context = self.world.run(person(self.kit, plan))
        self.plan = plan

    @rule(units=FEW, minutes=st.sampled_from([1, 10, 24 * 60]), on_expiry=st.sampled_from(["settle", "release"]))
    def reserve(self, units: int, minutes: int, on_expiry: Literal["settle", "release"]) -> None:
        name, fits = new_id(), units <= self.free()
        made = self.told(
            reserve(
                self.ctx,
                tokens,
                units,
                expires_in=timedelta(minutes=minutes),
                on_expiry=on_expiry,
                reservation_id=name,
            )
        )
        assert isinstance(made, Reservation if fits else QuotaExceeded)
        if fits:
            kept = Kept(name, units, self.today, self.kit.clock.now() + timedelta(minutes=minutes), on_expiry)
            self.window.kept.append(kept)
            self.all.append(kept)
            self.is_told(kept, made)

    @rule(which=picks, more=st.sampled_from([0, 0, 1]))
    @precondition(lambda self: self.all)
    def reserve_again(self, which: int, more: int) -> None:
        kept = self.one_of(which)
        again = reserve(self.ctx, tokens, kept.units + more, expires_in=timedelta(minutes=1), reservation_id=kept.id)
        told = self.told(again)
        if more:
            assert isinstance(told, ReservationConflict)
        else:
            self.is_told(kept, told)

    @rule(units=FEW, times=st.integers(2, 6))
    def reserve_at_once(self, units: int, times: int) -> None:
        """Some with ids of their own, and one id three times."""
        expires_in, same, free = timedelta(minutes=10), new_id(), self.free()
        names = [*(new_id() for _ in range(times)), same, same, same]
        acts = [reserve(self.ctx, tokens, units, expires_in=expires_in, reservation_id=name) for name in names]
        told = self.told_at_once(*acts)
        made = {one.id for one in told if isinstance(one, Reservation)}
        assert len(made) == max(0, min(times + 1, free // units))
        for name in made:
            kept = Kept(name, units, self.today, self.kit.clock.now() + expires_in, "settle")
            self.window.kept.append(kept)
            self.all.append(kept)

    @rule(which=picks, actual=SOME)
    @precondition(lambda self: self.all)
    def settle(self, which: int, actual: int) -> None:
        kept = self.one_of(which)
        self.ends(kept, self.told(settle(self.ctx, kept.id, actual)), "settled", actual)

    @rule(which=picks)
    @precondition(lambda self: self.all)
    def release(self, which: int) -> None:
        kept = self.one_of(which)
        self.ends(kept, self.told(release(self.ctx, kept.id)), "released", None)

    def ends(self, kept: Kept, told: Any, status: str, settled: int | None) -> None:
        if kept.is_final and (kept.status, kept.settled) != (status, settled):
            assert isinstance(told, ReservationConflict)
            return
        row = self.before[kept.start]
        is_new, was = not kept.is_final, kept.settled or 0
        leased = kept.units if kept.status == "held" else 0
        kept.status, kept.settled = status, settled
        self.is_told(kept, told)
        if is_new:
            self.is_split(row, kept, leased, was)

    def is_split(self, row: Row, kept: Kept, leased: int, was: int) -> None:
        """What is counted within the limit, and what is beyond it."""
        limit = LIMITS[self.plan] if row.end > self.kit.clock.now() else row.quota
        free = float("inf") if limit is None else max(0, limit - row.used - row.leased - row.overrun)
        actual = kept.settled or 0
        covered = min(actual, leased + was + free)
        after = self.rows()[kept.start]
        assert after.used == row.used - was + covered
        assert after.overrun == row.overrun + actual - covered

    @rule(which=picks, actual=SOME)
    @precondition(lambda self: self.all)
    def end_at_once(self, which: int, actual: int) -> None:
        """Whoever is first: of all that are told that it is theirs, all are told the same."""
        kept = self.one_of(which)
        *told, _, _ = self.told_at_once(
            settle(self.ctx, kept.id, actual),
            release(self.ctx, kept.id),
            settle(self.ctx, kept.id, actual),
            expire_reservations(self.kit.system, {}),
            expire_reservations(self.kit.system, {}),
        )
        self.expired(but=kept)
        if kept.is_final:
            return
        ended = {one for one in told if isinstance(one, Reservation)}
        assert len(ended) == 1
        [done] = ended
        assert (done.status, done.settled) in {("settled", actual), ("released", None)}
        kept.status, kept.settled = done.status, done.settled

    @rule()
    def expire(self) -> None:
        self.world.run(expire_reservations(self.kit.system, {}))
        self.expired()

    def expired(self, but: Kept | None = None) -> None:
        for one in self.all:
            if one is not but and one.status == "held" and one.expires_at <= self.kit.clock.now():
                one.expire()

    @rule(cost=FEW)
    def call(self, cost: int) -> None:
        fits = cost <= self.free()
        decision = self.world.run(decide(self.ctx, self.ctx.holder.id, tokens, cost))
        assert decision.allowed == fits
        self.window.calls += cost if fits else 0

    @rule(plan=st.sampled_from(sorted(LIMITS)))
    def change_plan(self, plan: str) -> None:
        self.world.run(to_plan(self.ctx, plan))
        self.plan = plan

    @rule(by=st.sampled_from([1, 11, 12 * 60, 13 * 60]))
    def wait(self, by: int) -> None:
        self.world.run(self.kit.move(minutes=by))

    # What must hold after each of them.

    @invariant()
    def every_row_is_that_of_the_model(self) -> None:
        if not hasattr(self, "ctx"):
            return
        self.before = self.rows()
        for start, row in self.before.items():
            window = self.windows.get(start, Window())
            assert row.leased == window.held
            assert row.used + row.overrun == window.counted
            assert row.quota is None or row.used + row.leased <= row.quota

    @invariant()
    def every_reservation_stands_in_one_state(self) -> None:
        if not hasattr(self, "ctx"):
            return

        async def read() -> Any:
            async with self.ctx.service(writes=False) as reading:
                return await reading.db.rows(_stored, holder=self.ctx.holder.id)

        assert set(self.world.run(read())) == {(one.id, one.status, one.settled) for one in self.all}

    def rows(self) -> dict[datetime, Row]:
        async def read() -> list[Row]:
            async with self.ctx.service(writes=False) as reading:
                return await reading.db.rows(_counters, holder=self.ctx.holder.id)

        return {row.start: row for row in self.world.run(read())}

    def is_told(self, kept: Kept, told: Any) -> None:
        assert (told.id, told.units, told.status, told.settled) == (kept.id, kept.units, kept.status, kept.settled)
        assert (told.window_start, told.expires_at) == (kept.start, kept.expires_at)

    def told(self, act: Awaitable[Any]) -> Any:
        return self.told_at_once(act)[0]

    def told_at_once(self, *acts: Awaitable[Any]) -> list[Any]:
        """What each answers, or refuses."""

        async def ask(act: Awaitable[Any]) -> Any:
            try:
                return await act
            except (QuotaExceeded, ReservationConflict) as refused:
                return refused

        async def all_of_them() -> list[Any]:
            return await asyncio.gather(*map(ask, acts))

        told: list[Any] = self.world.run(all_of_them())
        return told


@pytest.fixture
def world(database: TestDatabase) -> Iterator[World]:
    """The application on a loop of its own: the machine's steps are no coroutines."""
    stack = AsyncExitStack()
    with asyncio.Runner() as runner:
        kit = runner.run(stack.enter_async_context(AppKit.start(PRODUCT, database)))
        yield World(kit, runner.run)
        runner.run(stack.aclose())


@pytest.mark.parametrize(
    ("runs", "steps"), [(12, STEPS), pytest.param(600, 60, marks=[pytest.mark.deep, pytest.mark.timeout(3600)])]
)
def test_each_reservation_counts_once(world: World, runs: int, steps: int) -> None:
    chosen = settings(
        max_examples=runs,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        # To make a failure small takes minutes, which the long run has.
        phases=[Phase.explicit, Phase.reuse, Phase.generate, *([Phase.shrink] if steps > STEPS else [])],
    )
    run_state_machine_as_test(lambda: Reservations(world), settings=chosen)
