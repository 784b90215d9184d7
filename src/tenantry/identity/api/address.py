"""`/v1/me/email`: the user's address and the change of it under way; `/v1/auth/email`: what the mailed links do."""

from datetime import datetime
from typing import Self

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from tenantry.kernel import Context, Open, Read, SignedIn, Write, problems
from tenantry.kernel.attempts import TooManyAttempts
from tenantry.kernel.problems import Invalid, Unauthenticated
from tenantry.web import CrossSiteRefused, gettext

from .. import cookies, queries
from ..actions import address as actions
from ..bearer import presented_token
from ..doors import from_our_pages
from ..errors import AddressTaken, AddressUnchanged, ConfirmationNeeded, LinkExpired, UserBanned, UserDeleted
from ..recent import require_recent
from ..tokens import Purpose
from .fields import EmailAddress

router = APIRouter(tags=["identity"])


class PendingAddress(BaseModel):
    """A change under way. It happens when the new address has `confirmed` and the old one `approved`."""

    email: str
    confirmed: bool
    approved: bool
    created_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, change: queries.addresses.AddressChange) -> Self:
        return cls(
            email=change.email,
            confirmed=change.confirmed_at is not None,
            approved=change.approved_at is not None,
            created_at=change.created_at,
            expires_at=change.expires_at,
        )


class MyAddress(BaseModel):
    """The address in force, whether it is proven, and the change of it that is under way."""

    email: str
    email_verified: bool
    pending: PendingAddress | None


class AddressWanted(BaseModel):
    """The address that should take the place of the present one."""

    model_config = ConfigDict(extra="forbid", strict=True)

    email: EmailAddress


class MailedToken(BaseModel):
    """The token of a mailed link."""

    model_config = ConfigDict(extra="forbid", strict=True)

    token: str = Field(max_length=100)


class AddressAgreed(BaseModel):
    """One address has agreed to `email`. `changed`: so have both, and it is the address from now on.

    `token` is there when this very session's came as a bearer: its new one, the old one is over.
    """

    email: str
    changed: bool
    token: str | None = None


@router.get("/v1/me/email", responses=problems(Unauthenticated))
async def read_address(ctx: Read) -> MyAddress:
    """Answer the user's address and the change under way."""
    return await _mine(ctx)


@router.post(
    "/v1/me/email",
    status_code=202,
    responses=problems(
        AddressUnchanged,
        ConfirmationNeeded,
        CrossSiteRefused,
        Invalid,
        TooManyAttempts,
        Unauthenticated,
        UserBanned,
        UserDeleted,
    ),
)
async def ask_address_change(body: AddressWanted, request: Request, ctx: SignedIn) -> MyAddress:
    """Begin a change of address: both addresses get a mail with a link, and a newer change replaces an older one.

    The answer is the same whether or not somebody else has the address.
    """
    require_recent(ctx)
    await actions.ask_address_change(ctx, body.email, gettext(request))
    return await _mine(ctx.reading())


@router.delete("/v1/me/email", status_code=204, responses=problems(CrossSiteRefused, Unauthenticated))
async def cancel_address_change(ctx: Write) -> Response:
    """Take the change under way back, if there is one."""
    await actions.cancel_address_change(ctx)
    return Response(status_code=204)


_AGREED = problems(AddressTaken, CrossSiteRefused, Invalid, LinkExpired, UserBanned, UserDeleted)


@router.post("/v1/auth/email/confirm", response_model=AddressAgreed, responses=_AGREED)
async def confirm_address(body: MailedToken, request: Request, ctx: Open) -> Response:
    """Say, by the link that was mailed to the new address, that it is yours."""
    return await _agreed(body, request, ctx, Purpose.CHANGE_ADDRESS)


@router.post("/v1/auth/email/approve", response_model=AddressAgreed, responses=_AGREED)
async def approve_address(body: MailedToken, request: Request, ctx: Open) -> Response:
    """Approve a change, by the link that was mailed to the present address."""
    return await _agreed(body, request, ctx, Purpose.APPROVE_ADDRESS)


@router.post(
    "/v1/auth/email/decline",
    status_code=204,
    responses=problems(CrossSiteRefused, Invalid, LinkExpired, UserBanned, UserDeleted),
)
async def decline_address(body: MailedToken, request: Request, ctx: Open) -> Response:
    """Refuse a change, by the link that was mailed to the present address; every other session ends."""
    from_our_pages(request, ctx)
    await actions.decline_address_change(ctx, body.token)
    return Response(status_code=204)


async def _agreed(body: MailedToken, request: Request, ctx: Context, side: actions.Side) -> Response:
    from_our_pages(request, ctx)
    agreed = await actions.agree_to_address(ctx, side, body.token, gettext(request))
    started, is_cookie = agreed.started, presented_token(request, ctx.settings)[1]
    token = started.token if started and not is_cookie else None
    answer = AddressAgreed(email=agreed.email, changed=agreed.is_done, token=token)
    response = JSONResponse(answer.model_dump(mode="json"), headers={"Cache-Control": "no-store"})
    if started and is_cookie:
        cookies.keep_session(response, started.token, ctx=ctx)
    return response


async def _mine(ctx: Context) -> MyAddress:
    user = await queries.users.by_id(ctx.db, ctx.user_id)
    if user is None:
        raise Unauthenticated
    change = await queries.addresses.of_user(ctx.db, ctx.user_id)
    return MyAddress(
        email=user.email,
        email_verified=user.email_verified_at is not None,
        pending=PendingAddress.of(change) if change else None,
    )
