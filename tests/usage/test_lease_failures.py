"""When the database is away, a holder goes, or somebody asks at the wrong moment: what is held stays right."""

import asyncio
from contextlib import asynccontextmanager, suppress

import pytest
from msgspec.structs import replace
from sqlalchemy import delete, select

from tenantry import Google, Meter, Plan, Product
from tenantry.holders import by_id, open_for_user
from tenantry.holders.models import Holders
from tenantry.kernel import new_id
from tenantry.kernel.database import param, statement
from tenantry.kernel.database.connections import _is_open
from tenantry.kernel.database.failures import UnitStillOpen
from tenantry.kernel.problems import DatabaseUnavailable
from tenantry.testing import AppKit, postgres_database, start_postgres
from tenantry.usage import Leases, consume, decide
from tenantry.usage.held import LEASE_SECONDS
from tenantry.usage.models import UsageCounters

requests, exact = Meter("requests"), Meter("exact", strict=True)
PRODUCT = Product("Acme", sign_in=[Google()], plans=[Plan("huge", price=0, limits={requests: 10**6, exact: 10**6})])
_row = statement(
    select(UsageCounters.used, UsageCounters.leased).where(UsageCounters.holder_id == param("holder")),
    lambda used, leased: (used, leased),
)
_remove = statement(delete(Holders).where(Holders.id == param("holder")))
_one = statement(select(Holders.revision).where(Holders.id == param("holder")))


@pytest.fixture
async def kit(start):
    return await start(PRODUCT, pool_size=2, pool_timeout_seconds=0.3)


@pytest.fixture
async def new_holder(kit, add_user):
    return lambda: open_one(kit, add_user)


async def open_one(kit, add_user):
    user = new_id()
    async with kit.system.service() as ctx:
        await add_user(ctx, user)
        return await open_for_user(ctx, user)


async def row(kit, holder):
    async with kit.system.service(writes=False) as ctx:
        return await ctx.db.one(_row, holder=holder)


async def calls(kit, holder, number):
    return sum([(await decide(kit.system, holder, requests)).allowed for _ in range(number)])


async def with_units_in_hand(kit, holder):
    """Call until units are held, some of them spent, and no exchange is under way; answers how many were admitted."""
    admitted = 0
    while not (held := kit.runtime.port(Leases)._held.get((holder.int, "requests"))) or held.asking or not held.spent:
        admitted += await calls(kit, holder, 25)
        await asyncio.sleep(0.005)
    return admitted


@pytest.mark.parametrize("meter", [requests, exact], ids=["leased", "strict"])
async def test_a_call_inside_an_open_unit_is_refused_before_it_waits_for_itself(kit, new_holder, meter):
    holder = await new_holder()
    await decide(kit.system, holder, meter)
    async with asyncio.timeout(2):
        async with kit.system.service() as ctx:
            revision = await ctx.db.one(_one, holder=holder)
            for ask in (decide(ctx, holder, meter), decide(kit.system, holder, meter)):
                with pytest.raises(UnitStillOpen, match="a call was counted while a unit of work is open"):
                    await ask
            with pytest.raises(RuntimeError, match="usage was settled while a unit of work is open"):
                await kit.runtime.port(Leases).settle(holder)
            # The unit itself is as it was.
            assert await ctx.db.one(_one, holder=holder) == revision
        assert (await decide(kit.system, holder, meter)).used == 2


async def test_a_call_before_the_first_statement_of_a_unit_is_counted(kit, new_holder):
    """`Write` opens its unit before the endpoint runs, and takes a connection at its first statement."""
    holder = await new_holder()
    async with kit.system.service() as ctx, asyncio.timeout(2):
        assert (await decide(ctx, holder, exact)).allowed
        await ctx.db.one(_one, holder=holder)


async def test_consume_is_refused_in_an_open_unit_too(kit, new_holder):
    holder = await new_holder()
    async with kit.system.service(writes=False) as ctx:
        asking = replace(kit.system, current_holder=await by_id(ctx.db, holder))
    async with asking.service() as ctx:
        await ctx.db.one(_one, holder=holder)
        with pytest.raises(UnitStillOpen):
            await consume(ctx, exact)
    assert (await consume(asking, exact)).used == 1


async def test_who_is_deleted_while_rows_are_made_takes_nobody_along(kit, new_holder):
    holders = [await new_holder() for _ in range(4)]
    deleted, ready = holders[1], asyncio.Event()

    async def call(holder):
        await ready.wait()
        return await decide(kit.system, holder, requests)

    waiting = [asyncio.create_task(call(one)) for one in holders]
    async with kit.system.service() as ctx:
        await ctx.db.run(_remove, holder=deleted)
        ready.set()
        await asyncio.wait(waiting, timeout=0.15)
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(found.pop(1), LookupError)
    assert [one.allowed for one in found] == [True] * 3
    with pytest.raises(LookupError):
        await decide(kit.system, deleted, requests)


