"""The forms that a passkey fills in to sign somebody in, to finish that, or to confirm who is signed in."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from tenantry.kernel import Open, Problem, SignedIn
from tenantry.kernel.attempts import TooManyAttempts
from tenantry.web import gettext, safe_return_path

from .. import cookies
from ..actions import confirming, passkeys
from ..actions.passkey_proofs import confirm_purport, half_purport, passkey
from ..actions.second_factor import find_half, pass_second_factor
from ..doors import from_our_pages
from ..errors import OtherProofNeeded, PasskeyExpired, PasskeyRefused, PasskeyUnknown
from ..known_device import knows
from .confirm import confirm_page
from .failing import failed, told
from .letting_in import let_in
from .passkey_forms import Text, brought
from .second_factor import factor_page, half_ended
from .sign_in_page import sign_in_page

_WRONG = (PasskeyExpired, PasskeyRefused, PasskeyUnknown)

router = APIRouter(include_in_schema=False)


@router.post("/auth/passkey")
async def sign_in_with_passkey(
    request: Request, ctx: Open, challenge: Text = "", credential: Text = "", return_to: Annotated[str, Form()] = ""
) -> Response:
    """Sign in with a passkey."""
    from_our_pages(request, ctx)
    back = safe_return_path(return_to)
    old_token = cookies.session_token(request, ctx.settings)
    try:
        admission = await passkeys.sign_in_with_passkey(ctx, brought(challenge, credential), old_token=old_token)
    except _WRONG as problem:
        return sign_in_page(request, ctx, back, errors={"passkey": told(request, problem)})
    except TooManyAttempts as problem:
        return sign_in_page(request, ctx, back, errors={"passkey": told(request, problem)}, problem=problem)
    except Problem as problem:
        return failed(request, problem, back)
    return let_in(request, ctx, admission, back)


@router.post("/auth/second-factor/passkey")
async def pass_with_passkey(
    request: Request, ctx: Open, challenge: Text = "", credential: Text = "", return_to: Annotated[str, Form()] = ""
) -> Response:
    """Finish a sign-in with a passkey."""
    from_our_pages(request, ctx)
    back = safe_return_path(return_to)
    try:
        half = await find_half(ctx, cookies.half_token(request, ctx.settings))
    except Problem as problem:
        return half_ended(request, ctx, problem, back)
    try:
        started = await pass_second_factor(
            ctx,
            half,
            passkey(ctx, half_purport(half), brought(challenge, credential)),
            old_token=cookies.session_token(request, ctx.settings),
            is_known=knows(request, half.user_id, ctx=ctx),
            words=gettext(request),
        )
    except (*_WRONG, TooManyAttempts) as problem:
        return factor_page(request, half, back, problem=problem, kind="passkey")
    except Problem as problem:
        return half_ended(request, ctx, problem, back)
    return let_in(request, ctx, started, back)


@router.post("/auth/confirm/passkey")
async def confirm_with_passkey(
    request: Request, ctx: SignedIn, challenge: Text = "", credential: Text = "", return_to: Annotated[str, Form()] = ""
) -> Response:
    """Confirm with a passkey that it is still oneself."""
    back = safe_return_path(return_to, "/settings")
    try:
        shown = passkey(ctx, confirm_purport(ctx), brought(challenge, credential))
        started = await confirming.confirm(ctx, shown, gettext(request))
    except (*_WRONG, OtherProofNeeded, TooManyAttempts) as problem:
        return await confirm_page(request, ctx, back, problem=problem, kind="passkey")
    response = RedirectResponse(back, status_code=303)
    cookies.keep_session(response, started.token, ctx=ctx)
    return response
