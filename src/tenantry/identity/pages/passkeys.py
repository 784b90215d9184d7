"""`/settings/passkeys`: one's own passkeys. A script does the talking with the device."""

import base64
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from tenantry.kernel import Context, SignedIn
from tenantry.kernel.module import Panel
from tenantry.product import Passkey
from tenantry.web import gettext, page

from .. import queries
from ..actions import passkeys as actions
from ..actions.passkey_proofs import require_offered
from ..ceremonies import site_of
from ..devices import device_of
from ..errors import LastWayIn, PasskeyExpired, PasskeyNotFound, PasskeyRefused, PasskeysFull, PasskeyTaken
from ..names import passkey_name
from ..recent import confirm_first
from .factors import codes_page
from .passkey_forms import Text, brought

_PATH = "/settings/passkeys"

router = APIRouter(include_in_schema=False)


@router.get(_PATH)
async def show_passkeys(request: Request, ctx: SignedIn, done: str = "") -> Response:
    """One's passkeys, and the form that adds one."""
    require_offered(ctx)
    return confirm_first(request, ctx) or await _list(request, ctx, done=done)


@router.post(_PATH)
async def add_passkey(
    request: Request, ctx: SignedIn, name: Text = "", challenge: Text = "", credential: Text = ""
) -> Response:
    """Add the passkey that the device has made; with the first second factor come recovery codes."""
    if first := confirm_first(request, ctx):
        return first
    _ = gettext(request)
    try:
        wanted = passkey_name(name)
    except ValueError as refused:
        return await _list(request, ctx, name=name, errors={"name": _(str(refused))})
    try:
        added = await actions.add_passkey(ctx, wanted, brought(challenge, credential), _)
    except (PasskeyExpired, PasskeyRefused, PasskeysFull, PasskeyTaken) as problem:
        return await _list(request, ctx, name=name, errors={"passkey": _(problem.title)})
    if added.recovery_codes:
        return codes_page(request, ctx, added.recovery_codes)
    return _back("added")


@router.get(f"{_PATH}/{{passkey_id}}")
async def show_passkey(request: Request, ctx: SignedIn, passkey_id: UUID) -> Response:
    """One passkey: its name, and how to be rid of it."""
    return confirm_first(request, ctx) or await _one(request, ctx, passkey_id)


@router.post(f"{_PATH}/{{passkey_id}}")
async def rename_passkey(request: Request, ctx: SignedIn, passkey_id: UUID, name: Text = "") -> Response:
    """Call a passkey something else."""
    try:
        wanted = passkey_name(name)
    except ValueError as refused:
        return await _one(request, ctx, passkey_id, name=name, error=gettext(request)(str(refused)))
    async with ctx.unit() as working:
        await actions.rename_passkey(working, passkey_id, wanted)
    return _back("renamed")


@router.post(f"{_PATH}/{{passkey_id}}/remove")
async def remove_passkey(request: Request, ctx: SignedIn, passkey_id: UUID) -> Response:
    """Take a passkey away."""
    if first := confirm_first(request, ctx, back=_PATH):
        return first
    try:
        await actions.remove_passkey(ctx, passkey_id, gettext(request))
    except LastWayIn as problem:
        return await _one(request, ctx, passkey_id, problem=gettext(request)(problem.title))
    return _back("removed")


async def _list(
    request: Request, ctx: Context, *, done: str = "", name: str | None = None, errors: dict[str, str] | None = None
) -> Response:
    async with ctx.unit(writes=False) as reading:
        found = await queries.passkeys.of_user(reading.db, ctx.user_id)
        held = await queries.passkeys.held(reading.db, ctx.user_id)
    return page(
        request,
        "identity/passkeys/list.html",
        status=422 if errors else 200,
        passkeys=found,
        most=actions.PASSKEYS_MAX,
        # So that devices offer no passkey here that is not ours any more.
        known={
            "rpId": site_of(ctx).id,
            "userId": _base64url(ctx.user_id.bytes),
            "allAcceptedCredentialIds": [_base64url(one.credential_id) for one in held],
        },
        name=_suggested(request) if name is None else name,
        errors=errors or {},
        done=done,
        here=_PATH,
    )


async def _one(
    request: Request, ctx: Context, passkey_id: UUID, *, name: str | None = None, problem: str = "", error: str = ""
) -> Response:
    async with ctx.unit(writes=False) as reading:
        found = await queries.passkeys.one(reading.db, ctx.user_id, passkey_id)
    if found is None:
        raise PasskeyNotFound
    return page(
        request,
        "identity/passkeys/one.html",
        status=422 if error else 409 if problem else 200,
        passkey=found,
        name=found.name if name is None else name,
        problem=problem,
        error=error,
        here=f"{_PATH}/{passkey_id}",
    )


def _suggested(request: Request) -> str:
    """What a new passkey may be called: after the browser that makes it."""
    browser, system = device_of(request.headers.get("user-agent"))
    if browser and system:
        return gettext(request)("%(browser)s on %(system)s", browser=browser, system=system)
    return browser or system


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _back(done: str) -> Response:
    return RedirectResponse(f"{_PATH}?done={done}", status_code=303)


async def _passkeys(ctx: Context, _request: Request) -> dict[str, Any]:
    is_offered = ctx.product.way_in(Passkey) is not None
    return {
        "is_offered": is_offered,
        "passkeys": await queries.passkeys.of_user(ctx.db, ctx.user_id) if is_offered else [],
    }


PANELS = [Panel("passkeys", "identity/settings/passkeys.html", _passkeys, order=25, place="settings")]
