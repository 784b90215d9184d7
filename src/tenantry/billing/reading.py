"""Asking a provider and writing what it answers: one reader of an object at a time, and no unit open meanwhile."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from tenantry.kernel import Context, new_id
from tenantry.kernel.audit import audit
from tenantry.kernel.problems import DatabaseConflict, DatabaseUnavailable

from .applying import apply
from .errors import ProviderAway, ProviderUnconfigured
from .providers import BillingProvider, BillingProviders, Change
from .queries import inbox, owners, subscriptions
from .rows import Subscription
from .snapshots import ExternalId, ObjectKind, PaymentSnapshot, Snapshot, SubscriptionSnapshot

LOCK_SECONDS = 60
"""Longer than a provider may take to answer; who dies while reading keeps others waiting for so long at most."""
MARGIN_SECONDS = 10
"""How long before that a reading is given up, so that what was read can still be written."""


async def read_now(
    ctx: Context,
    provider: BillingProvider,
    kind: ObjectKind,
    external_id: ExternalId,
    *,
    unless_since: datetime | None = None,
    named: UUID | None = None,
) -> bool:
    """Read an object and write it, with all that is waiting to be read of it settled; False: it was not read.

    Then somebody else reads it now, or has read this subscription since `unless_since`. `named`: whose it is where the
    provider does not say so. The reading begins after the lock is had: whatever was told before it, the answer is at
    least as new. Raises `ProviderAway`; then nothing was written.
    """
    lease = new_id()
    async with ctx.service() as working:
        read_at = await inbox.lock(working.db, provider.name, kind, external_id, lease, seconds=LOCK_SECONDS)
        told = await inbox.open_of_object(working.db, provider.name, kind, external_id) if read_at else []
    if read_at is None:
        return False
    try:
        if unless_since is not None and await _was_read(ctx, provider, external_id, unless_since):
            await _unlock(ctx, lease)
            return False
        snapshots = await _read(provider, kind, external_id)
        async with ctx.service() as working:
            if not await inbox.still_locked(working.db, provider.name, kind, external_id, lease):
                return False
            await apply(working, provider.name, _naming(snapshots, named), read_at=read_at)
            if kind == "subscription" and not snapshots:
                await subscriptions.read_in_vain(working.db, provider.name, external_id, read_at)
            await inbox.finish(working.db, told)
            await inbox.unlock(working.db, lease)
    except BaseException:
        # Not left to its end: the next one need not wait. What cannot be said now ends by itself.
        with suppress(DatabaseConflict, DatabaseUnavailable):
            await _unlock(ctx, lease)
        raise
    return True


async def _read(provider: BillingProvider, kind: ObjectKind, external_id: ExternalId) -> list[Snapshot]:
    """Done before the lock ends: else others would begin the same, and none of them would ever be the one to write."""
    try:
        async with asyncio.timeout(LOCK_SECONDS - MARGIN_SECONDS):
            return await provider.read(kind, external_id)
    except TimeoutError:
        raise ProviderAway(internal=f"{provider.name}: a {kind} takes too long to read") from None


def _naming(snapshots: Sequence[Snapshot], holder: UUID | None) -> list[Snapshot]:
    return [
        msgspec.structs.replace(one, holder_id=holder)
        if isinstance(one, SubscriptionSnapshot | PaymentSnapshot) and one.holder_id is None
        else one
        for one in snapshots
    ]


async def _unlock(ctx: Context, lease: UUID) -> None:
    async with ctx.service(single=True) as working:
        await inbox.unlock(working.db, lease)


async def _was_read(ctx: Context, provider: BillingProvider, external_id: ExternalId, since: datetime) -> bool:
    async with ctx.service(writes=False) as reading:
        found = await subscriptions.subscription(reading.db, provider.name, external_id)
    return found is not None and found.fetched_at is not None and found.fetched_at >= since


async def change_now(
    ctx: Context,
    row: Subscription,
    change: Change,
    *,
    done: str,
    detail: Mapping[str, object],
    reason: str | None = None,
) -> None:
    """Have the provider change a subscription, and write what it then is, audited as `billing.<done>`; no unit is open.

    Raises `ChangeRefused`, `ProviderAway` and `ProviderUnconfigured`; then nothing was written.
    """
    provider = ctx.port(BillingProviders).get(row.provider)
    if provider is None:
        raise ProviderUnconfigured
    async with ctx.service(writes=False) as reading:
        read_at = await inbox.database_now(reading.db)
    snapshots = await provider.change(row.external_id, change)
    async with ctx.service() as working:
        told = {"provider": provider.name, **detail}
        await audit(working, f"billing.{done}", subject=("subscription", row.id), reason=reason, detail=told)
        await apply(working, provider.name, snapshots, read_at=read_at)


async def refresh(ctx: Context, holder_id: UUID, *, older_than: timedelta, budget_seconds: float) -> None:
    """Read those of a holder's live subscriptions again that were read longer ago; no unit is open.

    However many ask at once, each is read once. What the budget does not suffice for, or the provider does not answer,
    stays as it was.
    """
    async with ctx.service(writes=False) as reading:
        found = await owners.held(reading.db, holder_id)
    if found is None:
        return
    was, rows = found
    providers = ctx.port(BillingProviders)
    stale = [
        (provider, one.external_id)
        for one in rows
        if one.ended_at is None
        and (one.fetched_at is None or one.fetched_at <= was.at - older_than)
        and (provider := providers.get(one.provider)) is not None
    ]
    with suppress(TimeoutError, ProviderAway, DatabaseConflict):
        async with asyncio.timeout(budget_seconds):
            for provider, external_id in stale:
                await read_now(ctx, provider, "subscription", external_id, unless_since=was.at)
