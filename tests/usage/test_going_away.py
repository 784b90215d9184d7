"""Callers who go away while they are asked for: what was counted for them stays counted, or goes back."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import select

from tenantry import Google, Meter, Plan, Product
from tenantry.holders import open_for_user
from tenantry.kernel import Context, new_id
from tenantry.kernel.database import param, statement
from tenantry.usage import Leases, decide
from tenantry.usage.models import UsageCounters

requests, exact = Meter("requests"), Meter("exact", strict=True)
PRODUCT = Product("Acme", sign_in=[Google()], plans=[Plan("small", price=0, limits={requests: 20, exact: 20})])
METERS = pytest.mark.parametrize("meter", [requests, exact], ids=["leased", "strict"])
_row = statement(
    select(UsageCounters.used, UsageCounters.leased).where(
        UsageCounters.holder_id == param("holder"), UsageCounters.meter == param("meter")
    ),
    lambda used, leased: (used, leased),
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


async def row(kit, holder, meter):
    async with kit.system.service(writes=False) as ctx:
        return await ctx.db.one(_row, holder=holder, meter=meter.name)


async def call_and_leave(kit, holder, meter, cost):
    """Call, and go away when the exchange is under way, which is executed after that."""
    leases = kit.runtime.port(Leases)
    leases._system = gated = Gated.of(kit.system)
    waiting = asyncio.create_task(decide(kit.system, holder, meter, cost))
    await gated.reached.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    gated.gate.set()


@METERS
async def test_who_goes_away_while_waiting_is_not_charged(kit, holder, meter):
    await decide(kit.system, holder, meter)
    await call_and_leave(kit, holder, meter, 19)
    allowed = [(await decide(kit.system, holder, meter)).allowed for _ in range(20)]
    assert allowed == [True] * 19 + [False]


@METERS
async def test_who_went_away_is_not_asked_for_again(kit, holder, meter):
    await call_and_leave(kit, holder, meter, 15)
    # The first exchange finds no row; the second is for nobody.
    while kit.runtime.port(Leases)._flights:
        await asyncio.sleep(0.01)
    assert await row(kit, holder, meter) == (0, 0)


@METERS
async def test_what_was_counted_for_who_went_away_goes_back(kit, holder, meter):
    await decide(kit.system, holder, meter)
    await call_and_leave(kit, holder, meter, 3)
    await kit.runtime.port(Leases).settle()
    assert await row(kit, holder, meter) == (1, 0)


async def test_what_was_counted_for_who_went_away_stays_counted_until_a_strict_meter_admits_it(kit, holder):
    await decide(kit.system, holder, exact)
    await call_and_leave(kit, holder, exact, 3)
    dearer = await decide(kit.system, holder, exact, 5)
    assert (dearer.allowed, dearer.used) == (True, 6)
    assert await row(kit, holder, exact) == (6, 0)


class Gated(Context, dict=True):
    """Waits before each unit until the gate is open."""

    @classmethod
    def of(cls, system):
        made = cls(system.runtime, system.actor, system.origin)
        vars(made).update(reached=asyncio.Event(), gate=asyncio.Event())
        return made

    @asynccontextmanager
    async def service(self, **how):
        self.reached.set()
        await self.gate.wait()
        async with super().service(**how) as working:
            yield working
