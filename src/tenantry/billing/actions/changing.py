"""Changing what was bought: another plan, no renewal, a pause, and back."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

from tenantry.kernel import Context
from tenantry.kernel.permissions import require_of_member
from tenantry.kernel.tasks import to_the_end

from ..errors import ChangeRefused, ProviderUnconfigured, SubscriptionNotFound
from ..holding import billing_of
from ..overview import overview
from ..permissions import BILLING_WRITE
from ..providers import BillingProvider, BillingProviders, Cancel, Change, Pause, PlanChange, Resume
from ..queries import reading
from ..queries.reading import Held
from ..reading import change_now
from ..sale import chosen, refuse_unsold
from ..snapshots import TERMINAL
from .buying import prices_of

Proration: TypeAlias = Literal["prorate", "invoice", "none"]
Done: TypeAlias = Literal["plan_changed", "cancelled", "resumed", "paused"]


async def change_plan(
    ctx: Context,
    subscription_id: UUID | None,
    plan: str,
    *,
    interval: str | None = None,
    lookup: str | None = None,
    proration: Proration | None = None,
) -> Held:
    """Put one's own subscription on another plan or price; a free plan is had by letting it end.

    `proration` as in `tenantry.Billing`, which decides when nothing is said; "none" is a buyer's to choose only where
    it is the product's word too: else the larger plan would be had for nothing until the period ends. `ctx` has no open
    unit. Raises `RoleRefused`, `SubscriptionNotFound`, `PlanNotForSale`, `ChangeRefused`, `ProviderAway`,
    `ProviderUnconfigured`.
    """
    usual = billing_of(ctx).proration
    if proration == "none" and usual != "none":
        raise ChangeRefused("The rest of the period is settled here: with the next payment, or at once.")
    held = await _own(ctx, subscription_id)
    if any(one.name == plan and one.is_free for one in ctx.product.plans):
        return await cancel(ctx, held.subscription.id)
    provider = _provider(ctx, held)
    await refuse_unsold(ctx, provider, plan)
    prices = await prices_of(ctx, provider)
    price = chosen(ctx.product, prices, plan, interval=interval, lookup=lookup)
    if held.price is not None and held.price.id == price.id:
        return held
    change = PlanChange(price.external_id, proration or usual)
    detail = {"plan": plan, "price": price.external_id, "proration": change.proration}
    return await _change(ctx, held, change, "plan_changed", detail)


async def cancel(ctx: Context, subscription_id: UUID | None = None, *, at_once: bool = False) -> Held:
    """Let one's own subscription end with its period, or `at_once`; `ctx` has no open unit. Raises as above."""
    held = await _own(ctx, subscription_id)
    return await _change(ctx, held, Cancel(at_once), "cancelled", {"at_once": at_once})


async def resume(ctx: Context, subscription_id: UUID | None = None) -> Held:
    """Take back a cancellation that is still to come, or a pause; `ctx` has no open unit. Raises as above."""
    return await _change(ctx, await _own(ctx, subscription_id), Resume(), "resumed", {})


async def pause(ctx: Context, subscription_id: UUID | None = None, *, until: datetime | None = None) -> Held:
    """Neither access nor payments until it is resumed; `ctx` has no open unit. Raises as above."""
    detail = {"until": until.isoformat() if until else None}
    return await _change(ctx, await _own(ctx, subscription_id), Pause(until), "paused", detail)


async def _own(ctx: Context, subscription_id: UUID | None) -> Held:
    """The subscription that is meant: one's own or one's organization's, and not over.

    Without an id the one that counts, or goes on.
    """
    require_of_member(ctx, BILLING_WRITE)
    if ctx.user_id is None or ctx.holder.kind == "workspace":
        raise SubscriptionNotFound
    db = ctx.reading().db
    if subscription_id is not None:
        found = await reading.one(db, ctx.holder.id, subscription_id)
    else:
        found = (await overview(ctx.reading())).shown
    if found is None or found.subscription.status in TERMINAL:
        raise SubscriptionNotFound
    return found


def _provider(ctx: Context, held: Held) -> BillingProvider:
    found = ctx.port(BillingProviders).get(held.subscription.provider)
    if found is None:
        raise ProviderUnconfigured
    return found


async def _change(ctx: Context, held: Held, change: Change, done: Done, detail: Mapping[str, object]) -> Held:
    return await to_the_end(_ask_and_write(ctx, held, change, done, detail))


async def _ask_and_write(ctx: Context, held: Held, change: Change, done: Done, detail: Mapping[str, object]) -> Held:
    """Not left half done when the browser goes away: what the provider did is written down too."""
    subscription = held.subscription
    await change_now(ctx, subscription, change, done=done, detail=detail)
    return await reading.one(ctx.reading().db, ctx.holder.id, subscription.id) or held
