"""The connection that listens on PostgreSQL: killed, cut, silent, refused; and what it leaves behind."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import asyncpg
import pytest

from kernel.hearing import TOPIC, Ear, Wire, told, until
from tenantry.kernel import Settings, new_id
from tenantry.kernel.clock import SystemClock
from tenantry.kernel.database.listening import NAME
from tenantry.kernel.notices import Notices
from tenantry.testing import AppKit, PostgresServer, TestDatabase, postgres_database, start_postgres

pytestmark = [pytest.mark.postgres, pytest.mark.parametrize("database_kind", ["postgresql"])]

Owner = Callable[..., Awaitable[Any]]


@pytest.fixture
def owner(database: TestDatabase) -> Owner:
    """Asks one value as the owner."""

    async def ask(sql: str, *given: Any) -> Any:
        connection = await asyncpg.connect(database.owner_url)
        try:
            return await connection.fetchval(sql, *given)
        finally:
            await connection.close()

    return ask


async def killed(owner: Owner) -> int:
    """How many listening connections the server ended."""
    end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = $1"
    return int(await owner(end, NAME))


async def test_killed_it_doubts_and_hears_again(kit, owner):
    async with Ear.beside(kit) as ear:
        assert await killed(owner) == 2
        await until(lambda: not ear.notices.is_trusted)
        await told(kit)  # heard or not: the doubt covers it
        await ear.doubts()
        assert ear.forgotten == 2
        subject = await told(kit)
        await until(lambda: subject in ear.heard)
        await until(lambda: "tenantry_notices_doubts_total 1.0" in kit.runtime.metrics.render().decode())


async def test_a_wire_that_is_cut_again_and_again(kit, database):
    wire = Wire(database.service_url)
    async with wire.stretched() as url:
        notices = Notices.of(kit.runtime.settings.model_copy(update={"direct_url": url}), kit.clock)
        ear = Ear(notices)
        await notices.open()
        await ear.trusts()
        for times in range(1, 4):
            wire.cut()
            lost = [await told(kit) for _ in range(3)]
            await until(lambda wanted=times: notices.doubts == wanted and notices.is_trusted)
            # Each was heard, or is covered by a doubt that came later.
            assert ear.forgotten == times + 1
            subject = await told(kit)
            await until(lambda wanted=subject: wanted in ear.heard)
            assert len(lost) == 3
        await notices.aclose()
    assert wire.connections >= 4


async def test_a_silent_network_ends_the_trust_and_nothing_is_lost(kit, database):
    wire = Wire(database.service_url)
    async with wire.stretched() as url:
        notices = Notices.of(kit.runtime.settings.model_copy(update={"direct_url": url}), kit.clock)
        ear = Ear(notices)
        await notices.open()
        await ear.trusts()
        wire.passes.clear()
        subject = await told(kit)
        await until(lambda: not notices.is_trusted)
        assert ear.heard == []
        wire.passes.set()
        await ear.trusts()
        # It came in its place, before the heartbeat behind it.
        assert ear.heard == [subject]
        assert notices.doubts == 0
        await notices.aclose()


async def test_a_transaction_that_is_slow_to_commit_holds_no_trust_back(kit, owner, database):
    """Told long before it commits: it is heard when it does, and who waits for nothing else is trusted meanwhile."""
    async with Ear.beside(kit) as ear:
        connection = await asyncpg.connect(database.service_url)
        subject = new_id()
        async with connection.transaction():
            await connection.execute("SELECT pg_notify('tenantry', $1)", f"{TOPIC} {subject}")
            for _ in range(4):
                await asyncio.sleep(0.25)
                await ear.trusts()
            assert ear.heard == []
        await until(lambda: ear.heard == [subject])
        await connection.close()
        assert ear.notices.doubts == 0


async def test_what_nobody_can_read_tells_of_anything(kit, owner):
    async with Ear.beside(kit) as ear:
        for times, payload in enumerate(("", "house", "house x", "nonsense \N{SNOWMAN}"), 1):
            await owner("SELECT pg_notify('tenantry', $1)", payload)
            await until(lambda wanted=times: ear.notices.doubts == wanted and ear.notices.is_trusted)
        assert ear.heard == []


async def test_nobody_forges_a_heartbeat(kit, owner):
    """Heartbeats go over a channel whose name is not told; the common one carries none."""
    async with Ear.beside(kit) as ear:
        listening: Any = ear.notices._channel
        assert len(listening._own) > 20
        other: Any = kit.runtime.port(Notices)._channel
        assert listening._own != other._own


async def test_nothing_is_left_on_the_server(kit, owner):
    count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1"
    async with Ear.beside(kit):
        assert await owner(count, NAME) == 2
    async with asyncio.timeout(20):
        while await owner(count, NAME) != 1:
            await asyncio.sleep(0.02)


async def test_the_server_answers_while_it_hears_nothing(start):
    kit = await start(direct_url="postgresql://nobody:x@127.0.0.1:9/nothing")
    client = await kit.client()
    assert (await client.get("/readyz")).status_code == 200
    assert not kit.runtime.port(Notices).is_trusted
    assert "tenantry_notices_trusted 0.0" in kit.runtime.metrics.render().decode()


@pytest.mark.parametrize("pool_mode", ["session", "transaction"])
async def test_it_listens_past_the_pooler(kit, database, pool_mode):
    wire = Wire(database.service_url)
    async with wire.stretched() as url:
        nowhere = "postgresql://nobody:x@127.0.0.1:9/nothing"
        settings = Settings(database_url=nowhere, service_url=nowhere, direct_url=url, pool_mode=pool_mode)
        notices = Notices.of(settings, SystemClock())
        ear = Ear(notices)
        await notices.open()
        await ear.trusts()
        subject = await told(kit)
        await until(lambda: ear.heard == [subject])
        assert wire.connections == 1
        await notices.aclose()


@pytest.fixture(scope="module")
def own_server() -> Iterator[PostgresServer]:
    with start_postgres() as server:
        yield server


async def test_a_server_that_is_restarted(own_server: PostgresServer, database_kind: str) -> None:
    assert database_kind == "postgresql"
    database = postgres_database(own_server, "restarted")
    settings = Settings(database_url=database.api_url, service_url=database.service_url)
    notices = Notices.of(settings, SystemClock())
    ear = Ear(notices)
    await notices.open()
    await ear.trusts()
    for stop in (own_server.kill, lambda: None):
        stop()
        await asyncio.to_thread(own_server.restart)
        await ear.doubts()
    assert ear.forgotten == 3
    subject = new_id()
    connection = await asyncpg.connect(database.service_url)
    await connection.execute("SELECT pg_notify('tenantry', $1)", f"{TOPIC} {subject}")
    await connection.close()
    await until(lambda: ear.heard == [subject])
    await notices.aclose()


async def test_closed_while_the_server_is_away(kit: AppKit) -> None:
    nowhere = kit.runtime.settings.model_copy(update={"direct_url": "postgresql://nobody:x@127.0.0.1:9/nothing"})
    notices = Notices.of(nowhere, kit.clock)
    await notices.open()
    await asyncio.sleep(0.3)
    await notices.aclose()
    assert not notices.is_trusted
