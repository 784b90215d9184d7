"""What reserved work used beyond what was left: shown as used, and missing from what is free, until the window ends."""

import pytest
from sqlalchemy import update

from tenantry import Google, Meter, Plan, Product
from tenantry.holders import by_id, open_for_user, set_plan
from tenantry.kernel import new_id
from tenantry.kernel.database import param, statement
from tenantry.usage import Leases, decide
from tenantry.usage.held import LEASE_SECONDS
from tenantry.usage.models import UsageCounters
from tenantry.usage.queries.counters import record, standing, standings, windows

tokens = Meter("tokens", per="month")
PRODUCT = Product(
    "Acme",
    sign_in=[Google()],
    plans=[Plan("small", price=0, limits={tokens: 20}), Plan("large", price=900, limits={tokens: 1000})],
)
_overrun = statement(
    update(UsageCounters).where(UsageCounters.holder_id == param("holder")).values(overrun=param("units"))
)


@pytest.fixture
async def kit(start):
    return await start(PRODUCT)


@pytest.fixture
async def holder(kit, add_user):
    user = new_id()
    async with kit.system.service() as ctx:
        await add_user(ctx, user)
        return await open_for_user(ctx, user)


async def test_what_is_beyond_the_limit_is_shown_as_used_and_not_free(kit, holder):
    await decide(kit.system, holder, tokens, 8)
    async with kit.system.service() as ctx:
        await ctx.db.run(_overrun, holder=holder, units=7)
    await kit.move(seconds=LEASE_SECONDS)
    refused = await decide(kit.system, holder, tokens, 6)
    assert (refused.allowed, refused.used, refused.remaining, refused.limit) == (False, 15, 5, 20)
    admitted = await decide(kit.system, holder, tokens, 5)
    assert (admitted.allowed, admitted.used, admitted.remaining) == (True, 20, 0)
    async with kit.system.service() as ctx:
        await ctx.db.run(_overrun, holder=holder, units=30)
    await kit.move(seconds=LEASE_SECONDS)
    refused = await decide(kit.system, holder, tokens)
    assert (refused.used, refused.remaining, refused.limit, refused.waiting_helps) == (43, 0, 20, True)
    async with kit.system.service(writes=False) as ctx:
        found = await standing(ctx.db, holder, "tokens", per="month")
        assert (found.used, found.limit, found.remaining, found.overrun) == (43, 20, 0, 30)
        assert (await standings(ctx.db, holder, PRODUCT.meters))[tokens] == found
    async with kit.system.service() as ctx:
        await set_plan(ctx, holder, "large", source="admin", reason="test")
    decision = await decide(kit.system, holder, tokens, 957)
    assert (decision.allowed, decision.used, decision.remaining) == (True, 1000, 0)


async def test_an_export_has_it_apart_and_an_import_takes_it(kit, holder, add_user):
    await decide(kit.system, holder, tokens, 20)
    await kit.runtime.port(Leases).settle()
    async with kit.system.service() as ctx:
        await ctx.db.run(_overrun, holder=holder, units=7)
        [window] = await windows(ctx.db, holder)
        assert (window.used, window.overrun, window.quota) == (20, 7, 20)
    user = new_id()
    async with kit.system.service() as ctx:
        await add_user(ctx, user)
        other = await by_id(ctx.db, await open_for_user(ctx, user))
        assert await record(ctx.db, other, window)
        assert await windows(ctx.db, other.id) == [window]
