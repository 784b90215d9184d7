"""How fast a holder may be: before the quota, per process, in bounded memory, and nothing is counted for who is not."""

import math
from datetime import timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy import insert

from tenantry import Burst, Google, Meter, Plan, Product
from tenantry.holders import by_id, open_for_user, set_plan
from tenantry.identity.models import Users
from tenantry.kernel import Context, new_id
from tenantry.kernel.database import param, statement
from tenantry.testing import AppKit
from tenantry.usage import BurstExceeded, Leases, QuotaExceeded, consume, decide, limit_headers
from tenantry.usage.bursts import HOLDERS_MAX, SWEEP_FROM, Bursts
from tenantry.usage.queries.counters import windows
from tenantry.usage.reservations import reserve, settle

requests = Meter("requests", per="day")
# Slow paces: the clock's monotonic time goes on by itself.
SMALL, LARGE = Burst(3, seconds=3600), Burst(5, seconds=3600)
_add_user = statement(insert(Users).values(id=param("id"), email=param("email")))
ADA, GRACE = UUID(int=1), UUID(int=2)


def admitted(bursts: Bursts, burst: Burst, at: float, *, calls: int = 1, holder: UUID = ADA) -> int:
    return sum(bursts.admit(holder, burst, at) == 0 for _ in range(calls))


def test_as_many_at_once_as_the_plan_says_then_evenly() -> None:
    bursts, burst = Bursts(), Burst(20, seconds=2)
    assert admitted(bursts, burst, 1000.0, calls=50) == 20
    assert bursts.admit(ADA, burst, 1000.0) == pytest.approx(0.1)
    assert admitted(bursts, burst, 1000.05) == 0
    assert admitted(bursts, burst, 1000.1, calls=3) == 1
    assert admitted(bursts, burst, 1001.1, calls=50) == 10
    assert admitted(bursts, burst, 1003.1, calls=50) == 20


def test_a_refused_call_changes_nothing() -> None:
    bursts, burst = Bursts(), Burst(2, seconds=10)
    assert admitted(bursts, burst, 0.0, calls=2) == 2
    assert [bursts.admit(ADA, burst, 0.0) for _ in range(100)] == [pytest.approx(5.0)] * 100
    assert admitted(bursts, burst, 5.0) == 1


def test_holders_do_not_touch_each_other() -> None:
    bursts = Bursts()
    assert admitted(bursts, SMALL, 7.0, calls=9) == 3
    assert admitted(bursts, SMALL, 7.0, calls=9, holder=GRACE) == 3


def test_whoever_comes_from_a_slow_plan_does_not_wait_for_it() -> None:
    bursts, quick = Bursts(), Burst(10, seconds=1)
    assert admitted(bursts, SMALL, 0.0, calls=9) == 3
    assert bursts.admit(ADA, quick, 0.0) == pytest.approx(0.1)
    assert bursts.admit(ADA, quick, 0.05) == pytest.approx(0.05)
    assert admitted(bursts, quick, 0.1) == 1


@settings(max_examples=200, deadline=None)
@given(
    calls=st.integers(1, 50),
    seconds=st.integers(1, 100),
    gaps=st.lists(st.floats(0, 30, allow_nan=False), max_size=60),
    began=st.floats(0, 1e7),
)
def test_no_more_than_the_pace_in_any_span(calls: int, seconds: int, gaps: list[float], began: float) -> None:
    bursts, burst = Bursts(), Burst(calls, seconds=seconds)
    at, times, waits = began, [], []
    for gap in gaps:
        at += gap
        wait = bursts.admit(ADA, burst, at)
        waits.append(wait)
        if wait == 0:
            times.append(at)
    for first, start in enumerate(times):
        for last in range(first, len(times)):
            assert last - first + 1 <= calls + (times[last] - start) * calls / seconds + 1e-3
    assert all(0 <= wait <= seconds / calls + 1e-3 for wait in waits)


@settings(max_examples=50, deadline=None)
@given(calls=st.integers(1, 50), seconds=st.integers(1, 100))
def test_waiting_as_long_as_one_is_told_is_enough(calls: int, seconds: int) -> None:
    bursts, burst, at = Bursts(), Burst(calls, seconds=seconds), 12_345.6
    for _ in range(3 * calls):
        at += math.ceil(bursts.admit(ADA, burst, at))
        bursts.admit(ADA, burst, at)
    assert admitted(bursts, burst, at + seconds, calls=2 * calls) == calls


def test_the_idle_are_forgotten() -> None:
    bursts, sizes = Bursts(), []
    for number in range(20 * SWEEP_FROM):
        bursts.admit(UUID(int=number), Burst(5, seconds=1), number / 10)
        sizes.append(len(bursts))
    assert max(sizes) <= SWEEP_FROM
    assert any(later < earlier for earlier, later in pairwise(sizes))


def test_memory_is_bounded_however_many_call_at_once() -> None:
    bursts, burst, most = Bursts(holders_max=2000), Burst(5, seconds=1), 0
    busy = UUID(int=10**9)
    assert admitted(bursts, burst, 0.0, calls=9, holder=busy) == 5
    for number in range(20_000):
        bursts.admit(UUID(int=number), burst, 0.0)
        most = max(most, len(bursts))
    assert most <= 2000 < HOLDERS_MAX
    # Whoever called most is remembered longest.
    assert admitted(bursts, burst, 0.0, holder=busy) == 0


