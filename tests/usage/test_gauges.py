"""What is stored is counted in the transaction that stores it, and never beyond what the plan keeps."""

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from tenantry import Gauge, Google, Meter, Plan, Product
from tenantry.holders.models import Plans
from tenantry.kernel import Context, new_id
from tenantry.kernel.database import statement
from tenantry.kernel.database.failures import CheckViolation
from tenantry.kernel.policies import PolicyRefused
from tenantry.testing import AppKit
from tenantry.usage.errors import LimitReached
from tenantry.usage.models import UsageGauges
from tenantry.usage.queries import stocks as queries
from tenantry.usage.stocks import change_gauge
from usage.people import person, to_plan

storage, other, requests = Gauge("storage"), Gauge("other"), Meter("requests")
LIMITS: dict[str, int | None] = {"small": 100, "large": 1000, "unlimited": None, "without": 1}
PRODUCT = Product(
    "Acme",
    sign_in=[Google()],
    plans=[
        Plan(name, price=number, limits={storage: limit, requests: 5})
        for number, (name, limit) in enumerate(LIMITS.items())
    ],
)
_forget_storage = statement(update(Plans).where(Plans.name == "without").values(limits={"requests": 5}))


@pytest.fixture
async def kit(start: Any) -> AppKit:
    started: AppKit = await start(PRODUCT)
    # As a deployment wrote it that did not know the storage: a declaration of today names it everywhere.
    async with started.system.service() as ctx:
        await ctx.db.run(_forget_storage)
    return started


@pytest.fixture
async def ctx(kit: AppKit) -> Context:
    """A hundred bytes."""
    return await person(kit, "small")


async def change(ctx: Context, by: int) -> int:
    """In a unit of its own."""
    async with ctx.service() as working:
        return await change_gauge(working, storage, by)


async def stands(ctx: Context) -> int:
    async with ctx.service(writes=False) as reading:
        found = await queries.level(reading.db, ctx.holder.id, storage.name)
    assert found is not None
    return found.value


async def test_a_level_rises_and_falls(ctx: Context) -> None:
    assert [await change(ctx, by) for by in (60, 40, -30, 0, -70, 0)] == [60, 100, 70, 70, 0, 0]
    assert await stands(ctx) == 0


async def test_nothing_yet_is_nothing(ctx: Context) -> None:
    assert await stands(ctx) == 0
    assert await change(ctx, 0) == 0


@pytest.mark.parametrize("first", [0, 60])
async def test_409_more_than_the_plan_keeps_changes_nothing(ctx: Context, first: int) -> None:
    await change(ctx, first)
    with pytest.raises(LimitReached) as refused:
        await change(ctx, 101 - first)
    assert refused.value.status == 409
    figures = {"gauge": "storage", "plan": "small", "limit": 100, "value": first, "asked": 101 - first}
    assert refused.value.extra == figures
    assert await stands(ctx) == first
    assert await change(ctx, 100 - first) == 100


async def test_what_was_refused_leaves_a_unit_that_can_go_on(ctx: Context) -> None:
    async with ctx.service() as working:
        with pytest.raises(LimitReached):
            await change_gauge(working, storage, 101)
        assert await change_gauge(working, storage, 99) == 99
    assert await stands(ctx) == 99


async def test_it_is_committed_with_what_is_stored_or_not_at_all(ctx: Context) -> None:
    async def fail() -> None:
        async with ctx.service() as working:
            await change_gauge(working, storage, 60)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await stands(ctx) == 0


async def test_taking_away_more_than_there_is_is_an_error_and_changes_nothing(ctx: Context) -> None:
    for first in (0, 5):
        await change(ctx, first)
        with pytest.raises(ValueError, match="cannot be taken away"):
            await change(ctx, -9)
        assert await stands(ctx) == first


async def test_after_a_smaller_plan_nothing_is_added_and_everything_can_go(kit: AppKit) -> None:
    ctx = await person(kit, "large")
    await change(ctx, 900)
    await to_plan(ctx, "small")
    with pytest.raises(LimitReached) as refused:
        await change(ctx, 1)
    assert (refused.value.extra["limit"], refused.value.extra["value"]) == (100, 900)
    assert [await change(ctx, by) for by in (0, -790, -20)] == [900, 110, 90]
    assert await change(ctx, 10) == 100


