"""The log writes in bulk: nothing is lost or counted twice, whatever happens to the database and to keys meanwhile."""

import asyncio
from collections import Counter
from dataclasses import replace
from uuid import UUID

import msgspec
import pytest
from sqlalchemy import delete

from keys.calls.world import called_product, caller, fill, hours_in, log_of
from tenantry.kernel.database import param, statement
from tenantry.kernel.problems import DatabaseUnavailable
from tenantry.keys.calls import CallLog
from tenantry.keys.calls import log as module
from tenantry.keys.calls.buckets import bucket_of
from tenantry.keys.models import ApiKeys
from tenantry.testing import AppKit

_remove = statement(delete(ApiKeys).where(ApiKeys.id == param("key")))


def summed(calls):
    """What the roll-ups of calls must be, by brute force."""
    found = {}
    for one in calls:
        hour = one["at"].replace(minute=0, second=0, microsecond=0)
        row = (one["key_id"], hour, one["method"], one["endpoint"], bucket_of(one["latency_ms"]))
        calls, errors, latency = found.get(row, (0, 0, 0))
        is_error = one["status"] >= 400 or one["status"] == 0
        found[row] = (calls + 1, errors + is_error, latency + one["latency_ms"])
    return found


async def rolled_up(kit):
    return {row[:5]: row[5:] for row in await hours_in(kit)}


@pytest.fixture
async def log():
    """A log of the test's own."""
    found = CallLog()
    yield found
    await found.aclose()


async def test_the_roll_ups_are_the_calls(kit, key, written):
    log = kit.runtime.port(CallLog)
    for seed in range(5):
        fill(log, caller(kit, key), 700, seed=seed)
        await asyncio.sleep(0.05)
        await kit.move(minutes=25)
    found = await written()
    assert len(found) == 3500
    assert len({one["id"] for one in found}) == 3500
    assert await rolled_up(kit) == summed(found)
    assert sum(row[5] for row in await hours_in(kit)) == 3500
    assert (log.written, log.waiting, log.dropped) == (3500, 0, Counter())


async def test_nothing_is_lost_when_the_application_stops(database, identity_provider, provider_clock):
    async with AppKit.start(called_product(), database, identity=identity_provider) as kit:
        provider_clock.clock = kit.clock
        ada = await kit.sign_in("ada")
        key = (await ada.post("/v1/keys", json={"label": "robot"})).json()
        fill(kit.runtime.port(CallLog), caller(kit, key), 4321)
        fill(kit.runtime.port(CallLog), caller(kit, key), 1)
    async with AppKit.start(called_product(), database, identity=identity_provider) as kit:
        found = await log_of(kit)
        assert len(found) == 4322
        assert await rolled_up(kit) == summed(found)


async def test_a_call_is_there_a_quarter_of_a_second_later_without_being_asked_for(kit, key, log):
    fill(log, caller(kit, key), 3)
    for _ in range(200):
        await asyncio.sleep(0.02)
        if log.written == 3:
            break
    assert (log.written, log.waiting) == (3, 0)


async def test_what_is_noted_while_the_database_is_away_is_written_in_order_once_it_is_back(kit, key, log):
    await kit.runtime.service.close()
    fill(log, caller(kit, key), 700)
    await asyncio.sleep(0.4)
    fill(log, caller(kit, key), 50, seed=2)
    assert (log.written, log.waiting) == (0, 750)
    await kit.runtime.service.open()
    await log.flush()
    assert (log.written, log.waiting, log.dropped) == (750, 0, Counter())
    found = await log_of(kit)
    assert sorted(found, key=lambda one: one["id"]) == found
    assert await rolled_up(kit) == summed(found)


class Forgetful:
    """A database whose answer to a commit is lost, as often as it is told: half of them were done."""

    def __init__(self, database, losses):
        self.database, self.kind, self.losses = database, database.kind, losses

    def unit(self, *args, **kwargs):
        return ForgetfulUnit(self.database.unit(*args, **kwargs), self)


class ForgetfulUnit:
    def __init__(self, unit, forgetful):
        self.unit, self.forgetful = unit, forgetful
        self.writes = unit.writes

    def __getattr__(self, name):
        return getattr(self.unit, name)

    async def commit(self):
        how = self.forgetful.losses.pop() if self.forgetful.losses else ""
        await (self.unit.rollback() if how == "before" else self.unit.commit())
        if how:
            raise DatabaseUnavailable(internal="the connection was lost")


