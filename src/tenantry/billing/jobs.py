"""What billing does by the clock."""

from datetime import timedelta
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
from .providers import BillingProviders
from .queries import inbox, owners, payments, subscriptions
from .reading import read_now
from .sync import GAP, fill_gaps, sync, sync_products
from .worker import drain

BATCH = 100
FIRST = UUID(int=0)
BODIES_KEPT = timedelta(days=90)
"""Longer than any provider's own record; what was received can be shown to have been signed until then."""
TOLD_BEFORE = (timedelta(days=3), timedelta(days=1))

log = logger_of("tenantry.billing")


async def _sweep(ctx: Context, _payload: dict[str, Any]) -> None:
    """What the moment's events did not settle: ended access, plans that lapsed, purchases that are nobody's."""
    while await drain(ctx.runtime):
        pass
    await _settle_lapsed(ctx)
    await _read_due(ctx)
    await link_unlinked(ctx)
    async with ctx.service(writes=False) as reading:
        events, unlinked = await inbox.counts(reading.db), await subscriptions.unlinked_count(reading.db)
    ctx.port(BillingFigures).stand(events, unlinked)


async def _settle_lapsed(ctx: Context) -> None:
    """Write down that a plan has ended. It has been out of force since, wherever it is read."""
    async with ctx.service(writes=False) as reading:
        lapsed = await owners.lapsed(reading.db, limit=BATCH)
    for holder in lapsed:
        async with ctx.service() as working:
            if await owners.lock_by_id(working.db, holder) is not None:
                await recompute(working, holder)


async def _read_due(ctx: Context) -> None:
    """Read again what should have been renewed by now; the provider may have told nobody."""
    async with ctx.service(writes=False) as reading:
        now = await inbox.database_now(reading.db)
        due = await subscriptions.due(reading.db, before=now, after=FIRST, limit=BATCH)
    for row in due:
        provider = ctx.port(BillingProviders).get(row.provider)
        is_fresh = row.fetched_at is not None and row.fetched_at > now - timedelta(minutes=30)
        if provider is None or is_fresh:
            continue
        try:
            await read_now(ctx, provider, "subscription", row.external_id)
        except ProviderAway as away:
            log.warning("billing.provider_away", provider=row.provider, reason=away.internal)
            return


async def _remind(ctx: Context, _payload: dict[str, Any]) -> None:
    """Announce the trials that end soon, each time once."""
    for before in TOLD_BEFORE:
        async with ctx.service(writes=False) as reading:
            found = await subscriptions.trials_ending(reading.db, within=before, limit=1000)
        for row in found:
            if row.holder_id is None or row.trial_ends_at is None:
                continue
            fact = f"subscription:{row.provider}:{row.external_id}:trial_ending"
            told = f"{fact}:{row.trial_ends_at.isoformat()}:{before.days}"
            async with ctx.service() as working:
                if await payments.add_fact(working.db, told, row.holder_id):
                    await working.emit(TrialEnding(row.holder_id, row.id, row.trial_ends_at))


async def _sync_products(ctx: Context, _payload: dict[str, Any]) -> None:
    """Keep what is sold fresh; one process of all does it."""
    for provider in ctx.port(BillingProviders):
        try:
            await sync_products(ctx, provider)
        except ProviderAway as away:
            log.warning("billing.provider_away", provider=provider.name, reason=away.internal)


async def _sync_everything(ctx: Context, _payload: dict[str, Any]) -> None:
    """List what each provider has, repair and count what differs, and ask for what it could not tell."""
    for provider in ctx.port(BillingProviders):
        try:
            await fill_gaps(ctx, provider, since=ctx.clock.now() - GAP)
            report = await sync(ctx, provider)
        except ProviderAway as away:
            log.warning("billing.provider_away", provider=provider.name, reason=away.internal)
        else:
            log.info("billing.synced", provider=provider.name, seen=dict(report.seen), drift=len(report.drift))


async def _forget(ctx: Context, _payload: dict[str, Any]) -> None:
    """Empty old events, keep their keys; forget locks whose reader died."""
    async with ctx.service(single=True) as working:
        await inbox.forget_bodies(working.db, ctx.clock.now() - BODIES_KEPT)
    await forget(ctx, inbox.EXPIRED_LOCKS, before=ctx.clock.now() - timedelta(days=1))


JOBS = (
    Job("billing.sweep", _sweep, every=timedelta(minutes=1)),
    Job("billing.remind", _remind, every=timedelta(minutes=10)),
    Job("billing.sync_products", _sync_products, every=timedelta(minutes=5)),
    Job("billing.sync", _sync_everything, every=timedelta(days=1)),
    Job("billing.forget", _forget, every=timedelta(hours=1)),
)
