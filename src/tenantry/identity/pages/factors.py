"""`/settings/second-factor`: the authenticator app and the recovery codes."""

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from tenantry.kernel import Context, Problem, Read, SignedIn
from tenantry.kernel.extras import extra
from tenantry.kernel.module import Panel
from tenantry.product import Passkey
from tenantry.web import gettext, page

from .. import queries
from ..actions import recovery_codes, totp
from ..errors import CodeWrong, FactorNotFound, FactorsMissing
from ..recent import confirm_first
from .second_factor import sentence

_PATH = "/settings/second-factor"
_APP = f"{_PATH}/app"

router = APIRouter(include_in_schema=False)


@router.get(_PATH)
async def show_factors(request: Request, ctx: Read) -> Response:
    """What is set up, and what can be changed."""
    if first := confirm_first(request, ctx):
        return first
    return page(request, "identity/second_factor/factors.html", **await _factors(ctx, request))


@router.post(_APP)
async def begin_app(request: Request, ctx: SignedIn) -> Response:
    """Begin to set an app up, or another one."""
    if first := confirm_first(request, ctx, back=_PATH):
        return first
    await totp.begin_totp(ctx)
    return RedirectResponse(_APP, status_code=303)


@router.get(_APP)
async def show_app(request: Request, ctx: SignedIn) -> Response:
    """Show the secret that was begun, as a picture and as text."""
    return confirm_first(request, ctx, back=_PATH) or await _app(request, ctx)


@router.post(f"{_APP}/confirm")
async def confirm_app(request: Request, ctx: SignedIn, code: Annotated[str, Form(max_length=50)] = "") -> Response:
    """Take the app's first code, and show the recovery codes once."""
    if first := confirm_first(request, ctx, back=_PATH):
        return first
    try:
        codes = await totp.confirm_totp(ctx, code, gettext(request))
    except CodeWrong as problem:
        return await _app(request, ctx, problem)
    except FactorNotFound:
        return RedirectResponse(_PATH, status_code=303)
    return codes_page(request, ctx, codes) if codes else _done()


@router.post(f"{_APP}/remove")
async def remove_app(request: Request, ctx: SignedIn) -> Response:
    """Take the app away."""
    if first := confirm_first(request, ctx, back=_PATH):
        return first
    try:
        await totp.remove_totp(ctx, gettext(request))
    except FactorNotFound:
        return RedirectResponse(_PATH, status_code=303)
    return _done()


@router.post(f"{_PATH}/codes")
async def replace_codes(request: Request, ctx: SignedIn) -> Response:
    """Make new recovery codes, and show them once."""
    if first := confirm_first(request, ctx, back=_PATH):
        return first
    try:
        return codes_page(request, ctx, await recovery_codes.replace_codes(ctx, gettext(request)))
    except FactorsMissing:
        return RedirectResponse(_PATH, status_code=303)


async def _factors(ctx: Context, _request: Request) -> dict[str, Any]:
    return {
        "factors": await queries.factors.of_user(ctx.db, ctx.user_id),
        "offers_passkeys": ctx.product.way_in(Passkey) is not None,
    }


PANELS = [Panel("second-factor", "identity/settings/second_factor.html", _factors, order=30, place="settings")]


async def _app(request: Request, ctx: Context, problem: Problem | None = None) -> Response:
    setup = await totp.pending_totp(ctx)
    if setup is None:
        return RedirectResponse(_PATH, status_code=303)
    return page(
        request,
        "identity/second_factor/app.html",
        status=422 if problem else 200,
        picture=_picture(setup.uri),
        groups=" ".join(setup.secret[start : start + 4] for start in range(0, len(setup.secret), 4)),
        uri=setup.uri,
        error=sentence(request, problem, "totp") if problem else "",
        here=_APP,
    )


def _picture(uri: str) -> str:
    """The QR code as an address that holds the whole image. Dark on light in every theme: apps read no other."""
    # Loaded when somebody first sets an app up; most servers never do.
    code = extra("segno").make(uri, error="m", micro=False)
    return str(code.svg_data_uri(dark="#000", light="#fff", border=4, xmldecl=False, omitsize=True))


def codes_page(request: Request, ctx: Context, codes: list[str]) -> Response:
    """New recovery codes, shown this once."""
    text = "\n".join([f"{ctx.product.name} ({ctx.actor.email})", "", *codes, ""])
    return page(
        request,
        "identity/second_factor/codes.html",
        codes=codes,
        file=f"data:text/plain;charset=utf-8,{quote(text)}",
        here=_PATH,
    )


def _done() -> Response:
    return RedirectResponse("/settings?done=second-factor#second-factor", status_code=303)