@pytest.fixture
async def kit(start: Any) -> AppKit:
    plans = [
        Plan("small", price=0, limits={requests: 5}, burst=SMALL),
        Plan("large", price=900, limits={requests: 100}, burst=LARGE),
        Plan("calm", price=9000, limits={requests: 100}),
        Plan("free_of_limits", price=90_000, limits={requests: None}, burst=SMALL),
    ]
    started: AppKit = await start(Product("Acme", sign_in=[Google()], plans=plans))
    return started


async def holder_of(kit: AppKit, plan: str = "small") -> Context:
    user = new_id()
    async with kit.system.service() as ctx:
        await ctx.db.run(_add_user, id=user, email=f"{user}@example.com")
        holder = await open_for_user(ctx, user)
        if plan != "small":
            await set_plan(ctx, holder, plan, source="admin", reason="test")
    async with kit.system.service(writes=False) as ctx:
        return replace(kit.system, current_holder=await by_id(ctx.db, holder))


async def test_429_too_fast_is_refused_before_the_quota_and_counts_nothing(kit: AppKit) -> None:
    ctx = await holder_of(kit)
    used = [(await consume(ctx, requests)).used for _ in range(3)]
    with pytest.raises(BurstExceeded) as raised:
        await consume(ctx, requests)
    problem = raised.value
    assert (problem.status, problem.code) == (429, "usage.burst_exceeded")
    assert problem.headers["RateLimit-Policy"] == '"burst";q=3;w=3600'
    assert 1100 < int(problem.headers["Retry-After"]) <= 1200
    assert problem.headers["RateLimit"] == f'"burst";r=0;t={problem.headers["Retry-After"]}'
    assert problem.extra["violated-policies"] == ["burst"]
    assert used == [1, 2, 3]
    # Asked without the pace, which only `consume` holds to: the refused call is not there.
    assert (await decide(kit.system, ctx.holder.id, requests)).used == 4


async def test_a_moment_later_one_is_admitted_and_the_quota_stands(kit: AppKit) -> None:
    ctx = await holder_of(kit)
    for _ in range(3):
        await consume(ctx, requests)
    await kit.move(seconds=1201)
    assert (await consume(ctx, requests)).used == 4
    with pytest.raises(BurstExceeded):
        await consume(ctx, requests)
    await kit.move(seconds=1201)
    assert (await consume(ctx, requests)).used == 5
    await kit.move(seconds=1201)
    with pytest.raises(QuotaExceeded) as raised:
        await consume(ctx, requests)
    assert raised.value.extra["violated-policies"] == ["requests"]
    assert raised.value.headers["RateLimit-Policy"] == '"requests";q=5;w=86400, "burst";q=3;w=3600'


async def test_a_call_is_one_whatever_it_costs(kit: AppKit) -> None:
    ctx = await holder_of(kit, "large")
    assert [(await consume(ctx, requests, 20)).remaining for _ in range(5)] == [80, 60, 40, 20, 0]


async def test_429_a_reservation_is_a_call_too_and_what_is_reserved_for_others_is_not(kit: AppKit) -> None:
    ctx, paying = await holder_of(kit), await holder_of(kit)
    terms = {"expires_in": timedelta(minutes=5)}
    await consume(ctx, requests)
    held = [await reserve(ctx, requests, 1, **terms) for _ in range(2)]
    for late in (reserve(ctx, requests, 1, **terms), consume(ctx, requests)):
        with pytest.raises(BurstExceeded):
            await late
    assert (await decide(kit.system, ctx.holder.id, requests)).used == 2
    # It is for whoever pays, and says nothing of how fast they call.
    for _ in range(4):
        assert await reserve(ctx, requests, 1, holder_id=paying.holder.id, **terms)
    assert [(await settle(ctx, one.id, 1)).status for one in held] == ["settled", "settled"]


async def test_one_request_is_one_call_on_however_many_meters(kit: AppKit) -> None:
    ctx = await holder_of(kit)
    asked = [replace(ctx, once=set()) for _ in range(4)]
    for one in asked[:3]:
        await consume(one, requests)
        await reserve(one, requests, 1, expires_in=timedelta(minutes=5), reservation_id=UUID(int=9))
    with pytest.raises(BurstExceeded):
        await consume(asked[3], requests)


async def test_a_plan_without_a_pace_is_not_held_up(kit: AppKit) -> None:
    ctx = await holder_of(kit, "calm")
    assert [(await consume(ctx, requests)).used for _ in range(10)] == list(range(1, 11))
    assert len(kit.runtime.port(Bursts)) == 0


async def test_a_pace_without_a_quota(kit: AppKit) -> None:
    ctx = await holder_of(kit, "free_of_limits")
    decisions = [await consume(ctx, requests) for _ in range(3)]
    assert limit_headers(decisions[0], kit.clock.now(), SMALL) == {"RateLimit-Policy": '"burst";q=3;w=3600'}
    with pytest.raises(BurstExceeded):
        await consume(ctx, requests)
    await kit.runtime.port(Leases).settle(ctx.holder.id)
    async with kit.system.service(writes=False) as reading:
        assert [window.used for window in await windows(reading.db, ctx.holder.id)] == [3]
