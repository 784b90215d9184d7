"""The product's own pages: landing, pricing, dashboard."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from tenantry.kernel import Open, Read
from tenantry.kernel.panels import panels_of
from tenantry.web import page

from .offers import all_of, offers_of
from .sample import sample_call

Page = TypeVar("Page", bound=Callable[..., Any])


def shown_by(router: APIRouter) -> Callable[[str], Callable[[Page], Page]]:
    """A decorator for the pages of a router: each answers GET and HEAD."""
    return partial(router.api_route, methods=["GET", "HEAD"], response_class=HTMLResponse)


router = APIRouter()
_shown = shown_by(router)


@_shown("/")
async def show_landing(ctx: Open, request: Request) -> HTMLResponse:
    """Say what the product is, and lead to the sign-in."""
    return page(
        request,
        "site/landing.html",
        product=ctx.product,
        offers=await offers_of(ctx),
        sample=sample_call(ctx),
        is_known=ctx.actor.kind == "user",
    )


@_shown("/pricing")
async def show_pricing(ctx: Open, request: Request) -> HTMLResponse:
    """Show every plan on offer, the reader's own marked, and what else is sold."""
    offers, goods = await all_of(ctx)
    known = ctx.actor.kind == "user"
    return page(request, "site/pricing.html", offers=offers, goods=goods, is_known=known, product=ctx.product)


@_shown("/dashboard")
async def show_dashboard(ctx: Read, request: Request) -> HTMLResponse:
    """Show the panels of all rooms."""
    return page(request, "dashboard.html", fragment="panels", panels=await panels_of(ctx, request))
