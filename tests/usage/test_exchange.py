"""The exchange's statement does what the model of it says, for many counters at once, on both databases."""

from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from tenantry import Google, Meter, Plan, Product
from tenantry.holders import open_for_user, set_plan
from tenantry.holders.models import Plans
from tenantry.kernel import new_id
from tenantry.kernel.database import param, statement
from tenantry.testing import AppKit
from tenantry.usage.queries import exchange as queries
from tenantry.usage.queries.exchange import UNITS_MAX, Asked, Exchanged

requests, exports = Meter("requests", per="day"), Meter("exports", per="month")
LIMITS = {"small": 5, "large": 40, "unlimited": None, "none": 0}
PRODUCT = Product(
    "Acme",
    sign_in=[Google()],
    plans=[
        Plan("small", price=0, limits={requests: 5, exports: 5}),
        Plan("large", price=900, limits={requests: 40, exports: 40}),
        Plan("unlimited", price=9000, limits={requests: None, exports: None}),
        Plan("none", price=0, limits={requests: 1, exports: 1}),
    ],
)


set_limits = statement(update(Plans).where(Plans.name == "none").values(limits=param("limits")))


@pytest.fixture
async def kit(start):
    found = await start(PRODUCT)
    # As a deployment wrote it that did not know the meters.
    async with found.system.service() as ctx:
        await ctx.db.run(set_limits, limits={"other": None})
    return found


@dataclass
class Counter:
    """A model of one row and of one worker's part in it."""

    used: int = 0
    leased: int = 0
    mine: int = 0
    """Of the leased units, those that the worker may settle or give back."""
    counted: int = 0
    started: bool = field(default=False)


async def new_holder(kit: AppKit, add_user) -> UUID:
    user = new_id()
    async with kit.system.service() as ctx:
        await add_user(ctx, user)
        return await open_for_user(ctx, user)


async def ask(kit: AppKit, *asked: Asked) -> dict[tuple[UUID, str], Exchanged]:
    async with kit.system.service(single=True) as ctx:
        return {(one.holder_id, one.meter): one for one in await queries.exchange(ctx.db, asked)}


async def open_windows(kit: AppKit, *asked: Asked) -> None:
    async with kit.system.service(single=True) as ctx:
        await queries.open_windows(ctx.db, asked)


def wanted(holder: UUID, meter: Meter = requests, **numbers) -> Asked:
    values = {"window_start": None, "settle": 0, "give": 0, "need": 0, "take": 0, "directly": False, **numbers}
    return Asked(holder_id=holder, meter=meter.name, per=meter.per, **values)


many = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
step = st.tuples(
    st.sampled_from([0, 1, 2]), st.integers(0, 6), st.integers(0, 4), st.integers(0, 8), st.booleans(), st.booleans()
)


@many
@given(steps=st.lists(st.one_of(step, st.sampled_from(sorted(LIMITS))), max_size=14))
async def test_every_exchange_is_that_of_the_model(kit, add_user, steps):
    holder, plan = await new_holder(kit, add_user), "small"
    model = Counter()
    for one in steps:
        if isinstance(one, str):
            plan = one
            async with kit.system.service() as ctx:
                await set_plan(ctx, holder, plan, source="admin", reason="test")
            continue
        _, need, more, settle, closing, directly = one
        settle = min(settle, model.mine)
        give = model.mine - settle if closing else 0
        asked = wanted(holder, settle=settle, give=give, need=need, take=need + more, directly=directly)
        found = await ask(kit, asked)
        if not found:
            assert not model.started
            await open_windows(kit, asked)
            found = await ask(kit, asked)
            if not found:
                assert plan == "none"
                continue
            model.started = True
        limit = LIMITS[plan]
        free = (UNITS_MAX if limit is None else limit) - model.used - model.leased + give
        granted = 0 if free < need else min(need + more, free)
        counted = granted if directly else 0
        model.used += settle + counted
        model.leased += granted - counted - settle - give
        model.mine = model.leased
        row = found[holder, "requests"]
        assert (row.granted, row.used, row.leased) == (granted, model.used, model.leased)
        assert (row.plan, row.plan_limit) == (plan, limit)
        assert row.quota == (None if limit is None else max(limit, model.used + model.leased, 1))
        assert row.at == kit.clock.now()


async def test_many_counters_in_one_statement(kit, add_user):
    holders = [await new_holder(kit, add_user) for _ in range(5)]
    asked = [wanted(one, meter, need=2, take=2, directly=True) for one in holders for meter in (requests, exports)]
    assert await ask(kit, *asked) == {}
    await open_windows(kit, *asked)
    await open_windows(kit, *asked)
    found = await ask(kit, *reversed(asked))
    assert {key: (one.used, one.granted) for key, one in found.items()} == {
        (holder, meter.name): (2, 2) for holder in holders for meter in (requests, exports)
    }
    assert {one.window_end.day for one in found.values()} == {15, 1}


async def test_a_window_that_is_over_is_settled_and_grants_nothing(kit, add_user):
    holder = await new_holder(kit, add_user)
    await open_windows(kit, wanted(holder))
    first = (await ask(kit, wanted(holder, need=1, take=4)))[holder, "requests"]
    await kit.move(days=1)
    async with kit.system.service() as ctx:
        await set_plan(ctx, holder, "large", source="admin", reason="test")
    asked = wanted(holder, window_start=first.window_start, settle=3, give=1, need=1, take=1)
    over = (await ask(kit, asked))[holder, "requests"]
    assert (over.used, over.leased, over.granted, over.quota) == (3, 0, 0, 5)
    assert over.window_end <= over.at
    assert over.at - first.at == timedelta(days=1)


async def test_a_holder_that_is_gone_has_no_answer(kit):
    asked = wanted(new_id(), need=1, take=1)
    assert await ask(kit, asked) == {}
    await open_windows(kit, asked)
    assert await ask(kit, asked) == {}
