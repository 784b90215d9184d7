"""Making sure that what is shown is what the provider knows."""

import asyncio
from contextlib import suppress
from datetime import timedelta

from tenantry.kernel import Context
from tenantry.kernel.problems import DatabaseConflict

from ..errors import ProviderAway
from ..overview import Overview, overview
from ..providers import BillingProvider, BillingProviders
from ..queries import customers as queries
from ..reading import read_now, refresh
from ..snapshots import ExternalId, SubscriptionSnapshot

FRESH = timedelta(minutes=5)
"""How old a subscription may be that a person looks at."""
BUDGET_SECONDS = 2.0
PAGES_MAX = 2
"""Pages of a listing that are looked through: providers list what is newest first, a hundred at a time."""


async def current(ctx: Context, *, older_than: timedelta = FRESH, budget_seconds: float = BUDGET_SECONDS) -> Overview:
    """What the holder has, read again from the provider where it was read longer ago; `ctx` has no open unit.

    A provider that does not answer in time leaves what was known.
    """
    await refresh(ctx, ctx.holder.id, older_than=older_than, budget_seconds=budget_seconds)
    return await overview(ctx.reading())


async def confirmed(ctx: Context, *, budget_seconds: float = BUDGET_SECONDS) -> Overview:
    """What the holder has right after paying, though no event has told of it yet; `ctx` has no open unit.

    The customer is read too, and the provider's newest subscriptions are looked through for one of this customer's.
    """
    found = await current(ctx, older_than=timedelta(0), budget_seconds=budget_seconds)
    if found.standing.subscription is not None:
        return found
    known = await queries.all_of_holder(ctx.reading().db, ctx.holder.id)
    providers = ctx.port(BillingProviders)
    with suppress(TimeoutError, ProviderAway, DatabaseConflict):
        async with asyncio.timeout(budget_seconds):
            for one in known:
                provider = providers.get(one.provider)
                if provider is not None and one.external_id is not None:
                    await _look_for(ctx, provider, one.external_id)
    return await overview(ctx.reading())


async def _look_for(ctx: Context, provider: BillingProvider, customer: ExternalId) -> None:
    """Read a customer's subscriptions that nobody has told us of."""
    await read_now(ctx, provider, "customer", customer)
    if (await overview(ctx.reading())).standing.subscription is not None:
        return
    pages = aiter(provider.listed("subscription"))
    for _ in range(PAGES_MAX):
        page = await anext(pages, None)
        if page is None:
            return
        own = [one for one in page if isinstance(one, SubscriptionSnapshot) and one.customer == customer]
        for one in own:
            await read_now(ctx, provider, "subscription", one.external_id)
        if own:
            return
