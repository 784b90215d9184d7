"""What a process holds of a quota: exact with several of them, given back in time, and lost rather than spent twice."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import select

from tenantry import Google, Meter, Plan, Product
from tenantry.holders import open_for_user, set_plan
from tenantry.kernel import Context, new_id
from tenantry.kernel.database import param, statement
from tenantry.kernel.problems import DatabaseConflict, DatabaseUnavailable
from tenantry.usage import Leases, decide
from tenantry.usage.held import LEASE_SECONDS, LEASE_SHARE, lease_size
from tenantry.usage.models import UsageCounters

requests, exact = Meter("requests"), Meter("exact", strict=True)
PRODUCT = Product(
    "Acme",
    sign_in=[Google()],
    plans=[
        Plan("large", price=0, limits={requests: 1000, exact: 1000}),
        Plan("huge", price=900, limits={requests: 10**6, exact: 10**6}),
        Plan("small", price=0, limits={requests: 20, exact: 20}),
    ],
)
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


async def row(kit, holder, meter=requests):
    async with kit.system.service(writes=False) as ctx:
        return await ctx.db.one(_row, holder=holder, meter=meter.name)


async def calls(kit, holder, number, meter=requests):
    return sum([(await decide(kit.system, holder, meter)).allowed for _ in range(number)])


async def test_a_busy_holder_is_admitted_from_memory(kit, holder):
    await set_plan_to(kit, holder, "huge")
    system = Counting.of(kit.system)
    kit.runtime.port(Leases)._system = system
    assert await calls(kit, holder, 400) == 400
    assert system.units < 60
    used, leased = await row(kit, holder)
    assert used + leased >= 400
    await kit.runtime.port(Leases).settle(holder)
    assert await row(kit, holder) == (400, 0)


async def test_what_is_not_spent_goes_back_in_time(kit, holder):
    await set_plan_to(kit, holder, "huge")
    assert await calls(kit, holder, 100) == 100
    assert await row(kit, holder) != (100, 0)
    async with asyncio.timeout(LEASE_SECONDS + 5):
        while await row(kit, holder) != (100, 0):
            await asyncio.sleep(0.05)


async def test_settling_asks_once_however_long_that_takes(kit, holder):
    await set_plan_to(kit, holder, "small")
    assert await calls(kit, holder, 5) == 5
    leases = kit.runtime.port(Leases)
    leases._system = system = Counting.of(kit.system, seconds=0.05)
    await leases.settle()
    assert not leases._flights
    assert system.units == 1
    assert await row(kit, holder) == (5, 0)


async def test_two_processes_admit_exactly_the_limit(kit, holder, start):
    other = await start(PRODUCT)

    async def caller(one):
        admitted = 0
        for _ in range(40):
            decision = await decide(one.system, holder, requests)
            while decision.soon and not decision.allowed:
                await asyncio.sleep(0.05)
                decision = await decide(one.system, holder, requests)
            admitted += decision.allowed
        return admitted

    assert sum(await asyncio.gather(*(caller(one) for one in (kit, other) for _ in range(16)))) == 1000
    for one in (kit, other):
        await one.runtime.port(Leases).settle()
    assert await row(kit, holder) == (1000, 0)


async def test_a_plan_change_elsewhere_is_in_force_within_the_time_of_a_lease(kit, holder, start):
    other = await start(PRODUCT)
    await set_plan_to(kit, holder, "huge")
    assert await calls(kit, holder, 100) == 100
    await set_plan_to(other, holder, "small")
    await kit.move(seconds=LEASE_SECONDS)
    assert not (await decide(kit.system, holder, requests)).allowed


async def test_a_strict_meter_is_counted_before_each_call(kit, holder):
    for number in range(1, 60):
        assert (await decide(kit.system, holder, exact)).allowed
        assert await row(kit, holder, exact) == (number, 0)


async def test_a_refusal_in_memory_costs_no_statement(kit, holder):
    await set_plan_to(kit, holder, "small")
    assert await calls(kit, holder, 30) == 20
    system = Counting.of(kit.system)
    kit.runtime.port(Leases)._system = system
    assert await calls(kit, holder, 500) == 0
    assert system.units <= 3


async def test_a_call_that_does_not_fit_takes_nothing_from_others(kit, holder):
    await set_plan_to(kit, holder, "small")
    many, few = await asyncio.gather(decide(kit.system, holder, requests, 18), decide(kit.system, holder, requests, 5))
    assert [many.allowed, few.allowed] == [True, False]
    await kit.runtime.port(Leases).settle()
    assert await row(kit, holder) == (18, 0)
    assert (await decide(kit.system, holder, requests, 2)).allowed


@pytest.mark.parametrize("executed", [True, False])
async def test_an_exchange_whose_answer_is_lost_admits_nothing_twice(kit, holder, executed):
    await set_plan_to(kit, holder, "small")
    assert await calls(kit, holder, 5) == 5
    leases = kit.runtime.port(Leases)
    await leases.settle()
    leases._system = Losing.of(kit.system, executed=executed, error=DatabaseUnavailable)
    with pytest.raises(DatabaseUnavailable):
        await decide(kit.system, holder, requests, 5)
    leases._system = kit.system
    admitted = await calls(kit, holder, 30)
    assert admitted == (10 if executed else 15)
    await leases.settle()
    assert await row(kit, holder) == (20, 0)


async def test_a_statement_that_the_database_refused_is_asked_again(kit, holder):
    leases = kit.runtime.port(Leases)
    leases._system = Losing.of(kit.system, executed=False, error=DatabaseConflict, times=2)
    assert (await decide(kit.system, holder, requests)).allowed
    leases._system = Losing.of(kit.system, executed=False, error=DatabaseConflict, times=3)
    with pytest.raises(DatabaseConflict):
        await decide(kit.system, holder, requests, 500)
    assert (await decide(kit.system, holder, requests, 999)).allowed
    await leases.settle()
    assert await row(kit, holder) == (1000, 0)


@pytest.mark.parametrize(("times", "is_told"), [(2, False), (3, True)])
async def test_a_first_row_that_the_database_refused_to_make_is_asked_for_again(kit, holder, times, is_told):
    leases = kit.runtime.port(Leases)
    # The first unit asks, and finds no row; those that follow make it.
    leases._system = Losing.of(kit.system, executed=False, error=DatabaseConflict, times=times, passes=1)
    found = await asyncio.gather(*(decide(kit.system, holder, requests) for _ in range(3)), return_exceptions=True)
    assert [isinstance(one, DatabaseConflict) for one in found] == [is_told] * 3
    await leases.settle()
    assert await calls(kit, holder, 1) == 1
    await leases.settle()
    assert await row(kit, holder) == (1 if is_told else 4, 0)


async def test_who_comes_while_others_are_asked_for_is_asked_for_too(kit, holder):
    await set_plan_to(kit, holder, "small")
    kit.runtime.port(Leases)._system = Counting.of(kit.system, seconds=0.05)
    callers = []
    for _ in range(30):
        callers.append(asyncio.create_task(decide(kit.system, holder, requests)))
        await asyncio.sleep(0.01)
    assert [one.allowed for one in await asyncio.gather(*callers)] == [True] * 20 + [False] * 10


async def test_a_clean_stop_gives_everything_back(kit, holder):
    await set_plan_to(kit, holder, "huge")
    assert await calls(kit, holder, 200) == 200
    assert await row(kit, holder) != (200, 0)
    await kit.runtime.port(Leases).aclose()
    assert await row(kit, holder) == (200, 0)


def test_leases_shrink_towards_the_limit():
    assert [lease_size(4000, free) for free in (10**6, 8000, 1200, 200, 199, 0)] == [1000, 80, 12, 2, 0, 0]
    assert [lease_size(rate, 10**9) for rate in (0, 4, 8, 100, 10**9)] == [0, 0, 2, 25, 100_000]
    assert all(lease_size(10**9, free) <= free / LEASE_SHARE for free in range(100))


async def set_plan_to(kit, holder, plan):
    async with kit.system.service() as ctx:
        await set_plan(ctx, holder, plan, source="admin", reason="test")


class Counting(Context, dict=True):
    """Counts the units that are opened on the service login, and takes its time before each."""

    @classmethod
    def of(cls, system, *, seconds=0):
        made = cls(system.runtime, system.actor, system.origin)
        vars(made).update(units=0, seconds=seconds)
        return made

    @asynccontextmanager
    async def service(self, **how):
        vars(self)["units"] += 1
        await asyncio.sleep(self.seconds)
        async with super().service(**how) as working:
            yield working


class Losing(Context, dict=True):
    """Fails some times, once some have passed: before the statement was executed, or after."""

    @classmethod
    def of(cls, system, *, executed, error, times=1, passes=0):
        made = cls(system.runtime, system.actor, system.origin)
        vars(made).update(executed=executed, error=error, times=times, passes=passes)
        return made

    @asynccontextmanager
    async def service(self, **how):
        fails = self.passes <= 0 and self.times > 0
        name = "times" if self.passes <= 0 else "passes"
        vars(self)[name] -= 1
        if fails and not self.executed:
            raise self.error(internal="lost on the way there")
        async with super().service(**how) as working:
            yield working
        if fails:
            raise self.error(internal="lost on the way back")
