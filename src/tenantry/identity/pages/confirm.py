"""`/auth/confirm`: showing once more that it is oneself; whoever asked for it gets its reader back."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from tenantry.kernel import Context, Problem, SignedIn
from tenantry.kernel.attempts import TooManyAttempts
from tenantry.web import gettext, page, safe_return_path

from .. import cookies
from ..actions import confirming
from ..actions.factors import Shown, app_code, recovery_code
from ..errors import CodeWrong, OtherProofNeeded, PasswordWrong
from ..recent import is_recent
from .second_factor import sentence

_SETTINGS = "/settings"

router = APIRouter(include_in_schema=False)


@router.get("/auth/confirm")
async def show_confirm(request: Request, ctx: SignedIn, return_to: str = "") -> Response:
    """Ask for a proof; who gave one a moment ago is sent on."""
    back = safe_return_path(return_to, _SETTINGS)
    if is_recent(ctx):
        return RedirectResponse(back, status_code=303)
    return await confirm_page(request, ctx, back)


@router.post("/auth/confirm")
async def confirm(request: Request, ctx: SignedIn) -> Response:
    """Take a proof: a code of the app, a recovery code, the password, or a mailed code."""
    async with request.form(max_fields=8, max_files=0) as form:
        given = {name: value for name, value in form.items() if isinstance(value, str) and len(value) <= 1000}
    back = safe_return_path(given.get("return_to"), _SETTINGS)
    shown = _shown(request, ctx, given)
    try:
        started = await confirming.confirm(ctx, shown, gettext(request))
    except (CodeWrong, OtherProofNeeded, PasswordWrong, TooManyAttempts) as problem:
        return await confirm_page(request, ctx, back, problem=problem, kind=shown.kind)
    response = RedirectResponse(back, status_code=303)
    cookies.keep_session(response, started.token, ctx=ctx)
    return response


@router.post("/auth/confirm/mail")
async def mail_code(request: Request, ctx: SignedIn, return_to: Annotated[str, Form()] = "") -> Response:
    """Send the code that is asked of who has nothing else to show."""
    back = safe_return_path(return_to, _SETTINGS)
    try:
        await confirming.mail_code(ctx, gettext(request))
    except (OtherProofNeeded, TooManyAttempts) as problem:
        return await confirm_page(request, ctx, back, problem=problem, kind="mailed_code")
    return RedirectResponse("/auth/confirm?" + urlencode({"return_to": back}), status_code=303)


async def confirm_page(
    request: Request, ctx: Context, back: str, *, problem: Problem | None = None, kind: str = ""
) -> Response:
    """The page with what this person may show, and what was wrong about what they did."""
    ways = await confirming.ways_to_confirm(ctx)
    response = page(
        request,
        "identity/second_factor/confirm.html",
        status=422 if isinstance(problem, CodeWrong | PasswordWrong) else problem.status if problem else 200,
        ways=ways,
        email=ctx.actor.email,
        is_mailed="mailed_code" in ways and await confirming.is_code_mailed(ctx),
        errors={kind: sentence(request, problem, kind)} if problem else {},
        return_to=back,
        here="/auth/confirm?" + urlencode({"return_to": back}),
    )
    response.headers.update(problem.headers if problem else {})
    return response


def _shown(request: Request, ctx: Context, given: dict[str, str]) -> Shown:
    if recovery := given.get("recovery"):
        return recovery_code(ctx, recovery, gettext(request))
    if "password" in given:
        return confirming.password(ctx, given["password"])
    if "mailed_code" in given:
        return confirming.mailed_code(ctx, given["mailed_code"])
    return app_code(given.get("code", ""))
