"""The worker: claims due jobs by lease, runs them, and writes down how it went. One runs in every server process."""

import asyncio
import contextlib
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from ..context import Actor, Context, system_context
from ..database.failures import DatabaseConflict, DatabaseUnavailable
from ..ids import new_id
from ..logs import logger_of
from ..module import Job
from ..runtime import Runtime
from . import queries

LEASE_SECONDS = 120
BATCH = 10
IDLE_SECONDS = 0.5
LONGEST_DELAY_SECONDS = 3600
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


async def work(runtime: Runtime, stop: asyncio.Event) -> None:
    """Run jobs until `stop` is set; a database that is away is waited for."""
    counted_at = float("-inf")
    while not stop.is_set():
        try:
            await plan_periodic(runtime)
            busy = await run_due(runtime)
            if monotonic() - counted_at > COUNT_EVERY_SECONDS:
                await _count(runtime)
                counted_at = monotonic()
        except (DatabaseConflict, DatabaseUnavailable) as problem:
            log.warning("jobs.database_away", reason=problem.internal)
            busy = 0
        except Exception:
            # A worker that ended here would leave every later job undone.
            log.exception("jobs.worker_failed")
            busy = 0
        if not busy:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), IDLE_SECONDS)


async def run_due(runtime: Runtime) -> int:
    """Claim and run one batch; answers how many jobs were run."""
    lease = new_id()
    ctx = system_context(runtime)
    async with ctx.service() as working:
        claimed = await queries.claim(working.db, lease, limit=BATCH, seconds=LEASE_SECONDS)
    ended = await asyncio.gather(*(_run(ctx, lease, one) for one in claimed), return_exceptions=True)
    for failure in ended:
        if failure is not None:
            raise failure
    return len(claimed)


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


async def _count(runtime: Runtime) -> None:
    async with system_context(runtime).service(writes=False) as ctx:
        counts = await queries.counts(ctx.db)
    runtime.metrics.jobs_stand({one.status: one.count for one in counts})


def _slot(every: timedelta, now: datetime) -> int:
    return int(now.timestamp() // every.total_seconds())


async def _run(ctx: Context, lease: Any, claimed: queries.Claimed) -> None:
    error = await _attempt(ctx, claimed)
    ctx.runtime.metrics.job_ran(claimed.name, succeeded=error is None)
    async with ctx.service() as working:
        if error is None:
            await queries.finish(working.db, claimed.id, lease)
            return
        delay = min(2**claimed.attempts, LONGEST_DELAY_SECONDS)
        await queries.fail(working.db, claimed.id, lease, error=error, delay_seconds=delay)
    log.warning("jobs.failed", job=claimed.name, id=str(claimed.id), attempts=claimed.attempts, error=error)


async def _attempt(ctx: Context, claimed: queries.Claimed) -> str | None:
    job = ctx.runtime.jobs.get(claimed.name)
    if job is None:
        return f"no room knows a job named {claimed.name}"
    actor = ctx.actor if claimed.actor_id is None else Actor("user", user_id=claimed.actor_id)
    try:
        async with asyncio.timeout(LEASE_SECONDS - 10):
            await job.run(Context(ctx.runtime, actor, ctx.origin), claimed.payload)
    except Exception as error:  # noqa: BLE001 - whatever a job raises is its failure, not the worker's
        # What is no text for a database (NUL, half a surrogate) must not keep the failure from being written down.
        told = f"{type(error).__name__}: {error}".encode(errors="replace").decode().replace("\0", "?")
        return told[:500]
    return None


async def forget_finished(ctx: Context) -> None:
    """Delete done jobs older than the retention, a bounded batch per unit."""
    before = ctx.clock.now() - timedelta(days=ctx.settings.jobs_retention_days)
    deleted = 1
    while deleted:
        async with ctx.service() as working:
            deleted = await queries.forget(working.db, before=before)
