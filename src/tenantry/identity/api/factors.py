"""`/v1/me/second-factors`, `/v1/me/totp`, `/v1/me/recovery-codes`: what is asked for after the first proof."""

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict

from tenantry.kernel import Read, SignedIn, problems
from tenantry.kernel.problems import Invalid, Unauthenticated
from tenantry.web import CrossSiteRefused, gettext

from .. import queries
from ..actions import recovery_codes, totp
from ..errors import CodeWrong, ConfirmationNeeded, FactorNotFound, FactorsMissing, UserBanned, UserDeleted
from .second_factor import Code

router = APIRouter(prefix="/v1/me", tags=["identity"])

_CHANGE = (ConfirmationNeeded, CrossSiteRefused, Unauthenticated, UserBanned, UserDeleted)


class SecondFactors(BaseModel):
    """What signing in asks for beside the first proof. Recovery codes alone are asked for by nobody."""

    totp: bool
    passkeys: int
    recovery_codes_left: int


class TotpBegun(BaseModel):
    """What to tell the authenticator app: type the `secret` (base32), or show `uri` as a QR code."""

    secret: str
    uri: str


class FirstCode(BaseModel):
    """The first code that the app shows."""

    model_config = ConfigDict(extra="forbid", strict=True)

    code: Code


class RecoveryCodesMade(BaseModel):
    """New recovery codes, shown this once. None when unused ones from before still work."""

    recovery_codes: list[str]


@router.get("/second-factors", responses=problems(Unauthenticated))
async def read_second_factors(ctx: Read) -> SecondFactors:
    """Answer which second factors the user has."""
    found = await queries.factors.of_user(ctx.db, ctx.user_id)
    return SecondFactors(totp=found.totp > 0, passkeys=found.passkeys, recovery_codes_left=found.recovery_codes)


@router.post("/totp", responses=problems(*_CHANGE))
async def begin_totp(response: Response, ctx: SignedIn) -> TotpBegun:
    """Begin to set an authenticator app up. It counts after its first code; needs a recent proof."""
    begun = await totp.begin_totp(ctx)
    response.headers["Cache-Control"] = "no-store"
    return TotpBegun(secret=begun.secret, uri=begun.uri)


@router.post("/totp/confirm", responses=problems(*_CHANGE, CodeWrong, FactorNotFound, Invalid))
async def confirm_totp(body: FirstCode, request: Request, response: Response, ctx: SignedIn) -> RecoveryCodesMade:
    """Take the app's first code: signing in asks for its codes from now on. Needs a recent proof."""
    codes = await totp.confirm_totp(ctx, body.code, gettext(request))
    response.headers["Cache-Control"] = "no-store"
    return RecoveryCodesMade(recovery_codes=codes)


@router.delete("/totp", status_code=204, responses=problems(*_CHANGE, FactorNotFound))
async def remove_totp(request: Request, ctx: SignedIn) -> Response:
    """Take the authenticator app away; the recovery codes too, when it was the last second factor."""
    await totp.remove_totp(ctx, gettext(request))
    return Response(status_code=204)


@router.post("/recovery-codes", responses=problems(*_CHANGE, FactorsMissing))
async def replace_recovery_codes(request: Request, response: Response, ctx: SignedIn) -> RecoveryCodesMade:
    """Make new recovery codes; the old ones no longer work. Needs a recent proof."""
    codes = await recovery_codes.replace_codes(ctx, gettext(request))
    response.headers["Cache-Control"] = "no-store"
    return RecoveryCodesMade(recovery_codes=codes)
