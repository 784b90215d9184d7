"""Who is gone is not charged again: a closed account's subscriptions end with their period, an organization's now."""

from typing import Any
from uuid import UUID

from tenantry.identity.events import UserDeletion
from tenantry.kernel import Context
from tenantry.kernel.audit import audit
from tenantry.kernel.jobs import enqueue
from tenantry.kernel.module import Job
from tenantry.organizations.events import OrganizationDeleted

from .errors import ChangeRefused, ProviderUnconfigured
from .providers import BillingProvider, BillingProviders, Cancel
from .queries import payments, subscriptions
from .reading import change_now, read_now
from .rows import Subscription
from .snapshots import TERMINAL, ExternalId, SubscriptionSnapshot

USER = "user_id"
ORGANIZATION, PROVIDER, EXTERNAL = "organization_id", "provider", "external_id"


async def stop_charging(ctx: Context, event: UserDeletion) -> None:
    """Have the provider told, after the account is closed and as often as it takes."""
    await enqueue(ctx, STOP_CHARGING, {USER: str(event.user_id)})


async def stop_charging_organization(ctx: Context, event: OrganizationDeleted) -> None:
    """The same for an organization, of which nothing is left by then: a job for each of its subscriptions."""
    if event.holder_id is None:
        return
    for row in await subscriptions.going_on(ctx.db, event.holder_id):
        told = {ORGANIZATION: str(event.organization_id), PROVIDER: row.provider, EXTERNAL: row.external_id}
        await enqueue(ctx, STOP_SUBSCRIPTION, told)
    # Its payments are nobody's then, and may stand for another organization of their buyer's: not as new ones.
    await payments.keep_facts(ctx.db, event.holder_id, organization=event.organization_id)


async def _stop_subscription(ctx: Context, payload: dict[str, Any]) -> None:
    """Until it is over at the provider. Nothing is written of it but that: what it was went with the organization."""
    provider, external_id = ctx.port(BillingProviders).get(payload[PROVIDER]), payload[EXTERNAL]
    if provider is None:
        raise ProviderUnconfigured
    try:
        await provider.change(external_id, Cancel(at_once=True))
    except ChangeRefused:
        if not await _is_over(provider, external_id):
            raise
    async with ctx.service() as working:
        subject = ("organization", UUID(payload[ORGANIZATION]))
        detail = {"provider": provider.name, "subscription": external_id, "at_once": True}
        await audit(working, "billing.cancelled", subject=subject, reason="it was deleted", detail=detail)


async def _is_over(provider: BillingProvider, external_id: ExternalId) -> bool:
    found = await provider.read("subscription", external_id)
    return all(one.status in TERMINAL for one in found if isinstance(one, SubscriptionSnapshot))


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
STOP_SUBSCRIPTION = Job("billing.stop_subscription", _stop_subscription, attempts=20)
