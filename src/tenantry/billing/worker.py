"""Working on events: what each names is read from its provider and written. One worker runs in every server process."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

from tenantry.kernel import Context, Problem, new_id
from tenantry.kernel.context import system_context
from tenantry.kernel.logs import logger_of
from tenantry.kernel.problems import DatabaseConflict, DatabaseUnavailable
from tenantry.kernel.runtime import Runtime

from .applying import apply
from .errors import ProviderAway
from .inbox import Bell
from .providers import BillingProvider, BillingProviders
from .queries import inbox
from .reading import read_now
from .rows import StoredEvent
from .snapshots import PaymentSnapshot, SubscriptionSnapshot

BATCH = 20
LEASE_SECONDS = 120
IDLE_SECONDS = 1.0
ATTEMPTS_MAX = 12
"""Errors of ours, after which an event is dead; a provider that is away is waited for as long as it takes."""
PAUSE_SECONDS, PAUSE_SECONDS_MAX = 2, 3600

log = logger_of("tenantry.billing")


async def work(runtime: Runtime, stop: asyncio.Event) -> None:
    """Work on events as they come until `stop` is set; a database that is away is waited for."""
    bell = runtime.port(Bell)
    ringing = asyncio.create_task(_ring_at(stop, bell))
    try:
        while not stop.is_set():
            try:
                while not stop.is_set() and await drain(runtime):
                    pass
            except (DatabaseConflict, DatabaseUnavailable) as problem:
                log.warning("billing.database_away", reason=problem.internal)
            except Exception:
                log.exception("billing.worker_failed")
            await bell.wait(IDLE_SECONDS)
    finally:
        ringing.cancel()


async def drain(runtime: Runtime, *, limit: int = BATCH) -> int:
    """Work on one batch of due events; answers how many were claimed. Objects are worked on side by side."""
    ctx, lease = system_context(runtime), new_id()
    async with ctx.service() as working:
        claimed = await inbox.claim(working.db, lease, limit=limit, seconds=LEASE_SECONDS)
    objects: dict[tuple[object, ...], list[StoredEvent]] = {}
    for one in claimed:
        objects.setdefault((one.provider, one.object_kind, one.object_id), []).append(one)
    # All of them to their end: what goes on unseen would be beside the next batch, and after the stop.
    ended = await asyncio.gather(*(_see_to(ctx, lease, one) for one in objects.values()), return_exceptions=True)
    for failure in ended:
        if failure is not None:
            raise failure
    return len(claimed)


async def _ring_at(stop: asyncio.Event, bell: Bell) -> None:
    await stop.wait()
    bell.ring()


async def _see_to(ctx: Context, lease: UUID, events: Sequence[StoredEvent]) -> None:
    """Work on the claimed events of one object, and write down how it went."""
    try:
        await _work_on(ctx, lease, sorted(events, key=_order))
    except (DatabaseConflict, DatabaseUnavailable):
        # Nobody's fault: they are due again at once. Where even this cannot be said, the lease ends by itself.
        await _hand_back(ctx, lease, events, seconds=1)
    except asyncio.CancelledError:
        raise
    except Exception as error:
        log.warning("billing.event_failed", exc_info=error, event_id=str(events[0].id))
        await _fail(ctx, lease, events, error)


async def _work_on(ctx: Context, lease: UUID, events: Sequence[StoredEvent]) -> None:
    first = events[0]
    provider = ctx.port(BillingProviders).get(first.provider)
    if provider is None or first.object_kind is None or first.object_id is None:
        await _wait(ctx, lease, events, "the provider is not configured")
        return
    try:
        named = _named(provider, events)
        if await read_now(ctx, provider, first.object_kind, first.object_id, named=named):
            return
    except ProviderAway as away:
        await _take_their_word(ctx, lease, provider, events, str(away.internal or away))
        return
    # Somebody reads it now, and began before these were claimed.
    await _hand_back(ctx, lease, events, seconds=1)


def _named(provider: BillingProvider, events: Sequence[StoredEvent]) -> UUID | None:
    """Whom our checkout named, where a provider repeats that in its events only, as Lemon Squeezy does."""
    for one in events:
        for snapshot in provider.told(one.body) if one.body else ():
            if isinstance(snapshot, SubscriptionSnapshot | PaymentSnapshot) and snapshot.holder_id is not None:
                return snapshot.holder_id
    return None


async def _take_their_word(
    ctx: Context, lease: UUID, provider: BillingProvider, events: Sequence[StoredEvent], why: str
) -> None:
    """What the payloads say, where they are newer for certain; the rest waits until the object can be read."""
    for one in events:
        snapshots = provider.told(one.body) if one.body else []
        is_sure = False
        if snapshots:
            async with ctx.service() as working:
                is_sure = await apply(
                    working, one.provider, snapshots, read_at=None, occurred_at=one.occurred_at or one.received_at
                )
                if is_sure:
                    await inbox.finish(working.db, [one.id])
        if not is_sure:
            await _wait(ctx, lease, [one], why)


async def _wait(ctx: Context, lease: UUID, events: Sequence[StoredEvent], why: str) -> None:
    async with ctx.service() as working:
        for one in events:
            seconds = _pause(one.attempts)
            await inbox.put_off(working.db, one.id, lease, status="waiting", seconds=seconds, error=why[:1000])


async def _fail(ctx: Context, lease: UUID, events: Sequence[StoredEvent], error: Exception) -> None:
    told = str(error) if isinstance(error, Problem) else type(error).__name__
    async with ctx.service() as working:
        for one in events:
            status = "dead" if one.attempts >= ATTEMPTS_MAX else "received"
            await inbox.put_off(
                working.db, one.id, lease, status=status, seconds=_pause(one.attempts), error=told[:1000]
            )


async def _hand_back(ctx: Context, lease: UUID, events: Sequence[StoredEvent], *, seconds: int) -> None:
    try:
        async with ctx.service() as working:
            for one in events:
                await inbox.hand_back(working.db, one.id, lease, seconds=seconds)
    except (DatabaseConflict, DatabaseUnavailable) as problem:
        log.warning("billing.database_away", reason=problem.internal)


def _pause(attempts: int) -> int:
    doubled: int = PAUSE_SECONDS * 2 ** min(attempts, 20)
    return min(doubled, PAUSE_SECONDS_MAX)


def _order(event: StoredEvent) -> tuple[object, ...]:
    happened = event.occurred_at or event.received_at
    return happened, event.received_at, event.id
