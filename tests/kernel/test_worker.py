"""The worker: jobs in slots of their own, and what becomes of those that run when it stops."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from tenantry import Google, Meter, Module, Plan, Product
from tenantry.kernel import Context, new_id
from tenantry.kernel.database import statement
from tenantry.kernel.jobs import enqueue, run_due, work
from tenantry.kernel.jobs.models import Jobs
from tenantry.kernel.jobs.queries import claim
from tenantry.kernel.jobs.slots import LEASE_SECONDS, MARGIN_SECONDS, SLOTS, Held, Slots, _attempt
from tenantry.kernel.mail import send_mail
from tenantry.kernel.mail.queries import latest
from tenantry.kernel.module import Job
from tenantry.testing import AppKit

_all = statement(
    select(Jobs.status, Jobs.attempts, Jobs.lease, Jobs.leased_until, Jobs.last_error)
    .where(Jobs.name == "slow.job")
    .order_by(Jobs.id),
    lambda *row: row,
)
AS_IF_NEVER_TRIED = ("queued", 0, None, None, None)
DONE = ("done", 1, None, None, None)


class Slow:
    """A job that goes on until it is told, then does `at_last`; cancelled, it does `on_the_way_out`."""

    def __init__(self) -> None:
        self.begun = 0
        self.ended = 0
        self.go = asyncio.Semaphore(0)
        self.job = Job("slow.job", self._run)
        self.lasting = Job("slow.lasting", self._run, lasts=timedelta(hours=6))
        self.brief = Job("slow.brief", self._run, lasts=timedelta(seconds=0.5))
        self.inside: Callable[[Context], Any] = self._wait
        self.on_the_way_out: Exception | None = None

    async def _run(self, ctx: Context, _payload: dict[str, Any]) -> None:
        self.begun += 1
        try:
            await self.inside(ctx)
        except asyncio.CancelledError:
            if self.on_the_way_out is not None:
                raise self.on_the_way_out from None
            raise
        self.ended += 1

    async def _wait(self, _ctx: Context) -> None:
        await self.go.acquire()

    def let_go(self, number: int) -> None:
        for _ in range(number):
            self.go.release()


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
async def kit(start: Any, slow: Slow) -> AppKit:
    plan = Plan("free", price=0, limits={Meter("requests", per="day"): 5})
    modules = [Module("slow", jobs=[slow.job, slow.lasting, slow.brief])]
    started: AppKit = await start(Product("Acme", sign_in=[Google()], plans=[plan], modules=modules))
    await started.run_jobs()
    return started


async def put(kit: AppKit, job: Job, number: int = 1) -> None:
    async with kit.system.service() as ctx:
        for _ in range(number):
            await enqueue(ctx, job, {})


async def rows(kit: AppKit) -> list[tuple[Any, ...]]:
    async with kit.system.service(writes=False) as ctx:
        return await ctx.db.rows(_all)


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not reached():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def working(kit: AppKit, *, grace_seconds: float = 0.05) -> AsyncIterator[None]:
    """A worker that is stopped at the end, and must then end by itself."""
    stop = asyncio.Event()
    worker = asyncio.create_task(work(kit.runtime, stop, grace_seconds=grace_seconds))
    try:
        yield
    finally:
        stop.set()
        async with asyncio.timeout(20):
            await worker


async def test_a_slow_job_holds_nobody_up_and_its_neighbours_slots_are_filled_again(kit: AppKit, slow: Slow) -> None:
    await put(kit, slow.job, SLOTS + 5)
    async with working(kit, grace_seconds=20):
        await until(lambda: slow.begun == SLOTS)
        for number in range(1, 6):
            slow.let_go(1)
            await until(lambda wanted=number: slow.begun == SLOTS + wanted)  # type: ignore[misc]
            assert slow.ended == number
        # Never more than there are slots, and what waits is not claimed.
        assert slow.begun - slow.ended == SLOTS
        slow.let_go(SLOTS)
        await until(lambda: slow.ended == SLOTS + 5)
    assert await rows(kit) == [DONE] * (SLOTS + 5)


async def test_no_more_is_claimed_than_there_are_free_slots(kit: AppKit, slow: Slow) -> None:
    await put(kit, slow.job, SLOTS + 5)
    async with working(kit):
        await until(lambda: slow.begun == SLOTS)
        # Two turns of idle polling.
        await asyncio.sleep(1)
        assert sorted(row[0] for row in await rows(kit)) == ["queued"] * 5 + ["running"] * SLOTS


async def test_a_job_that_ends_within_the_grace_is_done(kit: AppKit, slow: Slow) -> None:
    await put(kit, slow.job)
    async with working(kit, grace_seconds=20):
        await until(lambda: slow.begun == 1)
        asyncio.get_running_loop().call_later(0.2, slow.let_go, 1)
    assert await rows(kit) == [DONE]


@pytest.mark.parametrize("error", [None, ValueError("from cleaning up"), TimeoutError()])
async def test_an_interrupted_job_is_taken_at_once_and_has_lost_no_attempt(
    kit: AppKit, slow: Slow, error: Exception | None
) -> None:
    slow.on_the_way_out = error
    await put(kit, slow.job, 3)
    async with working(kit):
        await until(lambda: slow.begun == 3)
    assert await rows(kit) == [AS_IF_NEVER_TRIED] * 3
    slow.let_go(3)
    # The database's clock has not moved: another worker takes them now, and what else of the product's own was due.
    assert await run_due(kit.runtime) >= 3
    assert await rows(kit) == [DONE] * 3


async def test_what_an_interrupted_job_was_writing_is_not_there(kit: AppKit, slow: Slow) -> None:
    async def write(ctx: Context) -> None:
        async with ctx.service() as unit:
            await send_mail(unit, "ada@example.com", "x", text="x")
            await slow.go.acquire()

    slow.inside = write
    await put(kit, slow.job)
    async with working(kit):
        await until(lambda: slow.begun == 1)
    assert await rows(kit) == [AS_IF_NEVER_TRIED]
    async with kit.system.service(writes=False) as ctx:
        assert await latest(ctx.db) == []


async def test_nothing_is_claimed_once_stopped(kit: AppKit, slow: Slow) -> None:
    await put(kit, slow.job)
    stop = asyncio.Event()
    stop.set()
    await work(kit.runtime, stop)
    assert slow.begun == 0
    async with working(kit):
        await until(lambda: slow.begun == 1)
        slow.let_go(1)
        await until(lambda: slow.ended == 1)
    await put(kit, slow.job)
    assert [row[0] for row in await rows(kit)] == ["done", "queued"]


@pytest.mark.parametrize("steps", [0, 1, 2, 3, 5, 8, 13])
async def test_a_claim_that_was_on_its_way_is_handed_back(kit: AppKit, slow: Slow, steps: int) -> None:
    """Stops after so many turns of the loop: before the claim, in the middle of it, as its jobs begin."""
    failures: list[BaseException] = []
    slots = Slots(kit.system, failures.append)
    await put(kit, slow.job, 3)
    claiming = asyncio.create_task(_fill(slots))
    for _ in range(steps):
        await asyncio.sleep(0)
    await slots.end(claiming, grace_seconds=0.2)
    assert failures == []
    assert await rows(kit) == [AS_IF_NEVER_TRIED] * 3
    assert await slots.fill() == 0


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_what_is_claimed_while_it_stops_does_not_begin(kit: AppKit, slow: Slow) -> None:
    slots, go = Slots(kit.system, lambda _failure: None), asyncio.Event()
    claiming = asyncio.create_task(_fill(slots, go))
    await put(kit, slow.job)
    # Another unit has the file, so the claim waits for its turn until the stop was told.
    async with kit.system.service() as ctx:
        await enqueue(ctx, slow.job, {})
        go.set()
        await asyncio.sleep(0.01)
        stopping = asyncio.create_task(slots.end(claiming, grace_seconds=20))
        await asyncio.sleep(0.01)
    await stopping
    assert slow.begun == 0
    assert await rows(kit) == [AS_IF_NEVER_TRIED] * 2


async def _fill(slots: Slots, go: asyncio.Event | None = None) -> None:
    if go is not None:
        await go.wait()
    await slots.fill()


async def test_a_batch_that_is_cancelled_is_handed_back(kit: AppKit, slow: Slow) -> None:
    await put(kit, slow.job, 2)
    batch = asyncio.create_task(run_due(kit.runtime))
    await until(lambda: slow.begun == 2)
    batch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await batch
    assert await rows(kit) == [AS_IF_NEVER_TRIED] * 2


async def test_a_worker_that_is_cancelled_hands_back_too(kit: AppKit, slow: Slow) -> None:
    await put(kit, slow.job)
    worker = asyncio.create_task(work(kit.runtime, asyncio.Event()))
    await until(lambda: slow.begun == 1)
    worker.cancel()
    with pytest.raises(asyncio.CancelledError):
        await worker
    assert await rows(kit) == [AS_IF_NEVER_TRIED]


async def test_a_job_that_was_cancelled_by_nobody_has_failed(kit: AppKit, slow: Slow) -> None:
    async def leak(_ctx: Context) -> None:
        raise asyncio.CancelledError

    slow.inside = leak
    await put(kit, slow.job)
    async with working(kit):
        await until(lambda: slow.begun == 1)
        slow.inside = slow._wait
        slow.let_go(1)
        await put(kit, slow.job)
        # The worker goes on.
        await until(lambda: slow.ended == 1)
    failed, done = await rows(kit)
    assert (failed[:2], failed[4]) == (("queued", 1), "CancelledError: ")
    assert done == DONE


async def test_a_job_is_cut_off_before_its_lease_ends(kit: AppKit, slow: Slow) -> None:
    await put(kit, slow.job)
    lease = new_id()
    async with kit.system.service() as ctx:
        (claimed,) = await claim(ctx.db, lease, limit=1, seconds=60)
    until_soon = asyncio.get_running_loop().time() + MARGIN_SECONDS + 0.05
    error = await _attempt(kit.system, Held(claimed, lease, until_soon))
    assert error is not None
    assert error.startswith("TimeoutError")
    assert slow.begun == 1


async def begun_late(kit: AppKit, job: Job, seconds: float) -> tuple[Held, "asyncio.Task[str | None]"]:
    """An attempt of a job, so long before it would be cut off."""
    await put(kit, job)
    lease = new_id()
    async with kit.system.service() as ctx:
        (claimed,) = await claim(ctx.db, lease, limit=1, seconds=60)
    held = Held(claimed, lease, asyncio.get_running_loop().time() + MARGIN_SECONDS + seconds)
    return held, asyncio.create_task(_attempt(kit.system, held))


async def test_a_job_that_may_last_is_held_anew(kit: AppKit, slow: Slow) -> None:
    held, attempt = await begun_late(kit, slow.lasting, 0.3)
    first = held.until
    await asyncio.sleep(0.6)
    slow.let_go(1)
    assert await attempt is None
    assert held.until > first + 60
    async with kit.system.service() as ctx:
        # Nobody else can have it meanwhile.
        await kit.move(seconds=LEASE_SECONDS - 1)
        assert await claim(ctx.db, new_id(), limit=1, seconds=60) == []


async def test_a_lasting_job_that_somebody_else_has_now_is_cut_off(kit: AppKit, slow: Slow) -> None:
    _held, attempt = await begun_late(kit, slow.lasting, 5)
    await until(lambda: slow.begun == 1)
    await kit.move(seconds=61)
    async with kit.system.service() as ctx:
        assert len(await claim(ctx.db, new_id(), limit=1, seconds=60)) == 1
    error = await attempt
    assert error is not None
    assert error.startswith("TimeoutError")


async def test_a_lasting_job_is_cut_off_where_it_may_last_no_longer(kit: AppKit, slow: Slow) -> None:
    _held, attempt = await begun_late(kit, slow.brief, 0.3)
    error = await attempt
    assert error is not None
    assert error.startswith("TimeoutError")


async def test_a_database_that_is_away_does_not_hold_up_the_stop(kit: AppKit, slow: Slow) -> None:
    await put(kit, slow.job)
    async with working(kit):
        await until(lambda: slow.begun == 1)
        await kit.runtime.service.close()
    await kit.runtime.service.open()
    # Its lease ends by itself.
    assert [row[:2] for row in await rows(kit)] == [("running", 1)]


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_a_job_that_ignores_being_cancelled_does_not_hold_up_the_stop(kit: AppKit, slow: Slow) -> None:
    async def ignore(_ctx: Context) -> None:
        while True:
            try:
                await slow.go.acquire()
            except asyncio.CancelledError:
                continue
            return

    slow.inside = ignore
    await put(kit, slow.job)
    async with working(kit):
        await until(lambda: slow.begun == 1)
    # It still runs, so nobody else is given it before its lease ends.
    assert [row[:2] for row in await rows(kit)] == [("running", 1)]
    slow.let_go(1)
    await until(lambda: slow.ended == 1)
    while await rows(kit) != [DONE]:
        await asyncio.sleep(0.01)
