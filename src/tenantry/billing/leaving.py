"""Whoever closes their account is not charged again: what goes on at a provider is told to end with its period."""

from typing import Any
from uuid import UUID

from tenantry.identity.events import UserDeletion
from tenantry.kernel import Context
from tenantry.kernel.audit import audit
from tenantry.kernel.jobs import enqueue
from tenantry.kernel.module import Job

from .applying import apply
from .errors import ChangeRefused, ProviderUnconfigured
from .providers import BillingProviders, Cancel
from .queries import inbox, subscriptions
from .rows import Subscription

USER = "user_id"


async def stop_charging(ctx: Context, event: UserDeletion) -> None:
    """Have the provider told, after the account is closed and as often as it takes."""
    await enqueue(ctx, STOP_CHARGING, {USER: str(event.user_id)})


async def _stop_charging(ctx: Context, payload: dict[str, Any]) -> None:
    """A provider that does not answer is asked again; one that is not configured leaves a dead job to be seen."""
    async with ctx.service(writes=False) as reading:
        going_on = await subscriptions.renewed_of_user(reading.db, UUID(payload[USER]))
    for row in going_on:
        await _cancel(ctx, row)


async def _cancel(ctx: Context, row: Subscription) -> None:
    provider = ctx.port(BillingProviders).get(row.provider)
    if provider is None:
        raise ProviderUnconfigured
    async with ctx.service(writes=False) as reading:
        read_at = await inbox.database_now(reading.db)
    try:
        snapshots = await provider.change(row.external_id, Cancel())
    except ChangeRefused:
        # It has ended there meanwhile, which is what was wanted; else the next try is refused too, and is seen.
        snapshots = await provider.read("subscription", row.external_id)
    async with ctx.service() as working:
        await audit(
            working,
            "billing.cancelled",
            subject=("subscription", row.id),
            reason="the account was closed",
            detail={"provider": provider.name},
        )
        await apply(working, provider.name, snapshots, read_at=read_at)


STOP_CHARGING = Job("billing.stop_charging", _stop_charging, attempts=20)
