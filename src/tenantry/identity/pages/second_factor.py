"""`/auth/second-factor`: the page between the first proof and the session."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from tenantry.kernel import Context, Open, Problem
from tenantry.kernel.attempts import TooManyAttempts
from tenantry.web import gettext, page, safe_return_path

from .. import cookies
from ..actions.factors import app_code, recovery_code
from ..actions.second_factor import Half, find_half, pass_second_factor
from ..doors import from_our_pages
from ..errors import CodeWrong
from ..known_device import knows
from .failing import failed, told
from .letting_in import let_in

router = APIRouter(include_in_schema=False)


@router.get("/auth/second-factor")
async def show_second_factor(request: Request, ctx: Open, return_to: str = "") -> Response:
    """Ask for a second proof; who is signed in already is sent on."""
    back = safe_return_path(return_to)
    try:
        half = await find_half(ctx, cookies.half_token(request, ctx.settings))
    except Problem as problem:
        if ctx.actor.kind == "user":
            return RedirectResponse(back, status_code=303)
        return half_ended(request, ctx, problem, back)
    return factor_page(request, half, back)


@router.post("/auth/second-factor")
async def pass_with_code(
    request: Request,
    ctx: Open,
    code: Annotated[str, Form(max_length=50)] = "",
    recovery: Annotated[str, Form(max_length=50)] = "",
    return_to: Annotated[str, Form()] = "",
) -> Response:
    """Take a code of the app, or a recovery code."""
    from_our_pages(request, ctx)
    back = safe_return_path(return_to)
    try:
        half = await find_half(ctx, cookies.half_token(request, ctx.settings))
    except Problem as problem:
        return half_ended(request, ctx, problem, back)
    shown = recovery_code(ctx, recovery, gettext(request)) if recovery else app_code(code)
    try:
        started = await pass_second_factor(
            ctx,
            half,
            shown,
            old_token=cookies.session_token(request, ctx.settings),
            is_known=knows(request, half.user_id, ctx=ctx),
            words=gettext(request),
        )
    except (CodeWrong, TooManyAttempts) as problem:
        return factor_page(request, half, back, problem=problem, kind=shown.kind)
    except Problem as problem:
        return half_ended(request, ctx, problem, back)
    return let_in(request, ctx, started, back)


def sentence(request: Request, problem: Problem, kind: str) -> str:
    """What is said beside the field of a proof that was refused."""
    _ = gettext(request)
    if isinstance(problem, CodeWrong) and kind == "totp":
        return _("This code is not right, or was used before. Take the one that the app shows now.")
    if isinstance(problem, CodeWrong) and kind == "recovery_code":
        return _("This code is not right, or was used before.")
    return told(request, problem)


def factor_page(request: Request, half: Half, back: str, *, problem: Problem | None = None, kind: str = "") -> Response:
    """The page with what this person may show, and what was wrong about what they did."""
    response = page(
        request,
        "identity/second_factor/asked.html",
        status=_status(problem),
        factors=half.factors,
        errors={kind: sentence(request, problem, kind)} if problem else {},
        return_to=back,
        here="/signin",
    )
    response.headers.update({**(problem.headers if problem else {}), "Cache-Control": "no-store"})
    return response


def half_ended(request: Request, ctx: Context, problem: Problem, back: str) -> Response:
    """The page of a half that is worth nothing any more."""
    response = failed(request, problem, back)
    cookies.drop_half(response, request, ctx.settings)
    return response


def _status(problem: Problem | None) -> int:
    if problem is None:
        return 200
    return 422 if isinstance(problem, CodeWrong) else problem.status
