"""A plan change moves the open windows' limits in its own transaction; old windows are forgotten in time."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, insert, select, update

from tenantry import Google, Meter, Plan, Product
from tenantry.holders import open_for_user, set_plan
from tenantry.identity.models import Users
from tenantry.kernel import new_id
from tenantry.kernel.database import param, statement
from tenantry.kernel.database.failures import CheckViolation
from tenantry.testing import AppKit
from tenantry.usage import Leases, decide
from tenantry.usage.actions import forget_old_windows
from tenantry.usage.held import LEASE_SECONDS
from tenantry.usage.models import UsageCounters
from tenantry.usage.queries.counters import standing

requests = Meter("requests", per="day")
LIMITS: dict[str, int | None] = {"small": 5, "middle": 20, "large": 100, "unlimited": None}
_add_user = statement(insert(Users).values(id=param("id"), email=param("email")))
_mine = UsageCounters.holder_id == param("holder")
_counter = statement(select(UsageCounters.used, UsageCounters.quota).where(_mine), lambda *row: row)
_lease = statement(update(UsageCounters).where(_mine).values(leased=param("units")))
_all = statement(select(func.count()).select_from(UsageCounters))


def declared(limits: dict[str, int | None]) -> Product:
    plans = [Plan(name, price=number, limits={requests: limit}) for number, (name, limit) in enumerate(limits.items())]
    return Product("Acme", sign_in=[Google()], plans=plans)


@pytest.fixture
async def kit(start: Any) -> AppKit:
    started: AppKit = await start(declared(LIMITS))
    return started


async def new_holder(kit: AppKit, plan: str = "small") -> UUID:
    user = new_id()
    async with kit.system.service() as ctx:
        await ctx.db.run(_add_user, id=user, email=f"{user}@example.com")
        holder = await open_for_user(ctx, user)
    await to_plan(kit, holder, plan)
    return holder


async def to_plan(kit: AppKit, holder: UUID, plan: str) -> None:
    async with kit.system.service() as ctx:
        await set_plan(ctx, holder, plan, source="admin", reason="test")


async def counter(kit: AppKit, holder: UUID) -> Any:
    await kit.runtime.port(Leases).settle(holder)
    async with kit.system.service(writes=False) as ctx:
        return await ctx.db.one_or_none(_counter, holder=holder)


async def stands(kit: AppKit, holder: UUID) -> tuple[int, int | None]:
    await kit.runtime.port(Leases).settle(holder)
    async with kit.system.service(writes=False) as ctx:
        found = await standing(ctx.db, holder, "requests", per="day")
    assert found is not None
    return found.used, found.limit


many = settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@many
@given(steps=st.lists(st.one_of(st.integers(1, 30), st.sampled_from(sorted(LIMITS))), max_size=14))
async def test_the_limit_is_the_plans_and_never_below_what_was_used(kit: AppKit, steps: list[int | str]) -> None:
    holder, plan, used = await new_holder(kit), "small", 0
    for step in steps:
        if isinstance(step, str):
            plan = step
            await to_plan(kit, holder, plan)
        else:
            limit = LIMITS[plan]
            decision = await decide(kit.system, holder, requests, step)
            assert decision.allowed is (limit is None or used + step <= limit)
            used += step if decision.allowed else 0
        limit = LIMITS[plan]
        in_force = None if limit is None else max(limit, used)
        assert await stands(kit, holder) == (used, in_force)
        assert await counter(kit, holder) in ([(used, in_force)] if used else [None, (0, in_force)])


@many
@given(data=st.data())
async def test_a_race_never_admits_more_than_the_largest_limit_in_force(kit: AppKit, data: st.DataObject) -> None:
    holder = await new_holder(kit, "middle")
    changes = data.draw(st.lists(st.sampled_from(["small", "middle", "large"]), min_size=1, max_size=4))

    async def call() -> int:
        return sum([(await decide(kit.system, holder, requests, 3)).allowed for _ in range(6)])

    async def change() -> None:
        for plan in changes:
            await to_plan(kit, holder, plan)

    *admitted, _ = await asyncio.gather(*(call() for _ in range(8)), change())
    largest = max(LIMITS[plan] or 0 for plan in ["middle", *changes])
    used, limit = await stands(kit, holder)
    assert used == 3 * sum(admitted) <= largest
    assert limit == max(LIMITS[changes[-1]] or 0, used)
    # What was refused while the plan changed is remembered for the time of a lease.
    await kit.move(seconds=LEASE_SECONDS)
    while (await decide(kit.system, holder, requests, 1)).allowed:
        used += 1
    assert used == limit


async def test_a_call_that_waits_behind_a_plan_change_gets_the_new_limit(kit: AppKit) -> None:
    """It has read the larger plan already when the smaller one is committed."""
    holder, changing = await new_holder(kit, "large"), asyncio.Event()
    await decide(kit.system, holder, requests, 10)

    async def call() -> Any:
        await changing.wait()
        return await decide(kit.system, holder, requests, 1)

    waiting = asyncio.create_task(call())
    async with kit.system.service() as ctx:
        await set_plan(ctx, holder, "small", source="admin", reason="test")
        changing.set()
        done, _ = await asyncio.wait([waiting], timeout=0.3)
        assert not done
    assert not (await waiting).allowed
    assert await counter(kit, holder) == (10, 10)


async def test_units_set_aside_count_as_used_when_a_limit_moves(kit: AppKit) -> None:
    holder = await new_holder(kit, "large")
    await decide(kit.system, holder, requests, 10)
    async with kit.system.service() as ctx:
        await ctx.db.run(_lease, holder=holder, units=15)
    await to_plan(kit, holder, "small")
    assert await counter(kit, holder) == (10, 25)
    refused = await decide(kit.system, holder, requests)
    assert (refused.allowed, refused.limit, refused.remaining) == (False, 25, 0)
    await to_plan(kit, holder, "middle")
    assert await counter(kit, holder) == (10, 25)
    assert not (await decide(kit.system, holder, requests)).allowed


async def test_past_windows_keep_their_limit(kit: AppKit) -> None:
    holder = await new_holder(kit, "small")
    await decide(kit.system, holder, requests, 5)
    await kit.move(days=1)
    await to_plan(kit, holder, "large")
    assert await counter(kit, holder) == (5, 5)
    assert await stands(kit, holder) == (0, 100)


async def test_a_limit_that_is_declared_anew_holds_at_once(kit: AppKit, start: Any) -> None:
    holder = await new_holder(kit, "large")
    await decide(kit.system, holder, requests, 50)
    for limit, in_force in ((60, 60), (20, 50), (None, None), (5, 50), (80, 80)):
        again: AppKit = await start(declared({**LIMITS, "large": limit}))
        assert await stands(again, holder) == (50, in_force)
        decision = await decide(again.system, holder, requests, 11)
        assert decision.allowed is (limit is None or limit >= 61)
        if decision.allowed:
            async with again.system.service() as ctx:
                await ctx.db.run(statement(update(UsageCounters).values(used=50)))
        else:
            assert (decision.limit, decision.remaining) == (in_force, (in_force or 0) - 50)


@pytest.mark.parametrize("changed", [{"used": 6}, {"leased": 6}, {"used": -1}, {"quota": 4}, {"quota": 0}])
async def test_no_statement_breaks_the_promise_of_the_row(kit: AppKit, changed: dict[str, int]) -> None:
    holder = await new_holder(kit, "small")
    await decide(kit.system, holder, requests, 5)
    with pytest.raises(CheckViolation):
        async with kit.system.service() as ctx:
            await ctx.db.run(statement(update(UsageCounters).values(**changed)))
    assert await counter(kit, holder) == (5, 5)


async def test_old_windows_are_forgotten_however_many_and_young_ones_kept(kit: AppKit) -> None:
    holder = await new_holder(kit)
    kept, now = timedelta(days=kit.runtime.settings.usage_retention_days), kit.clock.now()
    row = {"holder_id": holder, "quota": 5, "used": 1, "holder_revision": 1}
    old = [
        {
            **row,
            "meter": f"m{n}",
            "window_start": now - kept - timedelta(days=2),
            "window_end": now - kept - timedelta(seconds=1),
        }
        for n in range(1100)
    ]
    edge = {**row, "meter": "edge", "window_start": now - kept - timedelta(days=1), "window_end": now - kept}
    async with kit.system.service() as ctx:
        for first in range(0, len(old), 100):
            await ctx.db.run(statement(insert(UsageCounters).values(old[first : first + 100])))
        await ctx.db.run(statement(insert(UsageCounters).values(edge)))
    await decide(kit.system, holder, requests)
    await forget_old_windows(kit.system, {})
    async with kit.system.service(writes=False) as ctx:
        assert await ctx.db.one(_all) == 2
