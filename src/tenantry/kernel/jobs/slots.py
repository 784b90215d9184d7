"""Slots: claimed jobs run side by side, each until it ends, and how each went is written down."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

import msgspec

from ..context import Actor, Context
from ..database.failures import DatabaseConflict, DatabaseUnavailable
from ..ids import new_id
from ..logs import logger_of
from . import queries

SLOTS = 10
LEASE_SECONDS = 120
MARGIN_SECONDS = 10
"""How long before its lease ends a job is cut off, so that how it went can still be written down."""
GRACE_SECONDS = 10
"""How long the jobs that run when the server stops may go on."""
HAND_BACK_SECONDS = 5
"""How long, after the grace, the stop waits for interrupted jobs to be handed back."""
LONGEST_DELAY_SECONDS = 3600

log = logger_of("tenantry.jobs")


class Held(msgspec.Struct):
    """A claimed job, and until when on this process' clock it is ours; what may last longer is held anew."""

    job: queries.Claimed
    lease: UUID
    until: float


class Slots:
    """At most `SLOTS` jobs at a time; a slot is free again as soon as its job has ended, whatever the others do.

    `failed` is told what kept an ended job from being written down. Its lease then ends by itself.
    """

    def __init__(self, ctx: Context, failed: Callable[[BaseException], None]) -> None:
        self._ctx = ctx
        self._failed = failed
        self._attempts: dict[asyncio.Task[None], asyncio.Task[str | None]] = {}
        self._is_closing = False
        self.changed = asyncio.Event()
        """Set whenever a slot became free, and when no job is started any more."""

    @property
    def is_open(self) -> bool:
        """Whether jobs are still started."""
        return not self._is_closing

    async def fill(self) -> int:
        """Claim as many due jobs as slots are free and start them; answers how many those were."""
        free = SLOTS - len(self._attempts)
        if self._is_closing or not free:
            return 0
        # Read before the claim: the lease then lasts at least as long as we believe.
        until, lease = asyncio.get_running_loop().time() + LEASE_SECONDS, new_id()
        async with self._ctx.service() as working:
            claimed = await queries.claim(working.db, lease, limit=free, seconds=LEASE_SECONDS)
        for one in claimed:
            self._start(Held(one, lease, until))
        return len(claimed)

    async def end(self, *beside: asyncio.Task[None], grace_seconds: float) -> None:
        """Start nothing more, give what runs the grace, then interrupt it; the same for the tasks `beside`.

        An interrupted job is handed back as if it had not been tried: any worker may take it at once. This takes
        `HAND_BACK_SECONDS` longer than the grace at most; who ignores being cancelled is left behind.
        """
        self._is_closing = True
        self.changed.set()
        await self._wait(beside, grace_seconds)
        for task in (*beside, *self._attempts.values()):
            task.cancel()
        await self._wait(beside, HAND_BACK_SECONDS)
        if self._attempts:
            log.warning("jobs.left_behind", count=len(self._attempts), lease_seconds=LEASE_SECONDS)

    async def wait(self) -> None:
        """Wait until every slot is free."""
        while self._attempts:
            await asyncio.wait(self._attempts)

    async def _wait(self, beside: Iterable[asyncio.Task[None]], seconds: float) -> None:
        now = asyncio.get_running_loop().time
        until = now() + seconds
        # A claim that was on its way may still bring jobs.
        while (left := {*self._attempts, *(one for one in beside if not one.done())}) and now() < until:
            await asyncio.wait(left, timeout=until - now(), return_when=asyncio.FIRST_COMPLETED)

    def _start(self, held: Held) -> None:
        attempt = asyncio.create_task(_attempt(self._ctx, held))
        if self._is_closing:
            # Claimed while the stop was told: it is handed back before it began.
            attempt.cancel()
        slot = asyncio.create_task(_see_through(self._ctx, held, attempt))
        self._attempts[slot] = attempt
        slot.add_done_callback(self._free)

    def _free(self, slot: asyncio.Task[None]) -> None:
        del self._attempts[slot]
        self.changed.set()
        if not slot.cancelled() and (failure := slot.exception()) is not None:
            self._failed(failure)


