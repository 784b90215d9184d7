"""Connected accounts: connecting one, taking one away, and confirming one that waits."""

from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from tenantry.kernel import Context, Open, Problem, SignedIn
from tenantry.web import gettext, page, safe_return_path

from .. import cookies
from ..actions import linking
from ..actions.vouching import label_of
from ..errors import LinkExpired, OtherPerson
from ..recent import confirm_first
from .failing import failed

LINK_PATH = "/auth/link-account"
_SETTINGS = "/settings?done=accounts"

router = APIRouter(include_in_schema=False)


@router.post("/settings/accounts/{provider}/connect")
async def connect_account(request: Request, provider: str, ctx: SignedIn) -> Response:
    """Send the browser to a provider to connect an account of it."""
    if first := confirm_first(request, ctx, back="/settings"):
        return first
    try:
        url, pending = await linking.begin_connect(ctx, provider, _SETTINGS)
    except Problem as problem:
        return failed(request, problem, "/settings")
    # A page, no redirect: the content policy lets no form end on another site (CSP 3, form-action).
    label = label_of(ctx, provider)
    response = page(request, "identity/leaving.html", url=url, label=label)
    cookies.keep_pending(response, request, pending, ctx=ctx)
    return response


@router.post("/settings/accounts/{account_id}/disconnect")
async def disconnect_account(request: Request, account_id: UUID, ctx: SignedIn) -> Response:
    """Take an account away; the session that asks goes on."""
    if first := confirm_first(request, ctx, back="/settings"):
        return first
    try:
        await linking.disconnect(ctx, account_id, gettext(request))
    except Problem as problem:
        return failed(request, problem, "/settings")
    return RedirectResponse(f"{_SETTINGS}#accounts", status_code=303)


@router.get(LINK_PATH)
async def show_link(request: Request, ctx: Open, return_to: str = "") -> Response:
    """Say that there is an account already; once its person has signed in, ask whether to connect the new one."""
    back = safe_return_path(return_to)
    try:
        link = await linking.read_link(ctx, _token(request, ctx))
    except Problem as problem:
        return _gone(request, ctx, problem, back)
    is_signed_in = ctx.actor.user_id is not None
    if is_signed_in and (first := confirm_first(request, ctx, back=_here(back))):
        return first
    return page(
        request,
        "identity/link_account.html",
        label=label_of(ctx, link.provider),
        address=link.profile.email,
        is_signed_in=is_signed_in,
        sign_in="/signin?" + urlencode({"return_to": _here(back)}),
        back=back,
    )


@router.post(LINK_PATH)
async def confirm_link(request: Request, ctx: SignedIn, return_to: Annotated[str, Form()] = "") -> Response:
    """Connect the account that waits."""
    back = safe_return_path(return_to)
    if first := confirm_first(request, ctx, back=_here(back)):
        return first
    try:
        await linking.confirm_link(ctx, _token(request, ctx), gettext(request))
    except Problem as problem:
        return _gone(request, ctx, problem, back)
    response = RedirectResponse(back, status_code=303)
    cookies.drop_link(response, request, ctx.settings)
    return response


def to_link(ctx: Context, needed: linking.LinkNeeded, return_to: str) -> Response:
    """Send a person on whose address is somebody's here: they sign in as before, then confirm."""
    response = RedirectResponse(_here(safe_return_path(return_to)), status_code=303)
    cookies.keep_link(response, needed.token, ctx=ctx)
    return response


def _token(request: Request, ctx: Context) -> str:
    token = cookies.link_token(request, ctx.settings)
    if token is None:
        raise LinkExpired
    return token


def _gone(request: Request, ctx: Context, problem: Problem, back: str) -> Response:
    response = failed(request, problem, back)
    if not isinstance(problem, OtherPerson):
        cookies.drop_link(response, request, ctx.settings)
    return response


def _here(back: str) -> str:
    return f"{LINK_PATH}?{urlencode({'return_to': back})}"
