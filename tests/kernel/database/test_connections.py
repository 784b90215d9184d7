"""What the memory in front of the driver's pool lends, and what it gives back. PostgreSQL only: SQLite has no pool."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from tenantry.kernel.database.connections import Connections
from tenantry.testing import PostgresServer

pytestmark = pytest.mark.postgres


@pytest.fixture
async def connections(postgres_server: PostgresServer) -> AsyncIterator[Connections]:
    pool = await asyncpg.create_pool(postgres_server.url, min_size=1, max_size=2)
    lending = Connections(pool, timeout_seconds=0.2)
    yield lending
    await lending.close(timeout_seconds=5)


async def test_what_ended_in_order_is_lent_again(connections):
    first = await connections.take()
    await connections.give_back(first, in_order=True)
    assert await connections.take() is first
    await connections.give_back(first, in_order=True)


async def test_who_waits_is_served_before_anything_is_kept(connections):
    taken = [await connections.take(), await connections.take()]
    waiting = asyncio.create_task(connections.take())
    await asyncio.sleep(0.01)
    for one in taken:
        await connections.give_back(one, in_order=True)
    async with asyncio.timeout(0.1):
        await connections.give_back(await waiting, in_order=True)


async def test_who_waits_is_served_in_order(connections):
    taken = [await connections.take(), await connections.take()]
    served = []

    async def ask(who):
        connection = await connections.take()
        served.append(who)
        await connections.give_back(connection, in_order=True)

    waiting = [asyncio.create_task(ask(who)) for who in range(4)]
    await asyncio.sleep(0.01)
    await connections.give_back(taken[0], in_order=True)
    await asyncio.gather(*waiting)
    assert served == [0, 1, 2, 3]
    await connections.give_back(taken[1], in_order=True)


async def test_what_was_handed_to_one_who_gave_up_goes_to_the_next(connections):
    taken = [await connections.take(), await connections.take()]
    gave_up, patient = (asyncio.create_task(connections.take()) for _ in range(2))
    await asyncio.sleep(0.01)
    connections.keep(taken[0])  # Its turn, which it has not seen yet when it is cancelled.
    gave_up.cancel()
    assert await patient is taken[0]
    assert gave_up.cancelled()
    for one in taken:
        await connections.give_back(one, in_order=True)


async def test_the_place_of_a_lost_connection_is_for_who_waits(connections):
    taken = [await connections.take(), await connections.take()]
    waiting = asyncio.create_task(connections.take())
    await asyncio.sleep(0.01)
    taken[0].terminate()
    await connections.give_back(taken[0], in_order=False)
    async with asyncio.timeout(5):
        fresh = await waiting
    assert await fresh.fetchval("SELECT 1") == 1
    for one in (fresh, taken[1]):
        await connections.give_back(one, in_order=True)


async def test_one_that_was_lost_on_its_way_is_not_handed_out(connections):
    taken = [await connections.take(), await connections.take()]
    waiting = asyncio.create_task(connections.take())
    await asyncio.sleep(0.01)
    connections.keep(taken[0])
    taken[0].terminate()
    fresh = await waiting
    assert await fresh.fetchval("SELECT 1") == 1
    for one in (fresh, taken[1]):
        await connections.give_back(one, in_order=True)


async def test_many_askers_share_few_connections(connections):
    async def ask(number):
        connection = await connections.take()
        try:
            return await connection.fetchval("SELECT $1::int", number)
        finally:
            await connections.give_back(connection, in_order=number % 7 != 0)

    assert await asyncio.gather(*(ask(number) for number in range(100))) == list(range(100))
    both = [await connections.take(), await connections.take()]
    for one in both:
        await connections.give_back(one, in_order=True)


async def test_nobody_waits_longer_than_the_limit(connections):
    taken = [await connections.take(), await connections.take()]
    with pytest.raises(TimeoutError):
        await connections.take()
    for one in taken:
        await connections.give_back(one, in_order=True)
    await connections.give_back(await connections.take(), in_order=True)


async def test_a_lost_connection_is_not_lent_and_its_place_is_free(connections):
    kept, other = await connections.take(), await connections.take()
    lost = kept.get_server_pid()
    await connections.give_back(kept, in_order=True)
    await other.execute("SELECT pg_terminate_backend($1)", lost)
    await asyncio.sleep(0.1)
    fresh = await connections.take()
    assert await fresh.fetchval("SELECT pg_backend_pid()") != lost
    for one in (fresh, other):
        await connections.give_back(one, in_order=True)


async def test_what_was_interrupted_goes_through_the_pool(connections):
    taken = await connections.take()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await taken.execute("SELECT pg_sleep(5)")
    await connections.give_back(taken, in_order=False)
    again = await connections.take()
    assert await again.fetchval("SELECT 1") == 1
    await connections.give_back(again, in_order=True)


async def test_what_nobody_wants_goes_back_to_the_pool(postgres_server):
    pool = await asyncpg.create_pool(postgres_server.url, min_size=1, max_size=2)
    connections = Connections(pool, timeout_seconds=1, kept_seconds=0.02)
    taken = await connections.take()
    await connections.give_back(taken, in_order=True)
    assert pool.get_idle_size() == 0
    async with asyncio.timeout(10):
        while pool.get_idle_size() == 0:
            await asyncio.sleep(0.01)
    await connections.close(timeout_seconds=5)


async def test_who_waits_at_the_end_is_refused(postgres_server):
    pool = await asyncpg.create_pool(postgres_server.url, min_size=1, max_size=1)
    connections = Connections(pool, timeout_seconds=5)
    await connections.take()
    waiting = asyncio.create_task(connections.take())
    await asyncio.sleep(0.01)
    await connections.close(timeout_seconds=0.05)
    with pytest.raises(asyncpg.InterfaceError):
        await waiting


async def test_a_connection_in_use_is_cut_off_at_the_end(postgres_server):
    pool = await asyncpg.create_pool(postgres_server.url, min_size=1, max_size=2)
    connections = Connections(pool, timeout_seconds=1)
    taken = await connections.take()
    await connections.close(timeout_seconds=0.05)
    with pytest.raises(asyncpg.InterfaceError):
        await taken.fetchval("SELECT 1")
