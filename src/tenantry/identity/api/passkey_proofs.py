"""Showing a passkey: `/v1/auth/passkey` signs in, the others finish a sign-in or confirm who is signed in."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from tenantry.kernel import Context, Open, problems
from tenantry.kernel import SignedIn as Caller
from tenantry.kernel.attempts import TooManyAttempts
from tenantry.kernel.problems import Invalid, Unauthenticated
from tenantry.web import CrossSiteRefused, gettext

from .. import cookies
from ..actions import confirming, passkeys
from ..actions.passkey_proofs import SIGN_IN, ask_proof, confirm_purport, half_purport, passkey
from ..actions.second_factor import Half, find_half, pass_second_factor
from ..bearer import presented_token
from ..doors import from_our_pages
from ..errors import (
    OtherProofNeeded,
    PasskeyExpired,
    PasskeyRefused,
    PasskeyUnknown,
    ProviderUnknown,
    SignInExpired,
    UserBanned,
    UserDeleted,
)
from ..known_device import knows
from .confirm import Confirmed, confirmed
from .passkeys import CeremonyBegun, CredentialShown
from .signing import Deliver, SignedIn, SignInAnswer, admitted

router = APIRouter(prefix="/v1/auth", tags=["identity"])

HalfToken = Annotated[str, Field(max_length=100)]
_WRONG = (PasskeyExpired, PasskeyRefused, PasskeyUnknown)
_REFUSED = (CrossSiteRefused, Invalid, ProviderUnknown, TooManyAttempts, UserBanned, UserDeleted)


class SignInCredential(CredentialShown):
    """A passkey to sign in with."""

    deliver: Deliver = "cookie"


class HalfShown(BaseModel):
    """`token` is for apps that hold the half of a sign-in without cookies."""

    model_config = ConfigDict(extra="forbid", strict=True)

    token: HalfToken | None = None


class HalfCredential(SignInCredential):
    """A passkey as the second proof."""

    token: HalfToken | None = None


@router.post("/passkey/options", responses=problems(CrossSiteRefused, ProviderUnknown, TooManyAttempts))
async def ask_sign_in(request: Request, response: Response, ctx: Open) -> CeremonyBegun:
    """Begin a sign-in with a passkey: the person picks one of theirs. The answer is the same for everybody."""
    from_our_pages(request, ctx)
    response.headers["Cache-Control"] = "no-store"
    return CeremonyBegun.of(await ask_proof(ctx, SIGN_IN))


@router.post("/passkey", response_model=SignInAnswer, responses=problems(*_REFUSED, *_WRONG))
async def sign_in_with_passkey(body: SignInCredential, request: Request, ctx: Open) -> Response:
    """Sign in with a passkey; it stands for both factors. Each challenge works once."""
    from_our_pages(request, ctx)
    old_token, _ = presented_token(request, ctx.settings)
    admission = await passkeys.sign_in_with_passkey(ctx, body.brought(), old_token=old_token)
    return admitted(request, ctx, admission, deliver=body.deliver)


@router.post(
    "/second-factor/passkey/options",
    responses=problems(CrossSiteRefused, Invalid, OtherProofNeeded, ProviderUnknown, SignInExpired, TooManyAttempts),
)
async def ask_second_passkey(
    request: Request, response: Response, ctx: Open, body: HalfShown | None = None
) -> CeremonyBegun:
    """Ask for a passkey as the second half of a sign-in: one of those of who began it."""
    from_our_pages(request, ctx)
    response.headers["Cache-Control"] = "no-store"
    half = await _half(request, ctx, body.token if body else None)
    return CeremonyBegun.of(await ask_proof(ctx, half_purport(half)))


@router.post("/second-factor/passkey", response_model=SignedIn, responses=problems(*_REFUSED, *_WRONG, SignInExpired))
async def pass_with_passkey(body: HalfCredential, request: Request, ctx: Open) -> Response:
    """Finish a sign-in with a passkey."""
    from_our_pages(request, ctx)
    half = await _half(request, ctx, body.token)
    started = await pass_second_factor(
        ctx,
        half,
        passkey(ctx, half_purport(half), body.brought()),
        old_token=presented_token(request, ctx.settings)[0],
        is_known=knows(request, half.user_id, ctx=ctx),
        words=gettext(request),
    )
    return admitted(request, ctx, started, deliver=body.deliver)


@router.post(
    "/confirm/passkey/options",
    responses=problems(CrossSiteRefused, OtherProofNeeded, ProviderUnknown, TooManyAttempts, Unauthenticated),
)
async def ask_confirmation(response: Response, ctx: Caller) -> CeremonyBegun:
    """Ask for a passkey of who is signed in."""
    response.headers["Cache-Control"] = "no-store"
    return CeremonyBegun.of(await ask_proof(ctx, confirm_purport(ctx)))


@router.post(
    "/confirm/passkey",
    response_model=Confirmed,
    responses=problems(*_REFUSED, *_WRONG, OtherProofNeeded, Unauthenticated),
)
async def confirm_with_passkey(body: CredentialShown, request: Request, ctx: Caller) -> Response:
    """Confirm with a passkey: what asks for a recent proof works for ten minutes. The session gets a new token."""
    shown = passkey(ctx, confirm_purport(ctx), body.brought())
    return confirmed(request, ctx, await confirming.confirm(ctx, shown, gettext(request)))


async def _half(request: Request, ctx: Context, token: str | None) -> Half:
    return await find_half(ctx, token or cookies.half_token(request, ctx.settings))
