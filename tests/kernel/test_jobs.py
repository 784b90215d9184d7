"""Jobs: rows of the caller's transaction, held by lease, tried again, dead after a cap."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update

from tenantry import Google, Meter, Module, Plan, Product
from tenantry.kernel import Context, new_id
from tenantry.kernel.context import Actor, Origin
from tenantry.kernel.database import param, statement
from tenantry.kernel.jobs import enqueue, forget_finished, plan_periodic, run_due, work
from tenantry.kernel.jobs.models import Jobs
from tenantry.kernel.jobs.queries import claim, counts, fail, finish, replay
from tenantry.kernel.module import Job
from tenantry.testing import AppKit

ADA = UUID(int=1)
_all = statement(
    select(Jobs.name, Jobs.status, Jobs.attempts, Jobs.last_error, Jobs.actor_id).order_by(Jobs.id), lambda *row: row
)
_ids = statement(select(Jobs.id).order_by(Jobs.id))
_late = statement(update(Jobs).where(Jobs.id == param("id")).values(run_at=param("at")))


class Probe:
    """Jobs of a room that writes down what it was run with, and fails as it is told."""

    def __init__(self) -> None:
        self.ran: list[tuple[str, UUID | None, dict[str, Any]]] = []
        self.failing: list[BaseException] = []
        self.note = Job("probe.note", self._note)
        self.thrice = Job("probe.thrice", self._note, attempts=3)
        self.hourly = Job("probe.hourly", self._note, every=timedelta(hours=1))

    async def _note(self, ctx: Context, payload: dict[str, Any]) -> None:
        with pytest.raises(RuntimeError, match="no open unit"):
            _ = ctx.db
        self.ran.append((ctx.actor.kind, ctx.actor.user_id, payload))
        if self.failing:
            raise self.failing.pop(0)

    @property
    def module(self) -> Module:
        return Module("probe", jobs=[self.note, self.thrice, self.hourly])


@pytest.fixture
def probe() -> Probe:
    return Probe()


@pytest.fixture
async def kit(start: Any, probe: Probe) -> AppKit:
    requests = Meter("requests", per="day")
    plan = Plan("free", price=0, limits={requests: 5})
    started: AppKit = await start(Product("Acme", sign_in=[Google()], plans=[plan], modules=[probe.module]))
    return started


def as_user(kit: AppKit, user: UUID = ADA) -> Context:
    return Context(kit.runtime, Actor("user", user_id=user), Origin())


async def jobs_of(kit: AppKit, *, prefix: str = "probe") -> list[tuple[Any, ...]]:
    async with kit.system.service(writes=False) as ctx:
        return [row for row in await ctx.db.rows(_all) if row[0].startswith(prefix)]


async def put(kit: AppKit, job: Job, payload: dict[str, Any] | None = None, **more: Any) -> bool:
    async with kit.system.service() as ctx:
        return await enqueue(ctx, job, payload or {}, **more)


@pytest.mark.parametrize("who", ["system", "user"])
async def test_a_job_exists_if_its_transaction_commits(kit: AppKit, probe: Probe, who: str) -> None:
    open_unit: Callable[[], Any] = kit.system.service if who == "system" else as_user(kit).unit
    with suppress(ZeroDivisionError):
        async with open_unit() as ctx:
            assert await enqueue(ctx, probe.note, {"n": 0})
            raise ZeroDivisionError
    assert await jobs_of(kit) == []
    async with open_unit() as ctx:
        assert await enqueue(ctx, probe.note, {"n": 1})
    assert await kit.run_jobs() == 1
    assert probe.ran == [("system", None, {"n": 1}) if who == "system" else ("user", ADA, {"n": 1})]
    assert [row[1] for row in await jobs_of(kit)] == ["done"]


@pytest.mark.parametrize("who", ["system", "user"])
async def test_a_once_key_is_written_once(kit: AppKit, probe: Probe, who: str) -> None:
    open_unit: Callable[[], Any] = kit.system.service if who == "system" else as_user(kit).unit
    for expected in (True, False):
        async with open_unit() as ctx:
            assert await enqueue(ctx, probe.note, {}, once_key="once") is expected
            assert await enqueue(ctx, probe.note, {}, once_key="once") is False
    await kit.run_jobs()
    assert len(probe.ran) == 1
    assert await put(kit, probe.note, once_key="once") is False  # done ones count, until they are forgotten


async def test_workers_share_the_jobs_and_none_is_run_twice(kit: AppKit, probe: Probe) -> None:
    for number in range(45):
        await put(kit, probe.note, {"n": number})
    ran = await asyncio.gather(*(run_due(kit.runtime) for _ in range(6)))
    assert max(ran) <= 10
    await kit.run_jobs()
    assert sorted(payload["n"] for _, _, payload in probe.ran) == list(range(45))
    assert {row[1:3] for row in await jobs_of(kit)} == {("done", 1)}


async def test_a_claim_takes_the_oldest_first_and_no_more_than_asked(kit: AppKit, probe: Probe) -> None:
    for number in range(12):
        await put(kit, probe.note, {"n": number})
        await kit.move(seconds=1)
    for expected in (range(5), range(5, 10), range(10, 12), range(0)):
        async with kit.system.service() as ctx:
            claimed = await claim(ctx.db, new_id(), limit=5, seconds=60)
        assert sorted(one.payload["n"] for one in claimed) == list(expected)


async def test_a_dead_workers_job_is_taken_over_after_its_lease(kit: AppKit, probe: Probe) -> None:
    await put(kit, probe.thrice)
    first, second = new_id(), new_id()
    async with kit.system.service() as ctx:
        (job,) = await claim(ctx.db, first, limit=5, seconds=60)
    await kit.move(seconds=60)
    async with kit.system.service() as ctx:
        assert await claim(ctx.db, second, limit=5, seconds=60) == []
    await kit.move(seconds=1)
    async with kit.system.service() as ctx:
        (again,) = await claim(ctx.db, second, limit=5, seconds=60)
        assert (again.id, again.attempts) == (job.id, 2)
        # Who lost the lease neither finishes nor fails it.
        assert not await finish(ctx.db, job.id, first)
        assert not await fail(ctx.db, job.id, first, error="late", delay_seconds=1)
        assert await finish(ctx.db, job.id, second)
        assert not await finish(ctx.db, job.id, second)
    assert [row[:2] for row in await jobs_of(kit)] == [("probe.thrice", "done")]


async def test_a_job_that_kills_its_workers_dies_of_it(kit: AppKit, probe: Probe) -> None:
    await put(kit, probe.thrice)
    for attempt in (1, 2, 3):
        async with kit.system.service() as ctx:
            (claimed,) = await claim(ctx.db, new_id(), limit=5, seconds=60)
        assert claimed.attempts == attempt
        await kit.move(seconds=61)
    async with kit.system.service() as ctx:
        assert await claim(ctx.db, new_id(), limit=5, seconds=60) == []
    ((_, status, attempts, error, _),) = await jobs_of(kit)
    assert (status, attempts) == ("dead", 3)
    assert "worker" in error


async def test_a_failure_is_written_down_and_tried_again_later_each_time(kit: AppKit, probe: Probe) -> None:
    await put(kit, probe.thrice)
    probe.failing = [ValueError("first"), ValueError("second\0 with \ud800 odd letters"), ValueError("x" * 2000)]
    for wait in (2, 4):
        assert await run_due(kit.runtime) == 1
        await kit.move(seconds=wait - 1)
        assert await run_due(kit.runtime) == 0
        await kit.move(seconds=1)
    assert await run_due(kit.runtime) == 1
    ((_, status, attempts, error, _),) = await jobs_of(kit)
    assert (status, attempts) == ("dead", 3)
    assert error.startswith("ValueError: xxx")
    assert len(error) == 500
    await kit.move(days=1)
    assert await run_due(kit.runtime) == 0
    async with kit.system.service() as ctx:
        (job,) = await ctx.db.rows(_ids)
        assert await replay(ctx.db, job)
        assert not await replay(ctx.db, job)
    assert await run_due(kit.runtime) == 1
    assert [row[1:4] for row in await jobs_of(kit)] == [("done", 1, None)]


async def test_a_name_nobody_knows_is_a_failure(kit: AppKit) -> None:
    async def never(_ctx: Context, _payload: dict[str, Any]) -> None: ...

    await put(kit, Job("probe.forgotten", never, attempts=1))
    assert await run_due(kit.runtime) == 1
    assert [row[1:4] for row in await jobs_of(kit)] == [("dead", 1, "no room knows a job named probe.forgotten")]


async def test_periodic_jobs_are_written_once_a_slot_for_all_workers(kit: AppKit, probe: Probe) -> None:
    for _ in range(3):
        kit.runtime.planned.clear()  # what another worker process would know: nothing
        await asyncio.gather(*(plan_periodic(kit.runtime) for _ in range(3)))
    assert len(await jobs_of(kit, prefix="probe.hourly")) == 1
    await kit.move(hours=1)
    await plan_periodic(kit.runtime)
    await plan_periodic(kit.runtime)
    assert len(await jobs_of(kit, prefix="probe.hourly")) == 2


async def test_jobs_are_counted_and_done_ones_forgotten_in_time(kit: AppKit, probe: Probe) -> None:
    for _ in range(3):
        await put(kit, probe.note)
    probe.failing = [ValueError("x")] * 8
    await put(kit, Job("probe.thrice", probe.thrice.run, attempts=1), {"n": 4})
    await run_due(kit.runtime)
    async with kit.system.service(writes=False) as ctx:
        assert sum(one.count for one in await counts(ctx.db)) == 4
    probe.failing = []
    await kit.move(seconds=10)
    await kit.run_jobs()
    before = {row[1] for row in await jobs_of(kit)}
    assert before == {"done", "dead"}
    await kit.move(days=kit.runtime.settings.jobs_retention_days)
    await forget_finished(kit.system, {})
    assert {row[1] for row in await jobs_of(kit)} == before
    await kit.move(seconds=1)
    await forget_finished(kit.system, {})
    assert {row[1] for row in await jobs_of(kit)} == {"dead"}  # a dead letter waits for somebody


async def test_the_worker_outlives_its_jobs_failures(kit: AppKit, probe: Probe) -> None:
    probe.failing = [ValueError("\ud800\0"), RuntimeError("x")]
    for number in range(3):
        await put(kit, probe.note, {"n": number})
    stop = asyncio.Event()
    worker = asyncio.create_task(work(kit.runtime, stop))
    async with asyncio.timeout(10):
        while len(probe.ran) < 3:
            await asyncio.sleep(0.01)
    stop.set()
    async with asyncio.timeout(10):
        await worker


async def test_a_user_cannot_read_or_forge_jobs(kit: AppKit, probe: Probe) -> None:
    async with as_user(kit).unit() as ctx:
        await enqueue(ctx, probe.note, {})
    for expression in (_all, statement(update(Jobs).values(status="dead"))):
        with pytest.raises(Exception, match="may not"):
            async with as_user(kit).unit() as ctx:
                await ctx.db.run(expression)
