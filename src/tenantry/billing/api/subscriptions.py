"""`/v1/subscription`: the plan in force, what pays for it, and changing that; `/v1/subscriptions`: all of them."""

from datetime import datetime
from typing import Literal, Self
from uuid import UUID

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, Field

from tenantry.kernel import Context, Read, SignedIn, problems
from tenantry.kernel.permissions import require_of_member
from tenantry.kernel.problems import Invalid, RoleRefused, Unauthenticated

from .. import actions
from ..access import Level, access
from ..errors import ChangeRefused, PlanNotForSale, SubscriptionNotFound
from ..holding import billing_of
from ..overview import Overview
from ..permissions import BILLING_READ
from ..queries import reading
from ..queries.reading import Held
from ..snapshots import Interval, ProviderName, Status
from ..words import word_of
from .asked import ASK, Body, Limit, Offset, Wish

router = APIRouter(tags=["billing"])

_CHANGE = (*ASK, ChangeRefused, SubscriptionNotFound)


class ChangePlan(Wish):
    """Another plan or price for a subscription; a free plan lets it end."""

    proration: Literal["prorate", "invoice", "none"] | None = Field(
        None,
        description="How the rest of the period is settled: with the next invoice, or at once; not at all where usual.",
    )
    subscription_id: UUID | None = Field(None, description="Without one, the subscription that counts.")


class CancelSubscription(Body):
    """It ends with the period that is paid, or `at_once`."""

    at_once: bool = False
    subscription_id: UUID | None = None


class ResumeSubscription(Body):
    """Takes a cancellation that is still to come, or a pause, back."""

    subscription_id: UUID | None = None


class PauseSubscription(Body):
    """Neither access nor payments until it is resumed, at the latest at `until`."""

    until: AwareDatetime | None = None
    subscription_id: UUID | None = None


class Item(BaseModel):
    """What a subscription buys. `amount` in minor units; null, where it is named by tiers."""

    product: str
    lookup: str | None
    amount: int | None
    currency: str
    interval: Interval | None
    interval_count: int
    quantity: int


class SubscriptionEntry(BaseModel):
    """A subscription. `word` is the product's own word for its `status`; `access` what it gives now, and until when."""

    id: UUID
    provider: ProviderName
    plan: str | None
    status: Status
    word: str
    access: Level
    access_until: datetime | None
    period_start: datetime | None
    period_end: datetime | None
    trial_ends_at: datetime | None
    cancel_at: datetime | None
    ended_at: datetime | None
    resumes_at: datetime | None
    items: list[Item]
    created_at: datetime

    @classmethod
    def of(cls, ctx: Context, held: Held, at: datetime) -> Self:
        """What its holder is told of a subscription at a time."""
        one, billing = held.subscription, billing_of(ctx)
        gives = access(one, at, billing.grace)
        names = (
            "id", "provider", "plan", "status", "period_start", "period_end", "trial_ends_at", "cancel_at",
            "ended_at", "resumes_at", "created_at",
        )  # fmt: skip
        return cls(
            **{name: getattr(one, name) for name in names},
            word=word_of(billing.words, one),
            access=gives.level,
            access_until=gives.until,
            items=_items(held),
        )


class Standing(BaseModel):
    """The plan in force, until when and what follows it, as far as that is known; and the subscription that counts.

    `subscription` is null for who never bought anything.
    """

    plan: str
    plan_until: datetime | None
    plan_after: str | None
    subscription: SubscriptionEntry | None

    @classmethod
    def of(cls, ctx: Context, found: Overview) -> Self:
        """What a holder is told."""
        shown = SubscriptionEntry.of(ctx, found.shown, found.at) if found.shown else None
        stands = found.standing
        return cls(plan=found.plan.name, plan_until=stands.until, plan_after=stands.after, subscription=shown)


class SubscriptionList(BaseModel):
    """Subscriptions, newest first, those that are over too."""

    items: list[SubscriptionEntry]
    next_cursor: UUID | None


@router.get("/v1/subscription", responses=problems(RoleRefused, Unauthenticated))
async def read_subscription(ctx: SignedIn) -> Standing:
    """Answer which plan is in force and what pays for it, asking the provider where our knowledge is old."""
    require_of_member(ctx, BILLING_READ)
    return Standing.of(ctx, await actions.current(ctx))


@router.get("/v1/subscriptions", responses=problems(Invalid, RoleRefused, Unauthenticated))
async def list_subscriptions(
    ctx: Read, limit: Limit = 50, cursor: UUID | None = None, offset: Offset = 0
) -> SubscriptionList:
    """List all subscriptions of who is signed in, or of the organization that they work for."""
    require_of_member(ctx, BILLING_READ)
    found = await reading.page(ctx.db, ctx.holder.id, before=cursor, limit=limit + 1, offset=offset)
    now = ctx.clock.now()
    shown = [SubscriptionEntry.of(ctx, one, now) for one in found[:limit]]
    return SubscriptionList(items=shown, next_cursor=shown[-1].id if len(found) > limit else None)


@router.post("/v1/subscription/change", responses=problems(*_CHANGE, PlanNotForSale))
async def change_subscription(body: ChangePlan, ctx: SignedIn) -> SubscriptionEntry:
    """Put a subscription on another plan or price, now."""
    held = await actions.change_plan(
        ctx,
        body.subscription_id,
        body.plan,
        interval=body.interval,
        lookup=body.lookup,
        proration=body.proration,
    )
    return SubscriptionEntry.of(ctx, held, ctx.clock.now())


@router.post("/v1/subscription/cancel", responses=problems(*_CHANGE))
async def cancel_subscription(ctx: SignedIn, body: CancelSubscription | None = None) -> SubscriptionEntry:
    """Let a subscription end with the period that is paid, or at once."""
    wish = body or CancelSubscription()
    held = await actions.cancel(ctx, wish.subscription_id, at_once=wish.at_once)
    return SubscriptionEntry.of(ctx, held, ctx.clock.now())


@router.post("/v1/subscription/resume", responses=problems(*_CHANGE))
async def resume_subscription(ctx: SignedIn, body: ResumeSubscription | None = None) -> SubscriptionEntry:
    """Take a cancellation that is still to come, or a pause, back."""
    held = await actions.resume(ctx, body.subscription_id if body else None)
    return SubscriptionEntry.of(ctx, held, ctx.clock.now())


@router.post("/v1/subscription/pause", responses=problems(*_CHANGE))
async def pause_subscription(ctx: SignedIn, body: PauseSubscription | None = None) -> SubscriptionEntry:
    """Pause a subscription: neither access nor payments until it is resumed."""
    wish = body or PauseSubscription()
    if wish.until is not None and wish.until <= ctx.clock.now():
        raise Invalid(errors=[{"field": "until", "message": "This is over already.", "code": "past"}])
    held = await actions.pause(ctx, wish.subscription_id, until=wish.until)
    return SubscriptionEntry.of(ctx, held, ctx.clock.now())


def _items(held: Held) -> list[Item]:
    if held.price is None:
        return []
    price = held.price
    return [
        Item(
            product=price.product_name,
            lookup=price.lookup,
            amount=price.amount_minor,
            currency=price.currency,
            interval=price.interval,
            interval_count=price.interval_count,
            quantity=held.subscription.quantity,
        )
    ]
