"""Making sure that what is shown is what the provider knows."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from functools import partial
from itertools import takewhile
from uuid import UUID

import msgspec

from tenantry.kernel import Context
from tenantry.kernel.problems import DatabaseConflict

from ..access import access
from ..errors import ProviderAway
from ..holding import billing_of
from ..overview import Overview, overview
from ..providers import BillingProvider, BillingProviders
from ..queries import customers as queries
from ..queries import reading
from ..queries.reading import SoldPrice
from ..reading import read_now, refresh
from ..snapshots import ExternalId, ObjectKind, PaymentSnapshot, SubscriptionSnapshot

FRESH = timedelta(minutes=5)
"""How old a subscription may be that a person looks at."""
BUDGET_SECONDS = 2.0
JUST_NOW = timedelta(hours=1)
NEWEST = 10
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


class Bought(msgspec.Struct, frozen=True):
    """What was bought by its price; `is_confirmed`: it is paid, or in trial, as far as we know."""

    price: SoldPrice
    is_confirmed: bool


async def confirmed_price(
    ctx: Context, price_id: UUID, *, after: UUID | None = None, budget_seconds: float = BUDGET_SECONDS
) -> Bought | None:
    """Whether what was just bought by its price is here, though no event has told of it; `ctx` has no open unit.

    Of what is paid once, a payment of the last hour, newer than the one called `after`. None for a price that is not
    known.
    """
    price = await reading.price(ctx.reading().db, price_id)
    if price is None:
        return None
    is_here = partial(_is_paid, after=after) if price.interval is None else _gives
    if not await is_here(ctx, price_id):
        with suppress(TimeoutError, ProviderAway, DatabaseConflict):
            async with asyncio.timeout(budget_seconds):
                await _look_for_price(ctx, price)
        return Bought(price, await is_here(ctx, price_id))
    return Bought(price, is_confirmed=True)


async def _gives(ctx: Context, price_id: UUID) -> bool:
    seen = await overview(ctx.reading())
    of = [one.subscription for one in seen.account.held if one.price is not None and one.price.id == price_id]
    return any(access(one, seen.at, billing_of(ctx).grace) for one in of)


async def _is_paid(ctx: Context, price_id: UUID, *, after: UUID | None) -> bool:
    newest = await reading.payments(ctx.reading().db, ctx.holder.id, limit=NEWEST)
    since = ctx.clock.now() - JUST_NOW
    return any(
        one.reason == "once"
        and one.status == "paid"
        # A charge of which only an event told does not say what it was for.
        and one.price_id in {None, price_id}
        and (one.paid_at or one.created_at) >= since
        for one in takewhile(lambda one: one.id != after, newest)
    )


async def _look_for_price(ctx: Context, price: SoldPrice) -> None:
    """Read what this customer has bought at that price last, which nobody has told us of."""
    provider = ctx.port(BillingProviders).get(price.provider)
    known = await queries.of_holder(ctx.reading().db, ctx.holder.id, price.provider)
    if provider is None or known is None or known.external_id is None:
        return
    kind: ObjectKind = "payment" if price.interval is None else "subscription"
    pages = aiter(provider.listed(kind))
    for _ in range(PAGES_MAX):
        page = await anext(pages, None)
        if page is None:
            return
        for one in page:
            if not isinstance(one, PaymentSnapshot | SubscriptionSnapshot) or one.external_id is None:
                continue
            if (one.customer, one.price) == (known.external_id, price.external_id):
                await read_now(ctx, provider, kind, one.external_id)
                return


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
