"""Pages that explain: the API reference, every problem, the design; and what robots and browsers ask for."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse

from tenantry.kernel import Open, Problem
from tenantry.kernel.problems import NotFound, all_problems
from tenantry.web import page

from .pages import shown_by
from .reference import groups_of

router = APIRouter()
_shown = shown_by(router)

_ROBOTS = """\
User-agent: *
Disallow: /dashboard
Disallow: /settings
Disallow: /usage
Disallow: /v1/
"""


@_shown("/docs")
async def show_reference(ctx: Open, request: Request) -> HTMLResponse:
    """Show the API as the application itself describes it."""
    return page(request, "site/docs.html", groups=groups_of(request.app.openapi()), base=ctx.settings.public_url)


@_shown("/problems")
async def show_problems(_ctx: Open, request: Request) -> HTMLResponse:
    """Show every problem that an answer may carry, ours and those of the author's modules.

    A problem's `type` leads to its place here.
    """
    # By code: a declaration that was read twice has defined its problems twice.
    rooms: dict[str, list[type[Problem]]] = {}
    for problem in {problem.code: problem for problem in all_problems()}.values():
        rooms.setdefault(problem.code.partition(".")[0], []).append(problem)
    return page(request, "site/problems.html", rooms=rooms)


@_shown("/design")
async def show_design(ctx: Open, request: Request) -> HTMLResponse:
    """Show every part of the design system; in development only."""
    if ctx.settings.is_production:
        raise NotFound
    return page(request, "design.html")


@router.api_route("/robots.txt", methods=["GET", "HEAD"])
async def answer_robots() -> PlainTextResponse:
    """Keep crawlers to the public pages."""
    return PlainTextResponse(_ROBOTS, headers={"Cache-Control": "public, max-age=86400"})


@router.api_route("/favicon.ico", methods=["GET", "HEAD"])
async def answer_favicon(request: Request) -> RedirectResponse:
    """Lead to the icon that pages name; some programs ask for this address without reading a page."""
    address = request.app.state.pages.static.url("favicon.svg")
    return RedirectResponse(address, status_code=302, headers={"Cache-Control": "public, max-age=86400"})
