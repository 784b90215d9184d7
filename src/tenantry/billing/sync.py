"""Bringing the rows to what the providers have, whatever events were lost: drift is counted and repaired."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

import msgspec

from tenantry.kernel import Context, new_id
from tenantry.kernel.audit import audit
from tenantry.kernel.problems import DatabaseConflict

from .applying import apply
from .figures import BillingFigures
from .holding import billing_of
from .inbox import store
from .merging import Told, merged_payment, merged_subscription
from .providers import BillingProvider
from .queries import catalogue, inbox, payments, subscriptions
from .rows import Payment, Subscription
from .snapshots import ObjectKind, PaymentSnapshot, Snapshot, SubscriptionSnapshot

Difference: TypeAlias = Literal["missing", "changed"]
KINDS: tuple[ObjectKind, ...] = ("product", "customer", "subscription", "payment")
CATALOGUE_SECONDS = 120
GAP = timedelta(days=3)
"""How far back a provider is asked for what it could not tell: Stripe tries for three days."""
EVERYTHING = "*"
DRIFT_REPAIRED = "billing.drift_repaired"
"""What the audit log calls it; its detail says how many `objects` there were."""
FOUND_MAX = 1000
ATTEMPTS_MAX, PAUSE_SECONDS = 5, 0.2
_OURS = {"id", "holder_id", "email", "price_id", "plan", "slot", "version", "fetched_at", "created_at", "access_until"}
"""What of a row is not the provider's, or moves though nothing happened."""


class Drift(msgspec.Struct, frozen=True):
    """One object that was not as its provider has it."""

    kind: ObjectKind
    external_id: str
    difference: Difference


class Report(msgspec.Struct):
    """What a sync of one provider found: how many objects it saw, and which were not as they are there."""

    provider: str
    seen: Counter[str] = msgspec.field(default_factory=Counter)
    drift: list[Drift] = msgspec.field(default_factory=list)


async def sync(ctx: Context, provider: BillingProvider, *, dry_run: bool = False) -> Report:
    """List everything a provider has and bring the rows to it; `dry_run` only tells. No unit is open.

    Twice in a row, the second changes nothing. Raises `ProviderAway`; what was repaired until then stays.
    """
    report = Report(provider.name)
    began = await _now(ctx)
    for kind in KINDS:
        async for read_at, page in _pages(ctx, provider, kind):
            await _take(ctx, provider, report, page, read_at=read_at, dry_run=dry_run)
    if not dry_run:
        async with ctx.service() as working:
            await catalogue.retire_unlisted(working.db, provider.name, before=began)
            if report.drift:
                told = {"provider": provider.name, "objects": len(report.drift)}
                await audit(working, DRIFT_REPAIRED, reason="sync", detail=told)
        ctx.port(BillingFigures).drifted(provider.name, report.drift)
    return report


async def sync_products(ctx: Context, provider: BillingProvider) -> bool:
    """Read what a provider sells; False when another process does so now, or has since this was called.

    All of it is written at once: nobody is ever shown half an offer, and the rows stay as they are on failure.
    """
    lease, asked = new_id(), ctx.clock.now()
    async with ctx.service() as working:
        began = await inbox.lock(working.db, provider.name, "products", EVERYTHING, lease, seconds=CATALOGUE_SECONDS)
        newest = await catalogue.newest(working.db, provider.name)
    if began is None:
        return False
    try:
        if newest is not None and newest >= asked:
            return False
        pages = [page async for page in _pages(ctx, provider, "product")]
        async with ctx.service() as working:
            for read_at, page in pages:
                await apply(working, provider.name, page, read_at=read_at)
            await catalogue.retire_unlisted(working.db, provider.name, before=began)
    finally:
        async with ctx.service(single=True) as working:
            await inbox.unlock(working.db, lease)
    return True


async def fill_gaps(ctx: Context, provider: BillingProvider, *, since: datetime) -> int:
    """Store what a provider tried in vain to tell since then, as if it had; answers how many were new."""
    found = 0
    async for hint in provider.missed(since):
        found += await store(ctx, provider.name, hint, body=None, headers={})
    return found


async def _take(
    ctx: Context,
    provider: BillingProvider,
    report: Report,
    page: Sequence[Snapshot],
    *,
    read_at: datetime,
    dry_run: bool,
) -> None:
    """Each object in a unit of its own: the holders of two are never locked together."""
    for one in page:
        drift = await _take_one(ctx, provider, one, read_at=read_at, dry_run=dry_run)
        report.seen[type(one).__name__.removesuffix("Snapshot").lower()] += 1
        if drift is not None and len(report.drift) < FOUND_MAX:
            report.drift.append(drift)


async def _take_one(
    ctx: Context, provider: BillingProvider, one: Snapshot, *, read_at: datetime, dry_run: bool
) -> Drift | None:
    for attempt in range(1, ATTEMPTS_MAX + 1):
        try:
            async with ctx.service(writes=not dry_run) as working:
                drift = await _difference(working, Told(provider.name, read_at, read_at), one)
                if not dry_run:
                    await apply(working, provider.name, [one], read_at=read_at)
        except DatabaseConflict:
            # Somebody was at the same thing: that costs a moment, and not the whole listing.
            if attempt == ATTEMPTS_MAX:
                raise
            await asyncio.sleep(PAUSE_SECONDS * attempt)
        else:
            return drift
    return None


async def _difference(ctx: Context, told: Told, snapshot: Snapshot) -> Drift | None:
    match snapshot:
        case SubscriptionSnapshot():
            held = await subscriptions.subscription(ctx.db, told.provider, snapshot.external_id)
            row = merged_subscription(held, snapshot, told, billing=billing_of(ctx))
            return _drift("subscription", held, row, snapshot)
        case PaymentSnapshot() if snapshot.external_id is not None:
            known = await payments.payment(ctx.db, told.provider, snapshot.external_id)
            return _drift("payment", known, merged_payment(known, snapshot, told), snapshot)
        case _:
            return None


def _drift(
    kind: ObjectKind,
    old: Subscription | Payment | None,
    row: Subscription | Payment | None,
    snapshot: SubscriptionSnapshot | PaymentSnapshot,
) -> Drift | None:
    if old is None:
        return Drift(kind, str(snapshot.external_id), "missing")
    if row is None or _theirs(row) == _theirs(old):
        return None
    return Drift(kind, str(snapshot.external_id), "changed")


def _theirs(row: Subscription | Payment) -> dict[str, object]:
    return {name: value for name, value in msgspec.structs.asdict(row).items() if name not in _OURS}


async def _pages(
    ctx: Context, provider: BillingProvider, kind: ObjectKind
) -> AsyncIterator[tuple[datetime, list[Snapshot]]]:
    """The pages of a listing, each with the database's time before it was asked for."""
    pages = aiter(provider.listed(kind))
    while True:
        read_at = await _now(ctx)
        try:
            page = await anext(pages)
        except StopAsyncIteration:
            return
        yield read_at, page


async def _now(ctx: Context) -> datetime:
    async with ctx.service(writes=False) as reading:
        return await inbox.database_now(reading.db)