async def test_who_is_deleted_while_they_are_held_takes_nobody_along(kit, new_holder):
    holders = [await new_holder() for _ in range(3)]
    for one in holders:
        await with_units_in_hand(kit, one)
    async with kit.system.service() as ctx:
        await ctx.db.run(_remove, holder=holders[1])
    await kit.move(seconds=LEASE_SECONDS)
    found = await asyncio.gather(*(decide(kit.system, one, requests) for one in holders), return_exceptions=True)
    assert isinstance(found.pop(1), LookupError)
    assert [one.allowed for one in found] == [True] * 2
    await kit.runtime.port(Leases).settle()


async def test_503_a_database_that_is_closed_did_nothing_so_nothing_is_lost(kit, new_holder):
    holder = await new_holder()
    admitted = await with_units_in_hand(kit, holder)
    held = kit.runtime.port(Leases)._held[holder.int, "requests"]
    await kit.runtime.service.close()
    # What is in hand is spent, for the time of a lease.
    with suppress(DatabaseUnavailable):
        for _ in range(min(5, held.left)):
            admitted += await calls(kit, holder, 1)
    await kit.move(seconds=LEASE_SECONDS)
    for _ in range(2):
        with pytest.raises(DatabaseUnavailable):
            await decide(kit.system, holder, requests)
    async with asyncio.timeout(2):
        await kit.runtime.port(Leases).settle()
    await kit.runtime.service.open()
    await kit.runtime.port(Leases).settle()
    assert await row(kit, holder) == (admitted, 0)
    assert await calls(kit, holder, 1) == 1


async def test_what_was_spent_while_the_database_was_away_is_counted_without_being_asked(kit, new_holder):
    holder = await new_holder()
    admitted = await with_units_in_hand(kit, holder)
    await kit.runtime.service.close()
    await kit.move(seconds=LEASE_SECONDS)
    with pytest.raises(DatabaseUnavailable):
        await decide(kit.system, holder, requests)
    await kit.runtime.service.open()
    async with asyncio.timeout(5):
        while await row(kit, holder) != (admitted, 0):
            await asyncio.sleep(0.05)


@pytest.mark.postgres
@pytest.mark.parametrize("database_kind", ["postgresql"])
async def test_503_no_connection_comes_free(kit, new_holder):
    holder = await new_holder()
    admitted = await with_units_in_hand(kit, holder)
    async with taken(kit, number=2):
        await kit.move(seconds=LEASE_SECONDS)
        found = await asyncio.gather(*(decide(kit.system, holder, requests) for _ in range(3)), return_exceptions=True)
        assert {type(one) for one in found} == {DatabaseUnavailable}
    admitted += await calls(kit, holder, 2)
    await kit.runtime.port(Leases).settle()
    assert await row(kit, holder) == (admitted, 0)


@pytest.mark.postgres
async def test_503_a_server_that_is_down_and_comes_back(add_user):
    with await asyncio.to_thread(start_postgres, durable=True) as server:
        database = await asyncio.to_thread(postgres_database, server, "away")
        # Its clock runs, for nobody could freeze it while it is down.
        async with AppKit.start(PRODUCT, database, pool_timeout_seconds=2) as kit:
            holder = await open_one(kit, add_user)
            admitted = await with_units_in_hand(kit, holder)
            await asyncio.to_thread(server.kill)
            await all_cut(kit)
            kit.clock.move(seconds=LEASE_SECONDS)
            with pytest.raises(DatabaseUnavailable):
                await decide(kit.system, holder, requests)
            await asyncio.to_thread(server.restart)
            admitted += await calls(kit, holder, 1)
            await kit.runtime.port(Leases).settle()
            assert await row(kit, holder) == (admitted, 0)


@asynccontextmanager
async def taken(kit, *, number):
    """Hold so many connections of the service login, each in a task of its own."""
    enough, tasks = asyncio.Event(), []

    async def hold(holding):
        async with kit.system.service() as ctx:
            await ctx.db.rows(statement(select(Holders.id)))
            holding.set()
            await enough.wait()

    for _ in range(number):
        holding = asyncio.Event()
        tasks.append(asyncio.create_task(hold(holding)))
        await holding.wait()
    try:
        yield
    finally:
        enough.set()
        await asyncio.gather(*tasks)


async def all_cut(kit):
    """Wait until the driver knows of every connection that it is gone."""
    for _ in range(200):
        if not any(_is_open(one) for one, _ in kit.runtime.service._connections._kept):
            return
        await asyncio.sleep(0.05)
