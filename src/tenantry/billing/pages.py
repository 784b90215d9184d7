"""`/billing`: what the reader pays for, what happens next, and what was paid; and the ways to the provider's pages."""

from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from tenantry.kernel import Context, Problem, SignedIn
from tenantry.kernel.permissions import member_may, require_of_member
from tenantry.web import gettext, page

from . import actions
from .actions.changing import Proration
from .errors import (
    ChangeRefused,
    CustomerUnknown,
    EmailUnproven,
    OrganizationNeeded,
    PlanNotForSale,
    PriceNotForSale,
    ProviderAway,
    ProviderUnconfigured,
    SubscribedAlready,
    SubscriptionNotFound,
)
from .holding import billing_of
from .links import receipt_of
from .overview import Overview, overview
from .permissions import BILLING_READ, BILLING_WRITE
from .pricing import Pricing
from .providers import BillingProviders
from .queries import reading
from .sale import offered

ROWS_MAX = 20
"""Payments on one page of the list."""
TURNS_MAX = 20
"""How often the page after a payment looks again by itself, every three seconds."""
DONE = ("changed", "cancelled", "ended", "resumed", "paused")
PRORATIONS: dict[str, Proration] = {"prorate": "prorate", "invoice": "invoice", "none": "none"}
LABELS = {"stripe": "Stripe", "polar": "Polar", "lemonsqueezy": "Lemon Squeezy", "fake": "Demo"}
_REFUSED = (
    ChangeRefused, CustomerUnknown, EmailUnproven, OrganizationNeeded, PlanNotForSale, PriceNotForSale, ProviderAway,
    ProviderUnconfigured, SubscribedAlready, SubscriptionNotFound,
)  # fmt: skip

router = APIRouter(include_in_schema=False)

Short = Annotated[str, Form(max_length=300)]


@router.api_route("/billing", methods=["GET", "HEAD"], response_class=HTMLResponse)
async def show_billing(
    ctx: SignedIn,
    request: Request,
    number: Annotated[int, Query(alias="page", ge=1, le=5000)] = 1,
    done: str = "",
    plan: str = "",
) -> Response:
    """Show the plan with what can be done about it, and the payments, newest first. `plan`: the one to begin with."""
    return await _billing_page(ctx, request, number=number, done=done if done in DONE else "", asked={"plan": plan})


@router.api_route("/billing/success", methods=["GET", "HEAD"], response_class=HTMLResponse)
async def show_success(
    ctx: SignedIn,
    request: Request,
    turn: Annotated[int, Query(ge=0, le=TURNS_MAX)] = 0,
    price: UUID | None = None,
    after: UUID | None = None,
) -> Response:
    """Where the provider sends who has paid: works before any event has told of it, and looks again by itself.

    `price`: what was bought by its price, after the payment called `after`; else a plan.
    """
    require_of_member(ctx, BILLING_READ)
    bought = await actions.confirmed_price(ctx, price, after=after) if price is not None else None
    seen = await (actions.confirmed(ctx) if bought is None else overview(ctx.reading()))
    about = {name: one for name, one in (("price", price), ("after", after)) if one is not None}
    shown = page(
        request,
        "billing/success.html",
        fragment="state",
        seen=seen,
        bought=bought,
        turn=turn,
        turns_max=TURNS_MAX,
        again=f"/billing/success?{urlencode({'turn': turn + 1, **about})}",
        again_now=f"/billing/success?{urlencode(about)}" if about else "/billing/success",
    )
    shown.headers["Cache-Control"] = "no-store"
    return shown


@router.post("/billing/checkout")
async def open_checkout(
    ctx: SignedIn,
    request: Request,
    wish: Short = "",
    price: Short = "",
    coupon: Annotated[str, Form(max_length=100)] = "",
) -> Response:
    """Lead to where a plan or a price is paid for. `wish`: the plan's name, after a colon which of its prices."""
    plan, _, lookup = wish.partition(":")
    code = coupon.strip() or None
    try:
        if price:
            url = await actions.checkout_price(ctx, price, coupon=code)
        else:
            url = await actions.checkout(ctx, plan, lookup=lookup or None, coupon=code)
    except _REFUSED as problem:
        asked = {"wish": wish, "price": price, "coupon": coupon}
        return await _billing_page(ctx, request, problem=problem, asked=asked)
    return _leave(ctx, request, url)


@router.post("/billing/portal")
async def open_portal(ctx: SignedIn, request: Request) -> Response:
    """Lead to the provider's page about cards and invoices."""
    try:
        url = await actions.portal(ctx)
    except _REFUSED as problem:
        return await _billing_page(ctx, request, problem=problem)
    return _leave(ctx, request, url)


