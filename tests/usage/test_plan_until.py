"""Past `plan_until` the plan is `plan_after`, though nobody has written it down: at once, in every process."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from tenantry import Burst, Count, Gauge, Google, Meter, Plan, Product
from tenantry.holders import by_id, set_plan
from tenantry.holders.billed import Billed, set_billed
from tenantry.kernel import Context
from tenantry.kernel.database import param, statement
from tenantry.testing import AppKit
from tenantry.usage import Decision, Leases, decide
from tenantry.usage.errors import LimitReached, QuotaExceeded
from tenantry.usage.held import LEASE_SECONDS, Held
from tenantry.usage.models import UsageCounters
from tenantry.usage.queries.counters import standing, standings
from tenantry.usage.reservations import release, reserve
from tenantry.usage.stocks import change_gauge, refuse_when_full
from usage.people import counter, person, to_plan

requests, exact, monthly = Meter("requests"), Meter("exact", strict=True), Meter("monthly", per="month")
storage, rows = Gauge("storage"), Count("rows")
LIMITS: dict[str, int | None] = {"small": 20, "middle": 150, "huge": 10**6, "unlimited": None}
PRODUCT = Product(
    "Acme",
    sign_in=[Google()],
    plans=[
        Plan(
            name,
            price=number,
            limits=dict.fromkeys([requests, exact, monthly, storage, rows], limit),
            burst=Burst(2, seconds=60) if name == "small" else None,
        )
        for number, (name, limit) in enumerate(LIMITS.items())
    ],
)
_row = statement(
    select(UsageCounters.quota, UsageCounters.window_end, UsageCounters.holder_revision)
    .where(UsageCounters.holder_id == param("holder"), UsageCounters.meter == param("meter"))
    .order_by(UsageCounters.window_start),
    lambda *row: row,
)
HALF = 0.5
"""Seconds: less than a lease lasts."""


@pytest.fixture
async def kit(start: Any) -> AppKit:
    started: AppKit = await start(PRODUCT)
    return started


@pytest.fixture
async def other(kit: AppKit, start: Any) -> AppKit:
    """Another process, of the same time."""
    started: AppKit = await start(PRODUCT, clock=kit.clock)
    return started


@pytest.fixture
async def ctx(kit: AppKit) -> Context:
    return await person(kit, "small")


async def bill(ctx: Context, plan: str, seconds: float | None = None, after: str = "small", **period: Any) -> datetime:
    """Let what is paid give a plan, for so long; answers until when."""
    until = None if seconds is None else ctx.clock.now() + timedelta(seconds=seconds)
    given = Billed(plan, "billing", until, None if until is None else after, **period)
    async with ctx.service() as working:
        await set_billed(working, ctx.holder.id, given)
    return until or ctx.clock.now()


async def called(kit: AppKit, ctx: Context, number: int = 1, meter: Meter = requests) -> Decision:
    """So many calls; the last decision."""
    found = [await decide(kit.system, ctx.holder.id, meter) for _ in range(number)]
    return found[-1]


async def leased(kit: AppKit, ctx: Context) -> tuple[int, Held]:
    """Call until some more calls may be admitted from memory; how many that were, and what is held."""
    for number in range(1, 140):
        await called(kit, ctx)
        (held,) = kit.runtime.port(Leases)._held.values()
        if held.left > 1:
            return number, held
    raise AssertionError(held.left)


def lasts(held: Held) -> float:
    """For how many seconds what is held may be spent, by what the last exchange told."""
    assert held.deadline <= held.fresh_until
    return round(held.fresh_until - held.exchanged_at, 6)


async def row(ctx: Context, meter: Meter = requests) -> Any:
    async with ctx.service(writes=False) as reading:
        return (await reading.db.rows(_row, holder=ctx.holder.id, meter=meter.name))[-1]


@pytest.mark.parametrize("meter", [requests, exact, monthly], ids=lambda one: one.name)
async def test_the_next_call_is_decided_by_the_plan_that_follows(kit: AppKit, other: AppKit, ctx: Context, meter: Any):
    await bill(ctx, "huge", HALF)
    for one in (kit, other):
        assert (await called(one, ctx, 120, meter)).plan == "huge"
    await kit.move(seconds=HALF - 0.001)
    for one in (kit, other):
        decision = await called(one, ctx, 1, meter)
        assert (decision.allowed, decision.plan) == (True, "huge")
    await kit.move(seconds=0.001)
    for one in (kit, other):
        decision = await called(one, ctx, 1, meter)
        assert (decision.allowed, decision.plan, decision.remaining) == (False, "small", 0)
    for one in (kit, other):
        await one.runtime.port(Leases).settle()
    assert await counter(ctx, meter) == (242, 0, 0, 242)
    assert not (await called(kit, ctx, 1, meter)).allowed


async def test_what_is_held_is_not_spent_beyond_it_and_goes_back(kit: AppKit, ctx: Context) -> None:
    await bill(ctx, "huge", HALF, after="middle")
    used, held = await leased(kit, ctx)
    assert lasts(held) == HALF
    await kit.move(seconds=HALF)
    assert held.left > 0
    assert (await called(kit, ctx)).plan == "middle"
    found = [(await called(kit, ctx)).allowed for _ in range(150)]
    assert sum(found) == 150 - used - 1
    await kit.runtime.port(Leases).settle()
    assert await counter(ctx, requests) == (150, 0, 0, 150)


async def test_an_end_that_is_far_off_shortens_no_lease(kit: AppKit, ctx: Context) -> None:
    await bill(ctx, "huge", 3600)
    _, held = await leased(kit, ctx)
    assert lasts(held) == LEASE_SECONDS


async def test_one_that_is_over_shortens_none_either(kit: AppKit, ctx: Context) -> None:
    await bill(ctx, "small", 1, after="huge")
    await kit.move(seconds=60)
    assert (await called(kit, ctx)).plan == "huge"
    _, held = await leased(kit, ctx)
    assert lasts(held) == LEASE_SECONDS


async def test_a_refusal_is_remembered_no_longer_either(kit: AppKit, other: AppKit, ctx: Context) -> None:
    """A smaller plan may be followed by the one that was given by hand."""
    await bill(ctx, "small", HALF, after="middle")
    for one in (kit, other):
        assert not (await called(one, ctx, 21)).allowed
    await kit.move(seconds=HALF)
    for one in (kit, other):
        decision = await called(one, ctx)
        assert (decision.allowed, decision.plan, decision.limit) == (True, "middle", 150)


async def test_a_plan_without_limit_ends_as_well(kit: AppKit, ctx: Context) -> None:
    await bill(ctx, "unlimited", HALF)
    assert (await called(kit, ctx, 30)).limit is None
    await kit.move(seconds=HALF)
    assert (await called(kit, ctx)).limit == 30
    await bill(ctx, "small", HALF, after="unlimited")
    await kit.move(seconds=HALF)
    assert (await called(kit, ctx)).limit is None
    assert (await row(ctx))[0] is None


async def test_how_they_stand_tells_it_before_anything_is_written(kit: AppKit, ctx: Context) -> None:
    until = await bill(ctx, "huge", HALF)
    await called(kit, ctx, 30)
    await kit.runtime.port(Leases).settle()
    for plan, limit in (("huge", 10**6), ("small", 30)):
        async with ctx.service(writes=False) as reading:
            one = await standing(reading.db, ctx.holder.id, "requests", per="day")
            many = await standings(reading.db, ctx.holder.id, [requests, monthly])
            holder = await by_id(reading.db, ctx.holder.id)
        assert one is not None
        assert (one.plan, one.limit, one.used) == (plan, limit, 30)
        assert (many[requests].plan, many[requests].limit) == (plan, limit)
        assert (many[monthly].plan, many[monthly].limit) == (plan, LIMITS[plan])
        assert holder is not None
        assert (holder.plan, holder.revision) == (plan, 3)
        assert (await row(ctx))[0] == 10**6
        await kit.set_time(until)
    assert not (await called(kit, ctx)).allowed
    assert (await row(ctx))[0] == 30


async def test_gauges_counts_and_reservations_follow(kit: AppKit, ctx: Context) -> None:
    until = await bill(ctx, "huge", HALF)
    early = await reserve(ctx, requests, 500, expires_in=timedelta(minutes=5))
    async with ctx.service() as working:
        assert await change_gauge(working, storage, 500) == 500
        await refuse_when_full(working, rows, a_hundred)
    await kit.set_time(until)
    with pytest.raises(QuotaExceeded):
        await reserve(ctx, requests, 1, expires_in=timedelta(minutes=5))
    async with ctx.service() as working:
        with pytest.raises(LimitReached) as full:
            await change_gauge(working, storage, 1)
    assert (full.value.extra["plan"], full.value.extra["limit"]) == ("small", 20)
    async with ctx.service() as working:
        with pytest.raises(LimitReached) as full:
            await refuse_when_full(working, rows, a_hundred)
    assert full.value.extra["plan"] == "small"
    await release(ctx, early.id)
    assert await counter(ctx, requests) == (0, 0, 0, 20)


async def a_hundred(_ctx: Context) -> int:
    """There are so many rows."""
    return 100


async def test_a_plan_by_hand_stays(kit: AppKit, ctx: Context) -> None:
    until = await bill(ctx, "huge", HALF)
    await to_plan(ctx, "middle")
    await kit.set_time(until)
    decision = await called(kit, ctx)
    assert (decision.plan, decision.limit) == ("middle", 150)


@pytest.mark.parametrize("seconds", [None, 60, 0, -5])
async def test_what_is_billed_moves_the_open_windows_once_and_right(kit: AppKit, ctx: Context, seconds: Any) -> None:
    """Plan, end and period in one transaction: both facts come, and the second finds nothing left to do."""
    await bill(ctx, "huge")
    for meter in (requests, monthly):
        await called(kit, ctx, 30, meter)
    await kit.runtime.port(Leases).settle()
    period = {"period_start": datetime(2026, 3, 10, tzinfo=UTC), "period_end": datetime(2026, 4, 10, tzinfo=UTC)}
    await bill(ctx, "middle", seconds, **period)
    quota = 150 if seconds is None or seconds > 0 else 30
    assert await row(ctx) == (quota, datetime(2026, 3, 15, tzinfo=UTC), 4)
    # The calendar month's window ends where the period began.
    assert (
        await row(ctx, monthly) == (quota, period["period_start"], 4) or (await row(ctx, monthly))[1] <= kit.clock.now()
    )
    decision = await called(kit, ctx, 1, monthly)
    assert (decision.allowed, decision.used, decision.reset_at) == (True, 1, period["period_end"])
    assert await row(ctx, monthly) == (150 if quota == 150 else 20, period["period_end"], 4)


async def test_when_only_the_end_moves_the_windows_follow_it(kit: AppKit, other: AppKit, ctx: Context) -> None:
    await bill(ctx, "huge", 3600)
    for one in (kit, other):
        await called(one, ctx, 30)
        await one.runtime.port(Leases).settle()
    assert (await row(ctx))[0] == 10**6
    await bill(ctx, "huge", -1)
    assert (await row(ctx))[0] == 60
    assert not (await called(kit, ctx)).allowed
    await bill(ctx, "huge", 3600)
    assert (await row(ctx))[0] == 10**6
    assert (await called(kit, ctx)).allowed
    # Elsewhere an end that comes sooner is known as any change is: within the time of a lease.
    await called(other, ctx, 30)
    await bill(ctx, "huge", 0)
    await kit.move(seconds=LEASE_SECONDS)
    assert not (await called(other, ctx)).allowed


async def test_a_call_that_waits_behind_what_is_billed_gets_the_new_limit(kit: AppKit, ctx: Context) -> None:
    """It has read the larger plan already when the smaller one is committed."""
    await bill(ctx, "huge")
    await called(kit, ctx, 30)
    changing = asyncio.Event()

    async def call() -> Decision:
        await changing.wait()
        return await called(kit, ctx)

    waiting = asyncio.create_task(call())
    async with ctx.service() as working:
        now = ctx.clock.now()
        await set_billed(working, ctx.holder.id, Billed("huge", "billing", now, "small"))
        changing.set()
        done, _ = await asyncio.wait([waiting], timeout=0.3)
        assert not done
    assert not (await waiting).allowed
    await kit.runtime.port(Leases).settle()
    assert (await row(ctx))[0] == (await counter(ctx, requests))[0] >= 30  # type: ignore[index]


class Model:
    """What is in force, as whoever wrote it down last knows."""

    def __init__(self) -> None:
        self.plan = self.after = "small"
        self.until: datetime | None = None
        self.admitted = 0

    def in_force(self, now: datetime) -> str:
        return self.plan if self.until is None or now < self.until else self.after


names = st.sampled_from(sorted(LIMITS))
steps = st.one_of(
    st.tuples(st.just("call"), st.sampled_from([0, 0, 1]), st.sampled_from([1, 1, 3, 40, 120])),
    st.tuples(st.just("move"), st.sampled_from([0.001, 0.1, 0.25, HALF, 1, 4]), st.none()),
    st.tuples(st.just("bill"), st.tuples(names, names), st.sampled_from([None, 1.25, 1.5, 2.0, 5.0])),
    st.tuples(st.just("set"), names, st.none()),
)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(done=st.lists(steps, min_size=4, max_size=30))
async def test_nobody_is_admitted_beyond_the_plan_in_force(kit: AppKit, other: AppKit, done: list[Any]) -> None:
    ctx, kits = await person(kit, "small"), (kit, other)
    model = Model()
    for what, first, second in done:
        if what == "call":
            await _call(kits[first], ctx, model, second)
        elif what == "move":
            await kit.move(seconds=first)
        else:
            await _write(ctx, model, first, second)
            # From here on every process knows of it. Of an end that comes by itself they know at once.
            await kit.move(seconds=LEASE_SECONDS)
    for one in kits:
        await one.runtime.port(Leases).settle(ctx.holder.id)
    used, leased, overrun, quota = await counter(ctx, requests) or (0, 0, 0, None)
    assert (used, leased, overrun) == (model.admitted, 0, 0)
    assert quota is None or quota >= used


async def _call(kit: AppKit, ctx: Context, model: Model, number: int) -> None:
    plan = model.in_force(kit.clock.now())
    limit = LIMITS[plan]
    for _ in range(number):
        decision = await decide(kit.system, ctx.holder.id, requests)
        assert decision.plan == plan
        if decision.allowed:
            model.admitted += 1
            assert limit is None or model.admitted <= limit
        else:
            assert limit is not None
            assert decision.soon or model.admitted >= limit


async def _write(ctx: Context, model: Model, first: Any, seconds: float | None) -> None:
    if isinstance(first, str):
        async with ctx.service() as working:
            await set_plan(working, ctx.holder.id, first, source="admin", reason="test")
        model.plan, model.until = first, None
        return
    model.plan, model.after = first
    until = await bill(ctx, model.plan, seconds, model.after)
    model.until = until if seconds else None
