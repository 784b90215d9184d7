"""`/admin/subscriptions`: what was bought; and `/admin/purchases`: what was bought by nobody that is known here."""

from typing import Annotated, NamedTuple
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, Response

from tenantry.kernel import Context, Problem
from tenantry.kernel.problems import NotFound
from tenantry.web import page

from .. import actions
from ..operator import Seller
from ..paging import ROWS, Reason, Turned, Word, done, known, names_of, refusal_of, sentence, shown_at, turns
from ..queries import subscriptions
from ..queries.subscriptions import PROVIDERS, STATUSES, SUBSCRIPTIONS

BOUGHT, UNLINKED = "/admin/subscriptions", "/admin/purchases"

router = APIRouter()


class Asked(NamedTuple):
    """Which subscriptions are shown."""

    status: str
    plan: str
    provider: str
    owner: str


async def _asked(status: Word = "", plan: Word = "", provider: Word = "", owner: Word = "") -> Asked:
    return Asked(known(status, STATUSES), plan.strip(), known(provider, PROVIDERS), owner.strip())


@shown_at(router, BOUGHT)
async def show_subscriptions(
    ctx: Seller, request: Request, place: Turned, asked: Annotated[Asked, Depends(_asked)]
) -> HTMLResponse:
    """List the subscriptions of everybody, newest first."""
    wanted = {name: value or None for name, value in asked._asdict().items()}
    async with ctx.service(writes=False) as reading:
        found = await SUBSCRIPTIONS.page(reading.db, place, limit=ROWS, **wanted)
        live = await subscriptions.live(reading.db)
    return page(
        request,
        "admin/subscriptions.html",
        sold=found.rows,
        live=live,
        plans=ctx.product.plans,
        names=names_of(ctx),
        statuses=STATUSES,
        providers=PROVIDERS,
        asked=asked,
        turns=turns(BOUGHT, found, **asked._asdict()),
    )


@shown_at(router, UNLINKED)
async def show_purchases(ctx: Seller, request: Request, place: Turned, done: str = "") -> HTMLResponse:
    """List the purchases without an owner, newest first."""
    async with ctx.service(writes=False) as reading:
        found = await SUBSCRIPTIONS.page(reading.db, place, limit=ROWS, unlinked={})
    return page(
        request,
        "admin/purchases.html",
        sold=found.rows,
        names=names_of(ctx),
        turns=turns(UNLINKED, found),
        done=done,
    )


@shown_at(router, UNLINKED + "/{subscription_id}")
async def show_purchase(ctx: Seller, request: Request, subscription_id: UUID) -> Response:
    """Show a purchase without an owner, and who it may be given to."""
    return await _purchase_page(ctx, request, subscription_id)


@router.post(UNLINKED + "/{subscription_id}/claim")
async def claim_purchase(
    ctx: Seller,
    request: Request,
    subscription_id: UUID,
    email: Annotated[str, Form(max_length=1000)] = "",
    reason: Reason = "",
) -> Response:
    """Give a purchase to a person."""
    problem = await refusal_of(actions.claim_purchase(ctx, subscription_id, email, reason=reason))
    if problem is not None:
        return await _purchase_page(ctx, request, subscription_id, problem=problem, email=email, reason=reason)
    return done(UNLINKED, "claimed")


async def _purchase_page(
    ctx: Context, request: Request, subscription_id: UUID, *, problem: Problem | None = None, **typed: str
) -> Response:
    async with ctx.service(writes=False) as reading:
        found = await subscriptions.one(reading.db, subscription_id)
    if found is None:
        raise NotFound
    return page(
        request,
        "admin/purchase.html",
        status=problem.status if problem else 200,
        sold=found,
        names=names_of(ctx),
        refusal=sentence(request, problem),
        email=typed.get("email", found.email or ""),
        reason=typed.get("reason", ""),
    )
