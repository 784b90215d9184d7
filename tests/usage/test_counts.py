"""Rows are written as far as the plan allows, also when two are written at once on the last place."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select, update

from tenantry import Count, Google, Meter, Plan, Product
from tenantry.holders.models import Plans
from tenantry.kernel import Context, new_id
from tenantry.kernel.database import param, statement
from tenantry.testing import AppKit
from tenantry.usage.errors import LimitReached
from tenantry.usage.models import UsageGauges
from tenantry.usage.stocks import refuse_when_full
from usage.people import person, to_plan

keys, other, requests = Count("keys"), Count("other"), Meter("requests")
PRODUCT = Product(
    "Acme",
    sign_in=[Google()],
    plans=[
        Plan("small", price=0, limits={keys: 2, requests: 5}),
        Plan("large", price=900, limits={keys: 4, requests: 5}),
        Plan("unlimited", price=9000, limits={keys: None, requests: 5}),
        Plan("without", price=0, limits={keys: 1, requests: 5}),
    ],
)
_forget_keys = statement(update(Plans).where(Plans.name == "without").values(limits={"requests": 5}))
# Any table will do whose rows belong to a holder.
_add = statement(insert(UsageGauges).values(holder_id=param("holder_id"), gauge=param("gauge"), value=1))
_rows = statement(select(func.count()).select_from(UsageGauges).where(UsageGauges.holder_id == param("holder")))
_remove_one = statement(
    delete(UsageGauges).where(
        UsageGauges.gauge
        == select(func.max(UsageGauges.gauge)).where(UsageGauges.holder_id == param("holder")).scalar_subquery()
    )
)

Between = Callable[[], Awaitable[None]]


@pytest.fixture
async def kit(start: Any) -> AppKit:
    started: AppKit = await start(PRODUCT)
    # As a deployment wrote it that did not know the keys: a declaration of today names them everywhere.
    async with started.system.service() as ctx:
        await ctx.db.run(_forget_keys)
    return started


@pytest.fixture
async def ctx(kit: AppKit) -> Context:
    """Two keys."""
    return await person(kit, "small")


async def present(ctx: Context) -> int:
    found: int = await ctx.db.one(_rows, holder=ctx.holder.id)
    return found


async def nothing() -> None:
    """Between the refusal and the row."""


async def create(ctx: Context, between: Between = nothing, *, more: int = 1) -> None:
    """Write rows in a unit of their own, as an endpoint does."""
    async with ctx.service() as working:
        await refuse_when_full(working, keys, present, more=more)
        await between()
        for _ in range(more):
            await working.db.run(_add, holder_id=ctx.holder.id, gauge=str(new_id()))


async def stands(ctx: Context) -> int:
    async with ctx.service(writes=False) as reading:
        return await present(reading)


async def test_rows_are_written_as_far_as_the_plan_allows(ctx: Context) -> None:
    await create(ctx)
    await create(ctx)
    with pytest.raises(LimitReached) as refused:
        await create(ctx)
    assert refused.value.status == 409
    assert refused.value.extra == {"count": "keys", "plan": "small", "limit": 2, "value": 2, "asked": 1}
    assert await stands(ctx) == 2
    await to_plan(ctx, "large")
    await create(ctx)
    assert await stands(ctx) == 3


async def test_several_are_written_together_or_not_at_all(ctx: Context) -> None:
    with pytest.raises(LimitReached):
        await create(ctx, more=3)
    await create(ctx, more=2)
    await create(ctx, more=0)
    assert await stands(ctx) == 2


async def test_after_a_smaller_plan_nothing_is_added(kit: AppKit) -> None:
    ctx = await person(kit, "large")
    await create(ctx, more=4)
    await to_plan(ctx, "small")
    with pytest.raises(LimitReached):
        await create(ctx)
    await create(ctx, more=0)


async def test_409_a_plan_that_does_not_name_the_rows_allows_none(kit: AppKit) -> None:
    ctx = await person(kit, "without")
    with pytest.raises(LimitReached) as refused:
        await create(ctx)
    assert refused.value.extra["limit"] == 0


async def test_without_a_limit_nobody_counts(kit: AppKit) -> None:
    ctx = await person(kit, "unlimited")

    async def never(_ctx: Context) -> int:
        pytest.fail("there is nothing to compare it with")

    async with ctx.service() as working:
        await refuse_when_full(working, keys, never)


async def test_of_two_on_the_last_place_exactly_one_succeeds(ctx: Context) -> None:
    """Real units: without the lock both would count one row and write the second."""
    await create(ctx)
    for _ in range(5):
        found = await asyncio.gather(*(create(ctx) for _ in range(2)), return_exceptions=True)
        assert sorted(type(one).__name__ for one in found) == ["LimitReached", "NoneType"]
        assert await stands(ctx) == 2
        async with ctx.service() as working:
            await working.db.run(_remove_one, holder=ctx.holder.id)


async def test_the_second_waits_until_the_first_has_committed(ctx: Context) -> None:
    await create(ctx)
    counted, go = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        counted.set()
        await go.wait()

    first = asyncio.create_task(create(ctx, hold))
    await counted.wait()
    second = asyncio.create_task(create(ctx))
    done, _ = await asyncio.wait([second], timeout=0.3)
    assert not done
    go.set()
    await first
    with pytest.raises(LimitReached):
        await second


async def test_a_plan_that_changes_while_somebody_waits_is_seen(ctx: Context) -> None:
    await create(ctx)
    counted, go = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        counted.set()
        await go.wait()

    first = asyncio.create_task(create(ctx, hold))
    await counted.wait()
    changing = asyncio.create_task(to_plan(ctx, "large"))
    await asyncio.wait([changing], timeout=0.2)
    second = asyncio.create_task(create(ctx))
    await asyncio.wait([second], timeout=0.2)
    go.set()
    await first
    await changing
    await second
    assert await stands(ctx) == 3


async def test_another_holder_need_not_wait(kit: AppKit, ctx: Context) -> None:
    """On PostgreSQL; an SQLite file has one writer."""
    if kit.database.kind == "sqlite":
        pytest.skip("one writer")
    neighbour = await person(kit, "small")
    counted, go = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        counted.set()
        await go.wait()

    first = asyncio.create_task(create(ctx, hold))
    await counted.wait()
    await create(neighbour)
    assert await stands(ctx) == 0
    go.set()
    await first
    assert (await stands(ctx), await stands(neighbour)) == (1, 1)


async def test_rows_are_not_counted_where_nobody_can_be_kept_waiting(ctx: Context) -> None:
    for unit in (ctx.unit(), ctx.service(writes=False), ctx.unit(writes=False)):
        async with unit as working:
            with pytest.raises(RuntimeError, match="service login"):
                await refuse_when_full(working, keys, present)


async def test_an_unknown_count_or_holder_is_an_error(ctx: Context) -> None:
    async with ctx.service() as working:
        with pytest.raises(LookupError, match="other"):
            await refuse_when_full(working, other, present)
        with pytest.raises(LookupError, match="does not exist"):
            await refuse_when_full(working, keys, present, holder_id=new_id())
