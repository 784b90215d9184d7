"""`/v1/auth/sign-up`: making an account with a mailed link or code."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from tenantry.kernel import Open, problems
from tenantry.kernel.attempts import TooManyAttempts
from tenantry.kernel.problems import Invalid
from tenantry.web import CrossSiteRefused

from ..actions import sign_up as actions
from ..actions.sign_up import Chosen, Finish
from ..asked import Asked, read_asked
from ..bearer import presented_token
from ..doors import asking_of, from_our_pages
from ..errors import (
    AccountExists,
    CodeWrong,
    LinkExpired,
    ProviderUnknown,
    SignUpPasswordNeeded,
    SignUpPasswordWrong,
    UserBanned,
    UserDeleted,
)
from ..hashing import HashingBusy, PasswordWeak
from ..names import NAME_CHARACTERS_MAX, person_name
from ..tokens import Purpose
from .fields import EmailAddress
from .mailed import MailSent, MailShown, ReturnTo, mail_sent
from .signing import SignInAnswer, admitted

router = APIRouter(prefix="/v1/auth/sign-up", tags=["identity"])

PASSWORD_LENGTH_MAX = 1000
"""Of what is read at all; the rule for passwords is stricter, and says so."""

Password = Annotated[str, Field(max_length=PASSWORD_LENGTH_MAX)]
Name = Annotated[
    str,
    AfterValidator(person_name),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": NAME_CHARACTERS_MAX}),
]


class SignUpWanted(BaseModel):
    """Who wants an account. Whether a password is needed, `GET /v1/auth/ways` tells."""

    model_config = ConfigDict(extra="forbid", strict=True)

    email: EmailAddress
    name: Name | None = None
    password: Password | None = None
    return_to: ReturnTo = ""


class SignUpShown(MailShown):
    """What the mail brought.

    With a `token`, also what shows that the sign-up is one's own: the `challenge` that asking answered, the `password`
    that was chosen, or a `new_password`.
    """

    password: Password | None = None
    new_password: Password | None = None


@router.post(
    "",
    status_code=202,
    response_model=MailSent,
    responses=problems(CrossSiteRefused, HashingBusy, Invalid, PasswordWeak, ProviderUnknown, TooManyAttempts),
)
async def ask_to_sign_up(body: SignUpWanted, request: Request, ctx: Open) -> Response:
    """Mail a link and a code that make the account. The answer is the same where there is one with this address."""
    from_our_pages(request, ctx)
    asking = asking_of(request, ctx, body.email, body.return_to)
    challenge = await actions.ask_to_sign_up(ctx, asking, Chosen(body.name, body.password))
    return mail_sent(ctx, Asked(Purpose.SIGN_UP, challenge, asking.email, asking.return_to))


@router.post(
    "/confirm",
    response_model=SignInAnswer,
    responses=problems(
        AccountExists,
        CodeWrong,
        CrossSiteRefused,
        HashingBusy,
        Invalid,
        LinkExpired,
        PasswordWeak,
        ProviderUnknown,
        SignUpPasswordNeeded,
        SignUpPasswordWrong,
        TooManyAttempts,
        UserBanned,
        UserDeleted,
    ),
)
async def sign_up_by_mail(body: SignUpShown, request: Request, ctx: Open) -> Response:
    """Make the account with what the mail brought, and sign in."""
    from_our_pages(request, ctx)
    asked = read_asked(request, ctx=ctx)
    noted = asked.challenge if asked is not None and asked.purpose is Purpose.SIGN_UP else None
    finish = Finish(body.challenge or noted, body.password, body.new_password)
    old_token = presented_token(request, ctx.settings)[0]
    entered = await actions.sign_up_by_mail(ctx, body.shown(), finish, old_token=old_token)
    return admitted(request, ctx, entered.admission, deliver=body.deliver)
