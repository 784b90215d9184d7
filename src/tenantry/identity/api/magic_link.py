"""`/v1/auth/magic-link`: signing in with a mailed link or code."""

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict

from tenantry.kernel import Open, problems
from tenantry.kernel.attempts import TooManyAttempts
from tenantry.kernel.problems import Invalid
from tenantry.web import CrossSiteRefused

from ..actions import magic_link as actions
from ..asked import Asked
from ..bearer import presented_token
from ..doors import asking_of, from_our_pages
from ..errors import CodeWrong, LinkExpired, ProviderUnknown, UserBanned, UserDeleted
from ..tokens import Purpose
from .fields import EmailAddress
from .mailed import MailSent, MailShown, ReturnTo, mail_sent
from .signing import SignInAnswer, admitted

router = APIRouter(prefix="/v1/auth/magic-link", tags=["identity"])


class MagicLinkWanted(BaseModel):
    """The address that wants to sign in."""

    model_config = ConfigDict(extra="forbid", strict=True)

    email: EmailAddress
    return_to: ReturnTo = ""


@router.post(
    "",
    status_code=202,
    response_model=MailSent,
    responses=problems(CrossSiteRefused, Invalid, ProviderUnknown, TooManyAttempts),
)
async def ask_for_link(body: MagicLinkWanted, request: Request, ctx: Open) -> Response:
    """Mail a link and a code. The answer is the same whether or not there is an account with this address."""
    from_our_pages(request, ctx)
    asking = asking_of(request, ctx, body.email, body.return_to)
    challenge = await actions.ask_for_link(ctx, asking)
    return mail_sent(ctx, Asked(Purpose.SIGN_IN, challenge, asking.email, asking.return_to))


@router.post(
    "/confirm",
    response_model=SignInAnswer,
    responses=problems(CodeWrong, CrossSiteRefused, Invalid, LinkExpired, TooManyAttempts, UserBanned, UserDeleted),
)
async def sign_in_by_link(body: MailShown, request: Request, ctx: Open) -> Response:
    """Sign in with what the mail brought; each mail works once."""
    from_our_pages(request, ctx)
    entered = await actions.sign_in_by_link(ctx, body.shown(), old_token=presented_token(request, ctx.settings)[0])
    return admitted(request, ctx, entered.admission, deliver=body.deliver)