@pytest.mark.parametrize("kept", [0, 50])
async def test_409_a_plan_that_does_not_name_the_gauge_keeps_nothing(ctx: Context, kept: int) -> None:
    await change(ctx, kept)
    await to_plan(ctx, "without")
    with pytest.raises(LimitReached) as refused:
        await change(ctx, 1)
    assert refused.value.extra["limit"] == 0
    assert await change(ctx, -kept) == 0


async def test_without_a_limit_everything_is_kept(kit: AppKit) -> None:
    ctx = await person(kit, "unlimited")
    assert await change(ctx, 10**15) == 10**15
    assert await change(ctx, 10**15) == 2 * 10**15


@pytest.mark.parametrize("by", [10**15 + 1, -(10**15) - 1])
async def test_more_at_a_time_than_there_can_be_is_refused(ctx: Context, by: int) -> None:
    with pytest.raises(ValueError, match="at most"):
        await change(ctx, by)


async def test_an_unknown_gauge_or_holder_is_an_error(ctx: Context) -> None:
    async with ctx.service() as working:
        with pytest.raises(LookupError, match="other"):
            await change_gauge(working, other, 1)
        with pytest.raises(LookupError, match="does not exist"):
            await change_gauge(working, storage, 1, holder_id=new_id())


async def test_a_job_changes_the_gauge_of_a_holder(kit: AppKit, ctx: Context) -> None:
    async with kit.system.service() as working:
        assert await change_gauge(working, storage, 7, holder_id=ctx.holder.id) == 7


@pytest.mark.parametrize("by", [1, -1])
async def test_nobody_changes_a_gauge_in_a_unit_of_their_own(ctx: Context, by: int) -> None:
    await change(ctx, 5)
    with pytest.raises(PolicyRefused):
        async with ctx.unit() as working:
            await change_gauge(working, storage, by)
    assert await stands(ctx) == 5


async def test_people_see_only_their_own_and_take_it_along(kit: AppKit, ctx: Context) -> None:
    neighbour = await person(kit, "small")
    await change(ctx, 5)
    module = next(one for one in kit.runtime.modules if one.name == "usage")
    export = next(one for one in module.exports if one.name == "gauges")
    for who, seen in ((ctx, [5]), (neighbour, [])):
        async with who.unit(writes=False) as reading:
            assert await reading.db.rows(statement(select(UsageGauges.value))) == seen
            assert [one.value for one in await export.collect(reading)] == seen


async def test_no_statement_brings_a_level_below_nothing(ctx: Context) -> None:
    await change(ctx, 5)
    with pytest.raises(CheckViolation):
        async with ctx.service() as working:
            await working.db.run(statement(update(UsageGauges).values(value=-1)))


async def test_of_many_at_once_no_more_is_kept_than_fits(ctx: Context) -> None:
    for _ in range(3):
        found = await asyncio.gather(*(change(ctx, 30) for _ in range(8)), return_exceptions=True)
        assert sorted(one for one in found if isinstance(one, int)) == [30, 60, 90]
        assert sum(isinstance(one, LimitReached) for one in found) == 5
        assert await change(ctx, -90) == 0


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(steps=st.lists(st.one_of(st.integers(-150, 300), st.sampled_from(sorted(LIMITS))), max_size=12))
async def test_every_change_is_that_of_the_model(kit: AppKit, steps: list[int | str]) -> None:
    ctx, value, limit = await person(kit, "small"), 0, LIMITS["small"]
    for step in steps:
        if isinstance(step, str):
            await to_plan(ctx, step)
            limit = 0 if step == "without" else LIMITS[step]
            continue
        expected: type[Exception] | None = None
        if step > 0 and limit is not None and value + step > limit:
            expected = LimitReached
        elif value + step < 0:
            expected = ValueError
        if expected:
            with pytest.raises(expected):
                await change(ctx, step)
        else:
            value += step
            assert await change(ctx, step) == value
        assert await stands(ctx) == value