@router.post("/billing/subscriptions/{subscription_id}/change")
async def change_plan(
    ctx: SignedIn, request: Request, subscription_id: UUID, wish: Short = "", proration: Short = ""
) -> Response:
    """Change the plan, or its price."""
    plan, _, lookup = wish.partition(":")
    settled, is_free = PRORATIONS.get(proration), ctx.product.plan(plan).is_free
    try:
        held = await actions.change_plan(ctx, subscription_id, plan, lookup=lookup or None, proration=settled)
    except _REFUSED as problem:
        return await _billing_page(ctx, request, problem=problem, asked={"wish": wish, "proration": proration})
    # A change of plan does not take a cancellation back.
    if not is_free:
        return _back("changed")
    return _back("cancelled" if held.subscription.cancel_at else "ended")


@router.post("/billing/subscriptions/{subscription_id}/cancel")
async def cancel_subscription(ctx: SignedIn, request: Request, subscription_id: UUID) -> Response:
    """Let it end with its period."""
    try:
        held = await actions.cancel(ctx, subscription_id)
    except _REFUSED as problem:
        return await _billing_page(ctx, request, problem=problem)
    return _back("cancelled" if held.subscription.cancel_at else "ended")


@router.post("/billing/subscriptions/{subscription_id}/resume")
async def resume_subscription(ctx: SignedIn, request: Request, subscription_id: UUID) -> Response:
    """Take a cancellation or a pause back."""
    try:
        await actions.resume(ctx, subscription_id)
    except _REFUSED as problem:
        return await _billing_page(ctx, request, problem=problem)
    return _back("resumed")


@router.post("/billing/subscriptions/{subscription_id}/pause")
async def pause_subscription(ctx: SignedIn, request: Request, subscription_id: UUID) -> Response:
    """Pause it until it is resumed."""
    try:
        await actions.pause(ctx, subscription_id)
    except _REFUSED as problem:
        return await _billing_page(ctx, request, problem=problem)
    return _back("paused")


def _back(done: str) -> Response:
    return RedirectResponse(f"/billing?done={done}", status_code=303)


def _leave(ctx: Context, request: Request, url: str) -> Response:
    """A page that leads on. Not a redirect: the content policy lets no form lead elsewhere, and a link may."""
    name = next((one.name for one in ctx.port(BillingProviders)), "")
    response = page(request, "billing/leave.html", url=url, provider=LABELS.get(name, name))
    response.headers["Cache-Control"] = "no-store"
    return response


async def _billing_page(
    ctx: Context, request: Request, *, problem: Problem | None = None, number: int = 1, **more: Any
) -> Response:
    require_of_member(ctx, BILLING_READ)
    # Who was just refused by a provider that is away does not wait for it again.
    seen = await (overview(ctx.reading()) if problem else actions.current(ctx))
    db, shown = ctx.reading().db, seen.shown.subscription if seen.shown else None
    paid = await reading.payments(db, ctx.holder.id, limit=ROWS_MAX + 1, offset=(number - 1) * ROWS_MAX)
    provider = shown.provider if shown and seen.is_live else None
    for_sale, goods = await offered(ctx.reading(), provider)
    answer = page(
        request,
        "billing/billing.html",
        status=problem.status if problem else 200,
        seen=seen,
        pricing=Pricing(for_sale, seen, goods, billing_of(ctx).several),
        plans=ctx.product.plans,
        labels=LABELS,
        is_configured=next(iter(ctx.port(BillingProviders)), None) is not None,
        has_customer=_has_customer(seen),
        may_change=member_may(ctx, BILLING_WRITE),
        proration=billing_of(ctx).proration,
        payments=[(one, receipt_of(ctx, one)) for one in paid[:ROWS_MAX]],
        number=number,
        has_more=len(paid) > ROWS_MAX,
        refusal=_sentence(request, problem),
        unproven=isinstance(problem, EmailUnproven),
        asked={"wish": "", "price": "", "plan": "", "coupon": "", "proration": "", **more.get("asked", {})},
        done=more.get("done", ""),
    )
    if problem is not None:
        answer.headers.update(problem.headers)
    return answer


def _has_customer(seen: Overview) -> bool:
    return seen.shown is not None and seen.shown.subscription.customer is not None


def _sentence(request: Request, problem: Problem | None) -> str:
    return gettext(request)(problem.detail or problem.title) if problem else ""
