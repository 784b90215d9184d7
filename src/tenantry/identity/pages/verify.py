"""`/auth/verify`: where every mailed link leads. Looking at it uses nothing up; the button on the page does.

Mail programs and scanners open links; so a GET only shows what would happen (RFC 9110, 9.2.1), and a POST does it. The
purpose in the token says whose page it is. `/auth/sent` takes the code of the same mail from the browser that asked.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from tenantry.kernel import Context, Open, Problem

from ..asked import Asked, read_asked
from ..doors import from_our_pages
from ..errors import LinkExpired
from ..tokens import Purpose, purpose_of
from .failing import failed

Form = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class MailedFlow:
    """One purpose's pages: what a link shows and does, what the page after asking shows, what a code does."""

    show_link: Callable[[Request, Context, str], Awaitable[Response]]
    use_link: Callable[[Request, Context, Form], Awaitable[Response]]
    show_sent: Callable[[Request, Context, Asked], Awaitable[Response]] | None = None
    use_code: Callable[[Request, Context, Asked, Form], Awaitable[Response]] | None = None


FLOWS: dict[Purpose, MailedFlow] = {}
"""Filled by `pages/__init__.py`, one line a purpose."""

router = APIRouter(include_in_schema=False)


@router.api_route("/auth/verify", methods=["GET", "HEAD"])
async def show_link(request: Request, ctx: Open, token: str = "") -> Response:
    """Show what a mailed link is for, with a button that does it."""
    try:
        return await _flow(purpose_of(token)).show_link(request, ctx, token)
    except Problem as problem:
        return failed(request, problem)


@router.post("/auth/verify")
async def use_link(request: Request, ctx: Open) -> Response:
    """Do what a mailed link is for."""
    form = await _form(request, ctx)
    try:
        return await _flow(purpose_of(form.get("token", ""))).use_link(request, ctx, form)
    except Problem as problem:
        return failed(request, problem)


@router.get("/auth/sent")
async def show_sent(request: Request, ctx: Open) -> Response:
    """Say that a mail is on its way, and take its code."""
    asked = read_asked(request, ctx=ctx)
    flow = FLOWS.get(asked.purpose) if asked else None
    if asked is None or flow is None or flow.show_sent is None:
        return RedirectResponse("/signin", status_code=303)
    return await flow.show_sent(request, ctx, asked)


@router.post("/auth/sent")
async def use_code(request: Request, ctx: Open) -> Response:
    """Do what a mail is for by its code, in the browser that asked for it."""
    form = await _form(request, ctx)
    asked = read_asked(request, ctx=ctx)
    flow = FLOWS.get(asked.purpose) if asked else None
    if asked is None or flow is None or flow.use_code is None:
        return failed(request, LinkExpired())
    try:
        return await flow.use_code(request, ctx, asked, form)
    except Problem as problem:
        return failed(request, problem)


def _flow(purpose: Purpose | None) -> MailedFlow:
    found = FLOWS.get(purpose) if purpose else None
    if found is None:
        raise LinkExpired
    return found


async def _form(request: Request, ctx: Context) -> Form:
    from_our_pages(request, ctx)
    async with request.form(max_fields=16, max_files=0) as form:
        return {name: value for name, value in form.items() if isinstance(value, str)}
