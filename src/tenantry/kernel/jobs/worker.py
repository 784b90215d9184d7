"""The worker: claims due jobs by lease, runs them, and writes down how it went. One runs in every server process."""

import asyncio
import contextlib
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from ..context import Context, system_context
from ..database.failures import DatabaseConflict, DatabaseUnavailable
from ..ids import new_id
from ..logs import logger_of
from ..module import Job
from ..retention import forget
from ..runtime import Runtime
from . import queries
from .slots import GRACE_SECONDS, Slots

IDLE_SECONDS = 0.5
COUNT_EVERY_SECONDS = 15

log = logger_of("tenantry.jobs")


async def enqueue(ctx: Context, job: Job, payload: dict[str, Any], *, once_key: str | None = None) -> bool:
    """Write a job into the open unit of work: it exists if, and only if, the unit commits.

    It runs as the actor who wrote it. With `once_key` a second one of the same key is not written (answers False).
    """
    return await queries.add(
        ctx.db,
        new_id(),
        job.name,
        payload=payload,
        actor_id=ctx.actor.user_id,
        attempts_max=job.attempts,
        once_key=once_key,
    )


async def work(runtime: Runtime, stop: asyncio.Event, *, grace_seconds: float = GRACE_SECONDS) -> None:
    """Run jobs until `stop` is set; a database that is away is waited for.

    From then on no job is claimed. Those that run may go on for the grace, then they are interrupted and handed back.
    It ends `HAND_BACK_SECONDS` after the grace at the latest, whatever the database and the jobs do.
    """
    slots = Slots(system_context(runtime), _warn)
    filling = asyncio.create_task(_keep_filled(runtime, slots))
    try:
        await stop.wait()
    except asyncio.CancelledError:
        grace_seconds = 0
        raise
    finally:
        await slots.end(filling, grace_seconds=grace_seconds)


async def run_due(runtime: Runtime) -> int:
    """Claim one batch and run it to its end; answers how many jobs were run. Cancelled, it hands them back."""
    failures: list[BaseException] = []
    slots = Slots(system_context(runtime), failures.append)
    try:
        count = await slots.fill()
        await slots.wait()
    finally:
        await slots.end(grace_seconds=0)
    if failures:
        raise failures[0]
    return count


async def plan_periodic(runtime: Runtime) -> None:
    """Write each periodic job once for the current slot of its period, whatever the number of workers."""
    now = runtime.clock.now()
    due = [(job, _slot(job.every, now)) for job in runtime.jobs.values() if job.every is not None]
    missing = [(job, slot) for job, slot in due if runtime.planned.get(job.name) != slot]
    if not missing:
        return
    async with system_context(runtime).service() as ctx:
        for job, slot in missing:
            await enqueue(ctx, job, {}, once_key=f"{job.name}@{slot}")
    runtime.planned.update((job.name, slot) for job, slot in missing)


async def forget_finished(ctx: Context, _payload: dict[str, Any]) -> None:
    """Delete done jobs older than the retention."""
    kept = timedelta(days=ctx.settings.jobs_retention_days)
    await forget(ctx, queries.EXPIRED, before=ctx.clock.now() - kept)


async def _keep_filled(runtime: Runtime, slots: Slots) -> None:
    counted_at = float("-inf")
    while slots.is_open:
        slots.changed.clear()
        try:
            await plan_periodic(runtime)
            await slots.fill()
            if monotonic() - counted_at > COUNT_EVERY_SECONDS:
                await _count(runtime)
                counted_at = monotonic()
        except Exception as problem:  # noqa: BLE001 - a worker that ended here would leave every later job undone
            _warn(problem)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(IDLE_SECONDS):
                await slots.changed.wait()


def _warn(problem: BaseException) -> None:
    if isinstance(problem, DatabaseConflict | DatabaseUnavailable):
        log.warning("jobs.database_away", reason=problem.internal)
    else:
        log.error("jobs.worker_failed", exc_info=problem)


async def _count(runtime: Runtime) -> None:
    async with system_context(runtime).service(writes=False) as ctx:
        counts = await queries.counts(ctx.db)
    runtime.metrics.jobs_stand({one.status: one.count for one in counts})


def _slot(every: timedelta, now: datetime) -> int:
    return int(now.timestamp() // every.total_seconds())
