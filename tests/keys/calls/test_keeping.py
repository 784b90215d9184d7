"""Calls are kept as long as the product says; on PostgreSQL by the day, in partitions that are made ahead."""

import asyncio
from datetime import timedelta

import asyncpg
import pytest

from keys.calls.world import called_product, caller, fill, hours_in, log_of
from tenantry.kernel.jobs.worker import plan_periodic
from tenantry.kernel.problems import DatabaseConflict
from tenantry.keys.calls import CallLog
from tenantry.keys.calls.keeping import DAYS_AHEAD, forget_calls, make_room

only_postgres = pytest.mark.parametrize("database_kind", ["postgresql"])
_PARTITIONS = """\
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'api_calls'::regclass AND c.relname <> 'api_calls_default' ORDER BY 1"""


@pytest.fixture
async def kit(start):
    return await start(called_product(calls_kept=timedelta(days=3)))


@pytest.fixture
async def owner(database):
    """The owner's connection; whatever partitions tests leave are gone before and after."""
    connection = await asyncpg.connect(database.owner_url)
    await drop_days(connection)
    yield connection
    await drop_days(connection)
    await connection.close()


async def drop_days(connection):
    for (name,) in await connection.fetch(_PARTITIONS):
        await connection.execute(f"DROP TABLE tenantry.{name}")


async def days(owner):
    return [name.removeprefix("api_calls_") for (name,) in await owner.fetch(_PARTITIONS)]


async def rows_in(owner, name):
    return await owner.fetchval(f"SELECT count(*) FROM tenantry.api_calls_{name}")


@pytest.fixture
async def log(kit):
    return kit.runtime.port(CallLog)


async def test_calls_and_hours_go_when_they_are_old_enough_and_nothing_else_does(kit, key, log):
    for _ in range(6):
        fill(log, caller(kit, key), 10)
        await log.flush()
        await kit.move(days=1)
    # It is the 20th, noon: of the 14th to the 19th the last three days and what is left of a fourth are kept.
    await forget_calls(kit.system, {})
    assert sorted({one["at"].day for one in await log_of(kit)}) == [17, 18, 19]
    assert sorted({row[1].day for row in await hours_in(kit)}) == [14, 15, 16, 17, 18, 19]
    await kit.move(days=kit.runtime.settings.usage_retention_days - 3)
    await forget_calls(kit.system, {})
    assert await log_of(kit) == []
    assert sorted({row[1].day for row in await hours_in(kit)}) == [17, 18, 19]


@only_postgres
async def test_partitions_are_made_ahead_by_the_first_worker_and_calls_go_there(kit, key, log, owner):
    await plan_periodic(kit.runtime)
    await kit.run_jobs()
    made = await days(owner)
    assert made == [f"202603{day}" for day in range(14, 14 + DAYS_AHEAD + 1)]
    fill(log, caller(kit, key), 10)
    await log.flush()
    await kit.move(days=1)
    fill(log, caller(kit, key), 20)
    await log.flush()
    assert [await rows_in(owner, name) for name in ("20260314", "20260315", "default")] == [10, 20, 0]
    assert len(await log_of(kit)) == 30
    await make_room(kit.system, {})
    assert await days(owner) == [*made, "20260322"]


@only_postgres
async def test_a_day_that_began_in_the_default_partition_stays_there(kit, key, log, owner):
    fill(log, caller(kit, key), 10)
    await log.flush()
    await make_room(kit.system, {})
    assert (await days(owner))[0] == "20260315"
    fill(log, caller(kit, key), 10)
    await log.flush()
    assert await rows_in(owner, "default") == 20
    assert len(await log_of(kit)) == 20


@only_postgres
async def test_whole_days_are_dropped_and_only_those(kit, key, log, owner):
    fill(log, caller(kit, key), 3)
    await log.flush()
    await make_room(kit.system, {})
    for _ in range(5):
        await kit.move(days=1)
        fill(log, caller(kit, key), 3)
        await log.flush()
    await forget_calls(kit.system, {})
    assert await days(owner) == [f"202603{day}" for day in range(16, 22)]
    assert sorted({one["at"].day for one in await log_of(kit)}) == [16, 17, 18, 19]


@only_postgres
async def test_nothing_is_lost_while_partitions_come_and_go(kit, key, log, owner):
    async def keep():
        for _ in range(5):
            await make_room(kit.system, {})
            await forget_calls(kit.system, {})
            await asyncio.sleep(0.01)

    noted = 0
    for _ in range(3):
        keeping = asyncio.create_task(keep())
        while not keeping.done():
            fill(log, caller(kit, key), 50)
            noted += 50
            await asyncio.sleep(0.005)
        await keeping
        await kit.move(days=1)
    assert len(await log_of(kit)) == noted == log.written


@only_postgres
async def test_who_makes_or_drops_a_partition_does_not_wait_long_and_takes_no_lock_on_the_table(kit, owner):
    """Somebody reads the default partition for long: the day is not made, and other work goes on meanwhile."""
    async with owner.transaction():
        await owner.execute("LOCK TABLE tenantry.api_calls_default IN ACCESS SHARE MODE")
        with pytest.raises(DatabaseConflict):
            await asyncio.wait_for(make_room(kit.system, {}), 5)
    await make_room(kit.system, {})
    assert len(await days(owner)) == DAYS_AHEAD + 1


@only_postgres
async def test_only_the_service_login_may(kit, database, owner):
    for function in ("add_partition", "drop_partition"):
        api = await asyncpg.connect(database.api_url)
        for role in ("anon", "authenticated"):
            await api.execute(f"SET ROLE {role}")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await api.execute(f"SELECT tenantry.{function}('api_calls', now())")
        await api.close()
    assert await days(owner) == []


@only_postgres
async def test_a_partition_cannot_be_read_past_the_policies(kit, database, owner):
    await make_room(kit.system, {})
    for url in (database.api_url, database.service_url):
        login = await asyncpg.connect(url)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await login.execute("SELECT * FROM tenantry.api_calls_20260314")
        await login.close()
