"""Changing one's e-mail address: the section of the settings, the form, and what the mailed links show."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from tenantry.kernel import Context, Problem, Read, SignedIn, Write
from tenantry.kernel.attempts import TooManyAttempts
from tenantry.kernel.module import Panel
from tenantry.kernel.problems import Unauthenticated
from tenantry.web import gettext, page

from .. import cookies, queries
from ..actions import address as actions
from ..actions.address import Side
from ..errors import AddressUnchanged
from ..providers.profiles import clean_email
from ..recent import confirm_first
from ..tokens import Purpose
from .failing import told
from .verify import Form as Sent
from .verify import MailedFlow

_PATH = "/settings/email"

router = APIRouter(include_in_schema=False)


@router.get(_PATH)
async def show_email(request: Request, ctx: Read) -> Response:
    """The form that asks for another address."""
    return confirm_first(request, ctx) or await _form(request, ctx)


@router.post(_PATH)
async def change_email(request: Request, ctx: SignedIn, email: Annotated[str, Form()] = "") -> Response:
    """Send both mails."""
    if first := confirm_first(request, ctx):
        return first
    _ = gettext(request)
    wanted = clean_email(email.strip())
    if wanted is None:
        error = _("Use an e-mail address, for example ada@example.com.")
        return await _form(request, ctx.reading(), typed=email, error=error)
    try:
        await actions.ask_address_change(ctx, wanted, _)
    except (AddressUnchanged, TooManyAttempts) as refused:
        return await _form(request, ctx.reading(), typed=email, error=told(request, refused), problem=refused)
    return RedirectResponse("/settings?done=email#email", status_code=303)


@router.post(f"{_PATH}/cancel")
async def cancel_email(ctx: Write) -> Response:
    """Take the change under way back."""
    await actions.cancel_address_change(ctx)
    return RedirectResponse("/settings?done=email-cancelled#email", status_code=303)


async def _form(
    request: Request, ctx: Context, *, typed: str = "", error: str = "", problem: Problem | None = None
) -> Response:
    values = await _email(ctx, request)
    status = problem.status if problem else 422 if error else 200
    response = page(request, "identity/email.html", status=status, typed=typed, error=error, **values)
    response.headers.update(problem.headers if problem else {})
    return response


async def _email(ctx: Context, _request: Request) -> dict[str, Any]:
    user = await queries.users.by_id(ctx.db, ctx.user_id)
    if user is None:
        raise Unauthenticated
    return {"user": user, "change": await queries.addresses.of_user(ctx.db, ctx.user_id)}


PANELS = [Panel("email", "identity/settings/email.html", _email, order=10, place="settings")]


def _flow(purpose: Side) -> MailedFlow:
    async def show_link(request: Request, ctx: Context, token: str) -> Response:
        waiting = await actions.read_address_link(ctx, purpose, token)
        response = page(request, "identity/address_link.html", token=token, waiting=waiting, side=purpose.value)
        response.headers["Cache-Control"] = "no-store"
        return response

    async def use_link(request: Request, ctx: Context, form: Sent) -> Response:
        token = form.get("token", "")
        if purpose is Purpose.APPROVE_ADDRESS and form.get("choice") != "approve":
            await actions.decline_address_change(ctx, token)
            return page(request, "identity/address_declined.html", here="/settings")
        agreed = await actions.agree_to_address(ctx, purpose, token, gettext(request))
        if agreed.started is None:
            return page(request, "identity/address_agreed.html", agreed=agreed, side=purpose.value, here="/settings")
        response = RedirectResponse("/settings?done=email-changed#email", status_code=303)
        cookies.keep_session(response, agreed.started.token, ctx=ctx)
        return response

    return MailedFlow(show_link, use_link)


FLOWS = {purpose: _flow(purpose) for purpose in (Purpose.CHANGE_ADDRESS, Purpose.APPROVE_ADDRESS)}
