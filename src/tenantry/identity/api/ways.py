"""`/v1/auth/ways`: how one signs in here, for apps that draw their own page; `/v1/auth/sign-out`: the way out."""

from typing import Self

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from tenantry.kernel import Context, Open, problems
from tenantry.product import MagicLink, Passkey, Password, Product
from tenantry.web import CrossSiteRefused

from .. import doors
from ..actions import sessions
from ..actions.sign_up import sign_up_of
from ..bearer import presented_token
from ..providers.base import SignInProviders

router = APIRouter(prefix="/v1/auth", tags=["identity"])


class ProviderWay(BaseModel):
    """A provider: the browser goes to `start_url`, with `return_to` as its query."""

    name: str
    label: str
    start_url: str


class PasswordWay(BaseModel):
    """Passwords: how short one may be, whether one may sign up so, and whether one must choose one at sign-up."""

    length_min: int
    sign_up: bool
    needed_at_sign_up: bool


class MagicLinkWay(BaseModel):
    """Mailed links and codes, and whether who has no account gets one so."""

    sign_up: bool


class Ways(BaseModel):
    """What the sign-in page offers; null for what it does not."""

    providers: list[ProviderWay]
    password: PasswordWay | None
    magic_link: MagicLinkWay | None
    passkey: bool

    @classmethod
    def of(cls, ctx: Context) -> Self:
        declared, origin = ctx.product, ctx.settings.public_url
        return cls(
            providers=[
                ProviderWay(name=one.name, label=one.label, start_url=f"{origin}/auth/{one.name}/start")
                for one in ctx.port(SignInProviders).all
            ],
            password=_password(declared),
            magic_link=_magic_link(declared),
            passkey=declared.way_in(Passkey) is not None,
        )


@router.get("/ways")
async def list_ways(ctx: Open) -> Ways:
    """Tell how one signs in here."""
    return Ways.of(ctx)


@router.post("/sign-out", status_code=204, responses=problems(CrossSiteRefused))
async def sign_out(request: Request, ctx: Open) -> Response:
    """End the session of the cookie or bearer, if there is one; 204 either way."""
    doors.from_our_pages(request, ctx)
    token, is_cookie = presented_token(request, ctx.settings)
    response = Response(status_code=204)
    if is_cookie:
        await doors.sign_out(response, request, token, ctx=ctx)
    else:
        await sessions.sign_out(ctx, token)
    return response


def _password(product: Product) -> PasswordWay | None:
    way, offer = product.way_in(Password), sign_up_of(product)
    if way is None:
        return None
    needed = offer is not None and offer.password is not None and offer.needs_password
    return PasswordWay(length_min=way.length_min, sign_up=way.sign_up, needed_at_sign_up=needed)


def _magic_link(product: Product) -> MagicLinkWay | None:
    way = product.way_in(MagicLink)
    return MagicLinkWay(sign_up=way.sign_up) if way else None
