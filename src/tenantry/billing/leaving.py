"""Whoever closes their account is not charged again: what goes on at a provider is told to end with its period."""

from typing import Any
from uuid import UUID

from tenantry.identity.events import UserDeletion
from tenantry.kernel import Context
from tenantry.kernel.jobs import enqueue
from tenantry.kernel.module import Job

from .errors import ChangeRefused
from .providers import BillingProviders, Cancel
from .queries import subscriptions
from .reading import change_now, read_now
from .rows import Subscription

USER = "user_id"


async def stop_charging(ctx: Context, event: UserDeletion) -> None:
    """Have the provider told, after the account is closed and as often as it takes."""
    await enqueue(ctx, STOP_CHARGING, {USER: str(event.user_id)})


async def _stop_charging(ctx: Context, payload: dict[str, Any]) -> None:
    """Until nothing goes on; a provider that is away or refuses is asked again, and in the end the job dies, seen."""
    user = UUID(payload[USER])
    for row in await _going_on(ctx, user):
        try:
            await change_now(ctx, row, Cancel(), done="cancelled", detail={}, reason="the account was closed")
        except ChangeRefused:
            # It may have ended there meanwhile, which is what was wanted.
            if (provider := ctx.port(BillingProviders).get(row.provider)) is not None:
                await read_now(ctx, provider, "subscription", row.external_id)
            if row.id in {one.id for one in await _going_on(ctx, user)}:
                raise


async def _going_on(ctx: Context, user: UUID) -> list[Subscription]:
    async with ctx.service(writes=False) as reading:
        return await subscriptions.renewed_of_user(reading.db, user)


STOP_CHARGING = Job("billing.stop_charging", _stop_charging, attempts=20)