@pytest.mark.parametrize("losses", [["before"], ["after"], ["after", "before", "before"], ["after", "after"]])
async def test_a_lost_answer_to_a_commit_neither_loses_nor_doubles(kit, key, log, losses):
    runtime = replace(kit.runtime, service=Forgetful(kit.runtime.service, list(losses)))
    fill(log, caller(kit, key, runtime), 300)
    await log.flush()
    found = await log_of(kit)
    assert len(found) == 300
    assert await rolled_up(kit) == summed(found)
    assert (log.written, log.dropped) == (300, Counter())


async def test_calls_of_a_key_that_is_gone_are_dropped_and_take_nobody_along(kit, ada, key, log):
    other = (await ada.post("/v1/keys", json={"label": "other"})).json()
    for each in (key, other, key, other):
        fill(log, caller(kit, each), 20)
    async with kit.system.service() as working:
        await working.db.run(_remove, key=UUID(key["id"]))
    await log.flush()
    found = await log_of(kit)
    assert (len(found), {str(one["key_id"]) for one in found}) == (40, {other["id"]})
    assert (log.written, log.dropped) == (40, Counter(gone=40))
    assert await rolled_up(kit) == summed(found)


async def test_keys_that_go_while_calls_are_written_take_nobody_along(kit, ada, key, log):
    other = (await ada.post("/v1/keys", json={"label": "other"})).json()

    async def remove():
        await asyncio.sleep(0.01)
        async with kit.system.service() as working:
            await working.db.run(_remove, key=UUID(key["id"]))

    removing = asyncio.create_task(remove())
    while not removing.done():
        for each in (key, other):
            fill(log, caller(kit, each), 100)
        await log.flush()
    fill(log, caller(kit, key), 100)
    await log.flush()
    found = await log_of(kit)
    assert {str(one["key_id"]) for one in found} == {other["id"]}
    assert await rolled_up(kit) == summed(found)


async def test_a_call_that_the_database_refuses_is_dropped_and_takes_nobody_along(kit, key, log):
    ctx = caller(kit, key)
    fill(log, ctx, 30)
    for bad in (b'{"a":"\\u0000"}', b'"\\u0000"'):
        log.add(ctx, method="GET", endpoint="/x", status=200, seconds=0.1, bodies=(msgspec.Raw(bad), None))
        fill(log, ctx, 30)
    await log.flush()
    found = await log_of(kit)
    assert (len(found), log.written, log.dropped) == (90, 90, Counter(refused=2))
    assert await rolled_up(kit) == summed(found)


async def test_what_does_not_fit_is_cut_to_fit(kit, key, log):
    log.add(caller(kit, key), method="M" * 99, endpoint="/x\0\ud800" + "y" * 999, status=-5, seconds=1e9)
    await log.flush()
    (one,) = await log_of(kit)
    assert (one["method"], one["endpoint"][:5], len(one["endpoint"])) == ("M" * 20, "/x??y", 500)
    assert (one["status"], one["latency_ms"]) == (0, 3_600_000)


async def test_too_many_are_dropped_oldest_first_and_counted(kit, key, log):
    await kit.runtime.service.close()
    ctx = caller(kit, key)
    for number in range(module.WAITING_MAX + 10):
        log.add(ctx, method="GET", endpoint=f"/{number}", status=200, seconds=0)
    assert (log.waiting, log.dropped) == (module.WAITING_MAX, Counter(overflow=10))
    await kit.runtime.service.open()
    await log.flush()
    assert log.written == module.WAITING_MAX


async def test_what_the_database_does_not_take_at_the_stop_is_counted(kit, key):
    log = CallLog(close_seconds=0.3)
    await kit.runtime.service.close()
    fill(log, caller(kit, key), 7)
    await log.aclose()
    await kit.runtime.service.open()
    assert (log.waiting, log.dropped) == (0, Counter(stopped=7))


async def test_a_context_without_a_key_is_nobodys_call(kit, log):
    log.add(kit.system, method="GET", endpoint="/", status=200, seconds=0)
    assert log.waiting == 0


async def test_the_figures_tell(kit, key, robot, written):
    await robot.get("/v1/things/1")
    await written()
    told = kit.runtime.metrics.render().decode()
    assert "tenantry_calls_written_total 1.0" in told
    assert "tenantry_calls_waiting 0.0" in told
    assert 'tenantry_calls_dropped_total{reason="overflow"} 0.0' in told


async def test_an_hour_that_many_processes_write_adds_up(kit, key):
    logs = [CallLog() for _ in range(4)]
    for seed in range(6):
        for log in logs:
            fill(log, caller(kit, key), 100, seed=seed)
        await asyncio.gather(*(log.flush() for log in logs))
    found = await log_of(kit)
    assert len(found) == 2400
    assert await rolled_up(kit) == summed(found)
    for log in logs:
        await log.aclose()
