"""A forgotten password: asking for the mail, and choosing another by its link or its code."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from tenantry.kernel import Context, Open, Problem
from tenantry.kernel.attempts import TooManyAttempts
from tenantry.web import gettext, page, safe_return_path

from .. import cookies, known_device
from ..actions import reset as actions
from ..actions.mailed import KeyShown
from ..actions.ways_in import password_way
from ..asked import Asked, drop_asked
from ..doors import asking_of, from_our_pages
from ..errors import CodeWrong
from ..hashing import HashingBusy, PasswordWeak
from ..providers.profiles import clean_email
from ..tokens import Purpose
from .failing import failed, told
from .mailed import to_sent
from .verify import Form as Sent
from .verify import MailedFlow

router = APIRouter(include_in_schema=False)


@router.get("/auth/reset")
async def show_reset(request: Request, ctx: Open, return_to: str = "") -> Response:
    """The form that asks for the mail."""
    return _asking(request, ctx, safe_return_path(return_to))


@router.post("/auth/reset")
async def ask_reset(
    request: Request, ctx: Open, email: Annotated[str, Form()] = "", return_to: Annotated[str, Form()] = ""
) -> Response:
    """Send the mail, if there is somebody to send it to; the answer is the same."""
    from_our_pages(request, ctx)
    back, _ = safe_return_path(return_to), gettext(request)
    wanted = clean_email(email.strip())
    if wanted is None:
        error = _("Use an e-mail address, for example ada@example.com.")
        return _asking(request, ctx, back, email=email, error=error)
    try:
        challenge = await actions.ask_reset(ctx, asking_of(request, ctx, wanted, back))
    except TooManyAttempts as problem:
        return _asking(request, ctx, back, email=email, error=told(request, problem), problem=problem)
    return to_sent(ctx, Asked(Purpose.RESET, challenge, wanted, back))


def _asking(
    request: Request, ctx: Context, back: str, *, email: str = "", error: str = "", problem: Problem | None = None
) -> Response:
    query = urlencode({"return_to": back})
    try:
        password_way(ctx)
    except Problem as unknown:
        return failed(request, unknown, back)
    response = page(
        request,
        "identity/password/ask.html",
        status=problem.status if problem else 422 if error else 200,
        email=email,
        error=error,
        return_to=back,
        sign_in=f"/signin?{query}",
        here=f"/auth/reset?{query}",
    )
    response.headers.update(problem.headers if problem else {})
    return response


async def _show_sent(request: Request, ctx: Context, asked: Asked) -> Response:
    return _sent(request, ctx, asked)


async def _use_code(request: Request, ctx: Context, asked: Asked, form: Sent) -> Response:
    shown = KeyShown(challenge=asked.challenge, code=form.get("code", ""))
    try:
        return await _reset(request, ctx, shown, form)
    except PasswordWeak as weak:
        return _sent(request, ctx, asked, field="password", error=weak.told(gettext(request)), problem=weak)
    except (CodeWrong, TooManyAttempts, HashingBusy) as problem:
        return _sent(request, ctx, asked, field="code", error=told(request, problem), problem=problem)


async def _show_link(request: Request, ctx: Context, token: str) -> Response:
    return await _linked(request, ctx, token)


async def _use_link(request: Request, ctx: Context, form: Sent) -> Response:
    token = form.get("token", "")
    try:
        return await _reset(request, ctx, KeyShown(token=token), form)
    except PasswordWeak as weak:
        return await _linked(request, ctx, token, error=weak.told(gettext(request)), problem=weak)
    except (HashingBusy, TooManyAttempts) as refused:
        return await _linked(request, ctx, token, error=told(request, refused), problem=refused)


FLOWS = {Purpose.RESET: MailedFlow(_show_link, _use_link, _show_sent, _use_code)}


async def _reset(request: Request, ctx: Context, shown: KeyShown, form: Sent) -> Response:
    done = await actions.reset_password(ctx, shown, form.get("password", ""), gettext(request))
    query = urlencode({"done": "reset", "return_to": safe_return_path(done.return_to)})
    response = RedirectResponse(f"/signin?{query}", status_code=303)
    # Whoever locks the account by failing on purpose does not keep its owner from signing in now.
    known_device.remember(response, request, done.user_id, ctx=ctx)
    cookies.drop_session(response, request, ctx.settings)
    drop_asked(response, request, ctx=ctx)
    return response


def _sent(
    request: Request, ctx: Context, asked: Asked, *, field: str = "", error: str = "", problem: Problem | None = None
) -> Response:
    response = page(
        request,
        "identity/password/sent.html",
        status=problem.status if problem else 200,
        asked=asked,
        errors={field: error},
        is_unproven=request.query_params.get("why") == "unproven",
        length_min=password_way(ctx).length_min,
        keeps_mails=not ctx.settings.is_production and ctx.settings.smtp_url is None,
        here="/auth/sent",
    )
    response.headers.update({**(problem.headers if problem else {}), "Cache-Control": "no-store"})
    return response


async def _linked(
    request: Request, ctx: Context, token: str, *, error: str = "", problem: Problem | None = None
) -> Response:
    response = page(
        request,
        "identity/password/link.html",
        status=problem.status if problem else 200,
        token=token,
        email=await actions.read_reset(ctx, token),
        error=error,
        length_min=password_way(ctx).length_min,
        here="/signin",
    )
    response.headers.update({**(problem.headers if problem else {}), "Cache-Control": "no-store"})
    return response
