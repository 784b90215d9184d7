"""`/v1/auth/confirm`: showing once more that it is oneself, before one changes how one signs in."""

from datetime import datetime
from typing import Annotated, Literal, Self

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, model_validator

from tenantry.kernel import Context, SignedIn, problems
from tenantry.kernel.attempts import TooManyAttempts
from tenantry.kernel.problems import Invalid, Unauthenticated
from tenantry.web import CrossSiteRefused, gettext

from .. import cookies
from ..actions import confirming
from ..actions.factors import Shown, app_code, recovery_code
from ..actions.sessions import Started
from ..bearer import presented_token
from ..errors import CodeWrong, OtherProofNeeded, PasswordWrong, UserBanned, UserDeleted
from ..hashing import HashingBusy
from ..recent import RECENT, is_recent
from .second_factor import Code

router = APIRouter(prefix="/v1/auth/confirm", tags=["identity"])

Way = Literal["totp", "passkey", "recovery_code", "password", "mailed_code"]
_REFUSED = (CrossSiteRefused, OtherProofNeeded, TooManyAttempts, Unauthenticated, UserBanned, UserDeleted)


class Confirmation(BaseModel):
    """What the user may show, and until when the last proof counts; `null` when it is needed anew."""

    ways: list[Way]
    confirmed_until: datetime | None


class ProofShown(BaseModel):
    """One of these: `code` is of the authenticator app, `mailed_code` of the mail that `POST .../mail` sent."""

    model_config = ConfigDict(extra="forbid", strict=True)

    code: Code | None = None
    recovery_code: Code | None = None
    password: Annotated[str, Field(min_length=1, max_length=1000)] | None = None
    mailed_code: Code | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(one is not None for one in (self.code, self.recovery_code, self.password, self.mailed_code)) != 1:
            raise ValueError("Send exactly one of code, recovery_code, password and mailed_code.")
        return self


class Confirmed(BaseModel):
    """The session has a new token: in the cookie, or here for who sent it as a bearer; the old one has ended."""

    confirmed_until: datetime
    token: str | None = None


@router.get("", responses=problems(Unauthenticated))
async def read_ways(request: Request, ctx: SignedIn) -> Confirmation:
    """Answer what the user may show, and whether they have to."""
    proven = ctx.actor.authenticated_at
    until = proven + RECENT if proven is not None and is_recent(ctx) else None
    return Confirmation.model_validate({"ways": await confirming.ways_to_confirm(ctx), "confirmed_until": until})


@router.post(
    "", response_model=Confirmed, responses=problems(*_REFUSED, CodeWrong, HashingBusy, Invalid, PasswordWrong)
)
async def confirm(body: ProofShown, request: Request, ctx: SignedIn) -> Response:
    """Take a proof: what asks for a recent one works for ten minutes. The session gets a new token."""
    return confirmed(request, ctx, await confirming.confirm(ctx, _shown(body, request, ctx), gettext(request)))


@router.post("/mail", status_code=204, responses=problems(*_REFUSED))
async def mail_code(request: Request, ctx: SignedIn) -> Response:
    """Mail the user a code for `mailed_code`, if that is what they may show. It counts for this session only."""
    await confirming.mail_code(ctx, gettext(request))
    return Response(status_code=204)


def confirmed(request: Request, ctx: Context, started: Started) -> Response:
    """The answer to a right proof, with the session's new token."""
    # It goes the way the old one came: no script of a page ever sees one.
    _old, in_cookie = presented_token(request, ctx.settings)
    answer = Confirmed(confirmed_until=ctx.clock.now() + RECENT, token=None if in_cookie else started.token)
    response = JSONResponse(answer.model_dump(mode="json"), headers={"Cache-Control": "no-store"})
    if in_cookie:
        cookies.keep_session(response, started.token, ctx=ctx)
    return response


def _shown(body: ProofShown, request: Request, ctx: SignedIn) -> Shown:
    if body.code is not None:
        return app_code(body.code)
    if body.recovery_code is not None:
        return recovery_code(ctx, body.recovery_code, gettext(request))
    if body.password is not None:
        return confirming.password(ctx, body.password)
    return confirming.mailed_code(ctx, body.mailed_code or "")