async def _attempt(ctx: Context, held: Held) -> str | None:
    """Run the job; answers what it failed of, None when it succeeded. Raises CancelledError when it was interrupted."""
    claimed, task = held.job, asyncio.current_task()
    job = ctx.runtime.jobs.get(claimed.name)
    if job is None:
        return f"no room knows a job named {claimed.name}"
    actor = ctx.actor if claimed.actor_id is None else Actor("user", user_id=claimed.actor_id)
    try:
        async with asyncio.timeout_at(held.until - MARGIN_SECONDS) as bound, _kept(ctx, held, job.lasts, bound):
            await job.run(Context(ctx.runtime, actor, ctx.origin), claimed.payload)
    except (Exception, asyncio.CancelledError) as error:
        # What is raised on the way out of an interruption tells nothing about the job; and a job may raise
        # CancelledError without anybody having interrupted it.
        if task is not None and task.cancelling():
            raise asyncio.CancelledError from error
        # What is no text for a database (NUL, half a surrogate) must not keep the failure from being written down.
        told = f"{type(error).__name__}: {error}".encode(errors="replace").decode().replace("\0", "?")
        return told[:500]
    return None


@asynccontextmanager
async def _kept(ctx: Context, held: Held, lasts: timedelta | None, bound: asyncio.Timeout) -> AsyncIterator[None]:
    """Hold the job anew as long as it may last."""
    keeping = None if lasts is None else asyncio.create_task(_keep(ctx, held, lasts.total_seconds(), bound))
    try:
        yield
    finally:
        if keeping is not None:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)


async def _keep(ctx: Context, held: Held, seconds: float, bound: asyncio.Timeout) -> None:
    now = asyncio.get_running_loop().time
    ends = now() + seconds
    while now() < ends:
        await asyncio.sleep(max(held.until - MARGIN_SECONDS - now(), 0.1) / 3)
        asked = now()
        try:
            async with ctx.service() as working:
                is_ours = await queries.renew(working.db, held.job.id, held.lease, seconds=LEASE_SECONDS)
        except (DatabaseConflict, DatabaseUnavailable):
            # Tried again, until the lease ends.
            continue
        if not is_ours:
            bound.reschedule(now())
            return
        held.until = asked + LEASE_SECONDS
        bound.reschedule(min(held.until - MARGIN_SECONDS, max(ends, now())))


async def _see_through(ctx: Context, held: Held, attempt: asyncio.Task[str | None]) -> None:
    """Wait for the attempt and write down how it went. Nobody interrupts this; whoever tries interrupts the job."""
    while not attempt.done():
        try:
            await asyncio.wait([attempt])
        except asyncio.CancelledError:
            attempt.cancel()
    async with asyncio.timeout_at(held.until), ctx.service() as working:
        if attempt.cancelled():
            await queries.hand_back(working.db, held.job.id, held.lease)
        elif (error := attempt.result()) is None:
            await queries.finish(working.db, held.job.id, held.lease)
        else:
            delay = min(2**held.job.attempts, LONGEST_DELAY_SECONDS)
            await queries.fail(working.db, held.job.id, held.lease, error=error, delay_seconds=delay)
    _tell(ctx, held, attempt)


def _tell(ctx: Context, held: Held, attempt: asyncio.Task[str | None]) -> None:
    job = held.job
    if attempt.cancelled():
        log.info("jobs.handed_back", job=job.name, id=str(job.id))
        return
    error = attempt.result()
    ctx.runtime.metrics.job_ran(job.name, succeeded=error is None)
    if error is not None:
        log.warning("jobs.failed", job=job.name, id=str(job.id), attempts=job.attempts, error=error)
