"""The pages and redirects of signing in and out."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from tenantry.kernel import Context, Open, Problem
from tenantry.kernel.attempts import attempt, network
from tenantry.web import gettext, safe_return_path

from .. import cookies, doors
from ..actions import linking
from ..actions import sign_in as actions
from ..errors import ProviderRefused, ProviderUnreachable, SignInDenied, SignInExpired
from ..providers.base import Answer, Pending
from .accounts import to_link
from .failing import failed
from .impersonation import back_to_operator
from .letting_in import let_in
from .sign_in_page import sign_in_page

router = APIRouter(include_in_schema=False)

SIGN_INS_A_MINUTE = 120
"""From one address; an office behind one address passes, a guesser does not."""

# RFC 6749 4.1.2.1 and OpenID Connect Core 3.1.2.6: what a person, or nobody's session over there, made of it.
_DENIED = frozenset({
    "access_denied", "account_selection_required", "consent_required", "interaction_required", "login_required",
})  # fmt: skip
_AWAY = frozenset({"server_error", "temporarily_unavailable"})


@router.get("/signin")
async def show_sign_in(request: Request, ctx: Open, return_to: str = "") -> Response:
    """The ways in; who is signed in is sent on."""
    back = safe_return_path(return_to)
    if ctx.actor.kind == "user":
        return RedirectResponse(back, status_code=303)
    if cookies.aside_token(request, ctx) is not None:
        # An operator's look through somebody's eyes has ended by itself.
        return back_to_operator(request, ctx)
    return sign_in_page(request, ctx, back)


@router.get("/auth/{provider}/start")
async def start_sign_in(request: Request, provider: str, ctx: Open, return_to: str = "") -> Response:
    """Send the browser to a provider, with a note of it in a cookie."""
    back = safe_return_path(return_to)
    try:
        url, pending = await actions.begin_sign_in(ctx, provider, back)
    except Problem as problem:
        return failed(request, problem, back)
    response = RedirectResponse(url, status_code=303)
    cookies.keep_pending(response, request, pending, ctx=ctx)
    return response


@router.get("/auth/{provider}/callback")
async def end_sign_in(request: Request, provider: str, ctx: Open) -> Response:
    """Take the browser back from a provider. The note of this sign-in is gone afterwards, whatever happened."""
    state = request.query_params.get("state", "")
    pending = cookies.read_pending(request, state, provider, ctx=ctx)
    try:
        # Before the code is looked at, in a unit of its own; whoever guesses codes is counted whatever comes of it.
        if caller := network(ctx.origin.address):
            await attempt(ctx, f"sign-in from {caller}", most=SIGN_INS_A_MINUTE, within=timedelta(minutes=1))
        response = await _signed_in(request, pending, ctx)
    except Problem as problem:
        response = failed(request, problem, pending.return_to if pending else "")
    cookies.drop_pending(response, request, state, ctx.settings)
    return response


@router.post("/auth/signout")
async def sign_out(request: Request, ctx: Open, return_to: Annotated[str, Form()] = "") -> Response:
    """End the browser's session, if it has one, and go to the start page, or back to where another person is wanted."""
    # Also without a session: another site must not make a browser drop its cookie.
    doors.from_our_pages(request, ctx)
    response = RedirectResponse(safe_return_path(return_to, "/"), status_code=303)
    await doors.sign_out(response, request, cookies.session_token(request, ctx.settings), ctx=ctx)
    return response


async def _signed_in(request: Request, pending: Pending | None, ctx: Context) -> Response:
    if pending is None:
        # Also a sign-in that somebody else began and wants this browser to finish (login CSRF).
        raise SignInExpired
    query = request.query_params
    _refuse_error(query.get("error"))
    if not (code := query.get("code")):
        raise SignInExpired(internal="the callback carries neither a code nor an error")
    answer = Answer(code, query.get("iss"))
    if pending.user_id is not None:
        await linking.finish_connect(ctx, pending, answer, gettext(request))
        return RedirectResponse(safe_return_path(pending.return_to), status_code=303)
    old_token = cookies.session_token(request, ctx.settings)
    admission = await actions.finish_sign_in(ctx, pending, answer, old_token=old_token)
    if isinstance(admission, linking.LinkNeeded):
        return to_link(ctx, admission, pending.return_to)
    return let_in(request, ctx, admission, pending.return_to)


def _refuse_error(error: str | None) -> None:
    if error is None:
        return
    internal = f"the provider sent the browser back with {error[:100]!r}"
    if error in _DENIED:
        raise SignInDenied(internal=internal)
    if error in _AWAY:
        raise ProviderUnreachable(internal=internal)
    raise ProviderRefused(internal=internal)
