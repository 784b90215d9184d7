"""Passwords for apps: signing in, a forgotten one, one's own."""

from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, model_validator

from tenantry.kernel import Open, SignedIn, problems
from tenantry.kernel.attempts import TooManyAttempts
from tenantry.kernel.problems import Invalid, Malformed, Unauthenticated
from tenantry.web import CrossSiteRefused, gettext

from .. import cookies
from ..actions import password as actions
from ..actions import reset
from ..actions.mailed import KeyShown
from ..asked import Asked, drop_asked
from ..bearer import bearer_of, presented_token
from ..doors import asking_of, from_our_pages
from ..errors import (
    AddressUnproven,
    CodeWrong,
    ConfirmationNeeded,
    CredentialsWrong,
    LastWayIn,
    LinkExpired,
    PasswordNotFound,
    ProviderUnknown,
    UserBanned,
    UserDeleted,
)
from ..hashing import PASSWORD_CHARACTERS_MAX, HashingBusy, PasswordWeak
from ..tokens import Purpose
from .fields import EmailAddress
from .mailed import Challenge, MailSent, ReturnTo, mail_sent
from .signing import Deliver, SignInAnswer, admitted

router = APIRouter(tags=["identity"])

_CHANGE = (ConfirmationNeeded, CrossSiteRefused, ProviderUnknown, Unauthenticated, UserBanned, UserDeleted)

# A lone surrogate is no text that could be hashed; pydantic refuses it in a `str` that has a length.
ComparedPassword = Annotated[str, Field(min_length=1, max_length=1000)]
ChosenPassword = Annotated[
    str,
    Field(
        max_length=1000,
        description=f"At least as many characters as `GET /v1/auth/ways` tells, at most {PASSWORD_CHARACTERS_MAX}.",
    ),
]


class Credentials(BaseModel):
    """An address and its password."""

    model_config = ConfigDict(extra="forbid", strict=True)

    email: EmailAddress
    password: ComparedPassword
    deliver: Deliver = "cookie"


class ResetWanted(BaseModel):
    """Whose password was forgotten."""

    model_config = ConfigDict(extra="forbid", strict=True)

    email: EmailAddress
    return_to: ReturnTo = ""


class ResetShown(BaseModel):
    """What the mail brought, `token` or `code` with its `challenge`, and the new password."""

    model_config = ConfigDict(extra="forbid", strict=True)

    token: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    challenge: Challenge | None = None
    code: Annotated[str, Field(min_length=1, max_length=50)] | None = None
    password: ChosenPassword

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.token is None) == (self.code is None):
            raise ValueError("Send either token or code.")
        if (self.code is None) != (self.challenge is None):
            raise ValueError("Send the challenge with the code.")
        return self


class NewPassword(BaseModel):
    """The password to sign in with from now on."""

    model_config = ConfigDict(extra="forbid", strict=True)

    password: ChosenPassword


class PasswordSaved(BaseModel):
    """The session has a new token: in the cookie, or here for who sent it as a bearer; the old one has ended."""

    session_id: UUID
    token: str | None = None


@router.post(
    "/v1/auth/password",
    response_model=SignInAnswer,
    responses=problems(
        AddressUnproven, CredentialsWrong, CrossSiteRefused, HashingBusy, Invalid, ProviderUnknown, TooManyAttempts,
        UserBanned, UserDeleted,
    ),
)  # fmt: skip
async def sign_in(body: Credentials, request: Request, ctx: Open) -> Response:
    """Sign in with an address and a password. What of the two is wrong is not told."""
    from_our_pages(request, ctx)
    asking = asking_of(request, ctx, body.email, "")
    old_token, _ = presented_token(request, ctx.settings)
    admission = await actions.sign_in_with_password(ctx, asking, body.password, old_token=old_token)
    if isinstance(admission, actions.ProofAsked):
        raise AddressUnproven(challenge=str(admission.challenge))
    return admitted(request, ctx, admission, deliver=body.deliver)


@router.post(
    "/v1/auth/reset",
    status_code=202,
    response_model=MailSent,
    responses=problems(CrossSiteRefused, Invalid, ProviderUnknown, TooManyAttempts),
)
async def ask_reset(body: ResetWanted, request: Request, ctx: Open) -> Response:
    """Mail a link and a code that let a new password be chosen. The answer is the same whoever has the address."""
    from_our_pages(request, ctx)
    asking = asking_of(request, ctx, body.email, body.return_to)
    challenge = await reset.ask_reset(ctx, asking)
    return mail_sent(ctx, Asked(Purpose.RESET, challenge, asking.email, asking.return_to))


@router.post(
    "/v1/auth/reset/confirm",
    status_code=204,
    responses=problems(
        CodeWrong, CrossSiteRefused, HashingBusy, Invalid, LinkExpired, Malformed, PasswordWeak, ProviderUnknown,
        TooManyAttempts, UserBanned, UserDeleted,
    ),
)  # fmt: skip
async def reset_password(body: ResetShown, request: Request, ctx: Open) -> Response:
    """Set the new password; each mail works once. Every session ends, and one signs in with it afterwards."""
    from_our_pages(request, ctx)
    shown = KeyShown(body.token or "", body.challenge, body.code or "")
    await reset.reset_password(ctx, shown, body.password, gettext(request))
    response = Response(status_code=204)
    drop_asked(response, request, ctx=ctx)
    return response


@router.put(
    "/v1/me/password",
    response_model=PasswordSaved,
    responses=problems(*_CHANGE, HashingBusy, Invalid, PasswordWeak, TooManyAttempts),
)
async def set_password(body: NewPassword, request: Request, ctx: SignedIn) -> Response:
    """Set or change one's password. Needs a recent proof; every other session ends, this one gets a new token."""
    started = await actions.set_password(ctx, body.password, gettext(request))
    is_bearer = bearer_of(request) is not None
    answer = PasswordSaved(session_id=started.session_id, token=started.token if is_bearer else None)
    response = JSONResponse(answer.model_dump(mode="json"), headers={"Cache-Control": "no-store"})
    if not is_bearer:
        cookies.keep_session(response, started.token, ctx=ctx)
    return response


@router.delete("/v1/me/password", status_code=204, responses=problems(*_CHANGE, LastWayIn, PasswordNotFound))
async def remove_password(request: Request, ctx: SignedIn) -> Response:
    """Take one's password away, unless one could not sign in any more. Needs a recent proof."""
    await actions.remove_password(ctx, gettext(request))
    return Response(status_code=204)
