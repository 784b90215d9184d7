"""`/v1/me/accounts`: what somebody signs in with; `/v1/auth/link-account`: an account that waits to be connected."""

from datetime import datetime
from typing import Literal, Self
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from tenantry.kernel import Open, Read, SignedIn, problems
from tenantry.kernel.problems import Invalid, Malformed, Unauthenticated
from tenantry.web import CrossSiteRefused, gettext, safe_return_path

from .. import cookies, queries
from ..actions import linking
from ..doors import from_our_pages
from ..errors import (
    AccountNotFound,
    AccountTaken,
    ConfirmationNeeded,
    IssuerChanged,
    LastWayIn,
    LinkExpired,
    OtherPerson,
    ProviderAnswerInvalid,
    ProviderUnknown,
    ProviderUnreachable,
    UserBanned,
    UserDeleted,
)

router = APIRouter(tags=["identity"])

_CHANGE = (ConfirmationNeeded, CrossSiteRefused, Unauthenticated, UserBanned, UserDeleted)


class ConnectedAccount(BaseModel):
    """An account at a provider that the user signs in with; `provider_account_id` is what it calls the user."""

    id: UUID
    provider: str
    provider_account_id: str
    email: str | None
    created_at: datetime
    last_used_at: datetime | None

    @classmethod
    def of(cls, account: queries.accounts.Account) -> Self:
        return cls(
            id=account.id,
            provider=account.provider,
            provider_account_id=account.provider_account_id,
            email=account.email,
            created_at=account.created_at,
            last_used_at=account.last_used_at,
        )


class ConnectedAccounts(BaseModel):
    """Connected accounts, oldest first; all of them."""

    items: list[ConnectedAccount]
    next_cursor: UUID | None = None


class Connecting(BaseModel):
    """Where the browser goes on after the account is connected: a path of this site."""

    model_config = ConfigDict(extra="forbid")

    return_to: str = Field(default="/settings", max_length=512)


class AuthorizationBegun(BaseModel):
    """Where to send the browser. The cookie that came along must be there when it comes back."""

    authorization_url: str


class WaitingLink(BaseModel):
    """An account that waits: its user signs in first (`sign_in`), then confirms (`confirm`)."""

    status: Literal["sign_in", "confirm"]
    provider: str
    email: str | None


@router.get("/v1/me/accounts", responses=problems(Unauthenticated))
async def list_accounts(ctx: Read) -> ConnectedAccounts:
    """List the accounts at providers that the user signs in with."""
    found = await queries.accounts.of_user(ctx.db, ctx.user_id)
    return ConnectedAccounts(items=[ConnectedAccount.of(one) for one in found])


@router.post(
    "/v1/me/accounts/{provider}/connect",
    responses=problems(
        ConfirmationNeeded, CrossSiteRefused, Invalid, ProviderAnswerInvalid, ProviderUnknown, ProviderUnreachable,
        Unauthenticated,
    ),
)  # fmt: skip
async def connect_account(
    request: Request, response: Response, provider: str, ctx: SignedIn, body: Connecting | None = None
) -> AuthorizationBegun:
    """Begin to connect an account of a provider. Needs a recent proof of who asks."""
    from_our_pages(request, ctx)
    back = safe_return_path((body or Connecting()).return_to, "/settings")
    url, pending = await linking.begin_connect(ctx, provider, back)
    cookies.keep_pending(response, request, pending, ctx=ctx)
    response.headers["Cache-Control"] = "no-store"
    return AuthorizationBegun(authorization_url=url)


@router.delete(
    "/v1/me/accounts/{account_id}", status_code=204, responses=problems(*_CHANGE, AccountNotFound, Invalid, LastWayIn)
)
async def disconnect_account(request: Request, account_id: UUID, ctx: SignedIn) -> Response:
    """Take an account away, and end the sessions it began, but not the one that asks. Needs a recent proof."""
    await linking.disconnect(ctx, account_id, gettext(request))
    return Response(status_code=204)


@router.get("/v1/auth/link-account", responses=problems(LinkExpired, Malformed, OtherPerson))
async def read_link(request: Request, ctx: Open) -> WaitingLink:
    """Show the account that waits to be connected to the user whose address it has. Changes nothing."""
    link = await linking.read_link(ctx, _token(request, ctx))
    return WaitingLink(
        status="sign_in" if ctx.actor.user_id is None else "confirm", provider=link.provider, email=link.profile.email
    )


@router.post(
    "/v1/auth/link-account",
    responses=problems(*_CHANGE, AccountTaken, IssuerChanged, LinkExpired, Malformed, OtherPerson),
)
async def confirm_link(request: Request, response: Response, ctx: SignedIn) -> ConnectedAccount:
    """Connect the account that waits to the signed-in user. Needs a recent proof."""
    from_our_pages(request, ctx)
    account = await linking.confirm_link(ctx, _token(request, ctx), gettext(request))
    cookies.drop_link(response, request, ctx.settings)
    async with ctx.unit(writes=False) as reading:
        found = await queries.accounts.one(reading.db, ctx.user_id, account)
    if found is None:
        raise AccountNotFound
    return ConnectedAccount.of(found)


def _token(request: Request, ctx: Open) -> str:
    token = cookies.link_token(request, ctx.settings)
    if token is None:
        raise LinkExpired
    return token
