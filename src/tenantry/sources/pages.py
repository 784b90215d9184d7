"""`POST /dashboard/prices`: try a price on the dashboard, with or without a script."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from tenantry.kernel import SignedIn
from tenantry.kernel.panels import panels_of
from tenantry.web import gettext, page

from .tries import try_price

pages_router = APIRouter()


@pages_router.post("/dashboard/prices", response_class=HTMLResponse)
async def show_tried_price(ctx: SignedIn, request: Request, symbol: Annotated[str, Form()] = "") -> HTMLResponse:
    """Ask for a price and show the dashboard with it; the panels are read after the call, so the count is new."""
    tried = await try_price(ctx, symbol, locale=gettext(request).locale)
    async with ctx.unit(writes=False) as reading:
        panels = await panels_of(reading, request, sources={"tried": tried})
    answer = page(request, "dashboard.html", status=tried.status, fragment="panels", panels=panels)
    answer.headers.update(tried.priced.headers if tried.priced else {})
    answer.headers.update(tried.problem.headers if tried.problem else {})
    return answer


@pages_router.api_route("/dashboard/prices", methods=["GET", "HEAD"])
async def back_to_dashboard(_ctx: SignedIn) -> RedirectResponse:
    """Lead a reload or a bookmark of the answer above back to the dashboard."""
    return RedirectResponse("/dashboard", status_code=303)
