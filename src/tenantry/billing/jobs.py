"""What billing does by the clock."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from random import sample
from time import monotonic
from typing import Any
from uuid import UUID

from tenantry.kernel import Context
from tenantry.kernel.logs import logger_of
from tenantry.kernel.module import Job
from tenantry.kernel.retention import forget

from .claims import link_unlinked
from .errors import ProviderAway
from .events import TrialEnding
from .figures import BillingFigures
from .holding import recompute
from .providers import BillingProvider, BillingProviders
from .queries import inbox, owners, payments, subscriptions
from .reading import read_now
from .rows import Subscription
from .sync import GAP, fill_gaps, sync, sync_products
from .worker import drain

BATCH = 100
PAGES_MAX = 50
UNREAD = timedelta(minutes=30)
"""How long what was read is left alone, though it is due still."""
ASKING_SECONDS = 30
"""How long a sweep asks providers, and goes through events; a job is cut off after two minutes."""
FAILURES_MAX = 3
FIRST = UUID(int=0)
BODIES_KEPT = timedelta(days=90)
"""Longer than any provider's own record; what was received can be shown to have been signed until then."""
TOLD_BEFORE = (timedelta(days=3), timedelta(days=1))

log = logger_of("tenantry.billing")


async def _sweep(ctx: Context, _payload: dict[str, Any]) -> None:
    """What the moment's events did not settle: ended access, plans that lapsed, purchases that are nobody's.

    Each part is bounded and none waits for another: with a provider that hangs, plans are written down all the same.
    """
    await _settle_lapsed(ctx)
    await link_unlinked(ctx)
    async with ctx.service(writes=False) as reading:
        events, unlinked = await inbox.counts(reading.db), await subscriptions.unlinked_count(reading.db)
    ctx.port(BillingFigures).stand(events, unlinked)
    # Providers are asked last: how long they take is theirs.
    await _read_due(ctx)
    ends = monotonic() + ASKING_SECONDS
    while await drain(ctx.runtime) and monotonic() < ends:
        pass


async def _settle_lapsed(ctx: Context) -> None:
    """Write down that a plan has ended. It has been out of force since, wherever it is read."""
    for _ in range(PAGES_MAX):
        async with ctx.service(writes=False) as reading:
            lapsed = await owners.lapsed(reading.db, limit=BATCH)
        for holder in lapsed:
            async with ctx.service() as working:
                if await owners.lock_by_id(working.db, holder) is not None:
                    await recompute(working, holder)
        if len(lapsed) < BATCH:
            return


async def _read_due(ctx: Context) -> None:
    """Read again what should have been renewed by now; the provider may have told nobody.

    Those that were read longest ago go first, so that none keeps others waiting that is due for ever. Who does not
    answer is not asked again for a while; an object that cannot be read does not stop those behind it.
    """
    ends, failures = monotonic() + ASKING_SECONDS, Counter[str]()
    for provider in ctx.port(BillingProviders):
        async with ctx.service(writes=False) as reading:
            due = await subscriptions.due(reading.db, provider.name, unread=UNREAD, limit=10 * BATCH)
        # In no order: the first could be the ones that cannot be read.
        for row in sample(due, min(len(due), BATCH)):
            if failures[provider.name] >= FAILURES_MAX or monotonic() > ends:
                break
            try:
                await read_now(ctx, provider, "subscription", row.external_id)
            except ProviderAway as away:
                failures[provider.name] += 1
                log.warning("billing.provider_away", provider=row.provider, reason=away.internal)


async def _remind(ctx: Context, _payload: dict[str, Any]) -> None:
    """Announce the trials that end soon, each time once."""
    for before in TOLD_BEFORE:
        after = FIRST
        while True:
            async with ctx.service(writes=False) as reading:
                found = await subscriptions.trials_ending(reading.db, within=before, after=after, limit=BATCH)
            for row in found:
                await _remind_of(ctx, row, before)
            if len(found) < BATCH:
                break
            after = found[-1].id


async def _remind_of(ctx: Context, row: Subscription, before: timedelta) -> None:
    if row.holder_id is None or row.trial_ends_at is None:
        return
    fact = f"subscription:{row.provider}:{row.external_id}:trial_ending"
    told = f"{fact}:{row.trial_ends_at.isoformat()}:{before.days}"
    async with ctx.service() as working:
        if await payments.add_fact(working.db, told, row.holder_id):
            await working.emit(TrialEnding(row.holder_id, row.id, row.trial_ends_at))


async def _sync_products(ctx: Context, _payload: dict[str, Any]) -> None:
    """Keep what is sold fresh; one process of all does it."""
    for provider in ctx.port(BillingProviders):
        with _alone(provider):
            await sync_products(ctx, provider)


async def _sync_everything(ctx: Context, _payload: dict[str, Any]) -> None:
    """List what each provider has, repair and count what differs, and ask for what it could not tell."""
    for provider in ctx.port(BillingProviders):
        with _alone(provider):
            await fill_gaps(ctx, provider, since=ctx.clock.now() - GAP)
        with _alone(provider):
            report = await sync(ctx, provider)
            log.info("billing.synced", provider=provider.name, seen=dict(report.seen), drift=len(report.drift))


@contextmanager
def _alone(provider: BillingProvider) -> Iterator[None]:
    """What fails with one provider keeps nothing from the next."""
    try:
        yield
    except ProviderAway as away:
        log.warning("billing.provider_away", provider=provider.name, reason=away.internal)
    except Exception:
        log.exception("billing.sync_failed", provider=provider.name)


async def _forget(ctx: Context, _payload: dict[str, Any]) -> None:
    """Empty old events, keep their keys; forget locks whose reader died."""
    emptied = inbox.FORGOTTEN_AT_ONCE
    while emptied == inbox.FORGOTTEN_AT_ONCE:
        async with ctx.service(single=True) as working:
            emptied = await inbox.forget_bodies(working.db, ctx.clock.now() - BODIES_KEPT)
    await forget(ctx, inbox.EXPIRED_LOCKS, before=ctx.clock.now() - timedelta(days=1))


JOBS = (
    Job("billing.sweep", _sweep, every=timedelta(minutes=1)),
    Job("billing.remind", _remind, every=timedelta(minutes=10)),
    Job("billing.sync_products", _sync_products, every=timedelta(minutes=5)),
    Job("billing.sync", _sync_everything, every=timedelta(days=1), lasts=timedelta(hours=20)),
    Job("billing.forget", _forget, every=timedelta(hours=1)),
)
