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


async def test_a_connection_in_use_is_cut_off_at_the_end(postgres_server):
    pool = await asyncpg.create_pool(postgres_server.url, min_size=1, max_size=2)
    connections = Connections(pool, timeout_seconds=1)
    taken = await connections.take()
    await connections.close(timeout_seconds=0.05)
    with pytest.raises(asyncpg.InterfaceError):
        await taken.fetchval("SELECT 1")
