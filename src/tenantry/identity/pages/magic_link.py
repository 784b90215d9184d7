"""Signing in by a mailed link or code: asking for it, and what the link shows."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from tenantry.kernel import Context, Open, Problem
from tenantry.kernel.attempts import TooManyAttempts
from tenantry.web import gettext, page, safe_return_path

from .. import cookies
from ..actions import magic_link as actions
from ..actions.mailed import KeyShown, asked_from, read_mailed
from ..asked import Asked
from ..doors import asking_of, from_our_pages
from ..providers.profiles import clean_email
from ..tokens import Purpose
from .failing import failed, told
from .mailed import challenge_here, enter_by_code, go_in, show_sent, to_sent
from .sign_in_page import sign_in_page
from .verify import Form as Sent
from .verify import MailedFlow

router = APIRouter(include_in_schema=False)


@router.post("/auth/magic-link")
async def ask_for_link(
    request: Request, ctx: Open, email: Annotated[str, Form()] = "", return_to: Annotated[str, Form()] = ""
) -> Response:
    """Mail a link and a code, and go on to where the code is typed."""
    from_our_pages(request, ctx)
    back = safe_return_path(return_to)
    wanted = clean_email(email.strip())
    if wanted is None:
        error = gettext(request)("Use an e-mail address, for example ada@example.com.")
        return sign_in_page(request, ctx, back, email=email, errors={"email": error})
    try:
        challenge = await actions.ask_for_link(ctx, asking_of(request, ctx, wanted, back))
    except TooManyAttempts as problem:
        return sign_in_page(request, ctx, back, email=email, errors={"email": told(request, problem)}, problem=problem)
    except Problem as problem:
        return failed(request, problem, back)
    return to_sent(ctx, Asked(Purpose.SIGN_IN, challenge, wanted, back))


async def _show_link(request: Request, ctx: Context, token: str) -> Response:
    found = await read_mailed(ctx, Purpose.SIGN_IN, token)
    response = page(
        request,
        "identity/mailed/sign_in.html",
        token=token,
        address=found.identifier,
        asked_from=None if challenge_here(request, ctx, Purpose.SIGN_IN) == found.id else asked_from(found),
        other=ctx.actor.email if ctx.actor.email != found.identifier else None,
    )
    response.headers["Cache-Control"] = "no-store"
    return response


async def _use_link(request: Request, ctx: Context, form: Sent) -> Response:
    old_token = cookies.session_token(request, ctx.settings)
    entered = await actions.sign_in_by_link(ctx, KeyShown(form.get("token", "")), old_token=old_token)
    return go_in(request, ctx, entered)


async def _use_code(request: Request, ctx: Context, asked: Asked, form: Sent) -> Response:
    return await enter_by_code(request, ctx, asked, form, actions.sign_in_by_link)


FLOWS = {Purpose.SIGN_IN: MailedFlow(_show_link, _use_link, show_sent, _use_code)}
