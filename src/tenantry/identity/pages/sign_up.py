"""Signing up by mail: the form, and what the mailed link shows."""

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from tenantry.kernel import Context, Open, Problem
from tenantry.kernel.attempts import TooManyAttempts
from tenantry.web import gettext, page, safe_return_path

from .. import cookies
from ..actions import sign_up as actions
from ..actions.mailed import Entered, KeyShown, asked_from, read_mailed
from ..actions.sign_up import Chosen, Finish, sign_up_of
from ..asked import Asked
from ..doors import asking_of, from_our_pages
from ..errors import ProviderUnknown, SignUpPasswordNeeded, SignUpPasswordWrong
from ..hashing import HashingBusy, PasswordWeak
from ..names import person_name
from ..providers.profiles import clean_email
from ..tokens import Purpose
from .failing import failed, told
from .mailed import challenge_here, enter_by_code, go_in, show_sent, to_sent
from .verify import Form as Sent
from .verify import MailedFlow

router = APIRouter(include_in_schema=False)

Field = Annotated[str, Form()]


@router.get("/signup")
async def show_sign_up(request: Request, ctx: Open, return_to: str = "") -> Response:
    """The form; who is signed in is sent on."""
    back = safe_return_path(return_to)
    if sign_up_of(ctx.product) is None:
        return failed(request, ProviderUnknown(), back)
    if ctx.actor.kind == "user":
        return RedirectResponse(back, status_code=303)
    return _form(request, ctx, back)


@router.post("/signup")
async def sign_up(
    request: Request, ctx: Open, email: Field = "", name: Field = "", password: Field = "", return_to: Field = ""
) -> Response:
    """Mail a link and a code to the address, and go on to where the code is typed."""
    from_our_pages(request, ctx)
    back = safe_return_path(return_to)
    try:
        wanted, errors = clean_email(email.strip()), {}
        if wanted is None:
            errors["email"] = gettext(request)("Use an e-mail address, for example ada@example.com.")
        chosen = _chosen(request, ctx, (wanted or "", name, password), errors)
        if wanted is None or errors:
            return _form(request, ctx, back, email=email, name=name, errors=errors)
        challenge = await actions.ask_to_sign_up(ctx, asking_of(request, ctx, wanted, back), chosen)
    except (HashingBusy, TooManyAttempts) as refused:
        errors = {"email": told(request, refused)}
        return _form(request, ctx, back, problem=refused, email=email, name=name, errors=errors)
    except Problem as problem:
        return failed(request, problem, back)
    return to_sent(ctx, Asked(Purpose.SIGN_UP, challenge, wanted, back))


def _chosen(request: Request, ctx: Context, typed: tuple[str, str, str], errors: dict[str, str]) -> Chosen:
    """What was typed, with what is wrong about it added to `errors`."""
    email, name, password = typed
    _ = gettext(request)
    chosen = Chosen(None, password or None)
    try:
        chosen = Chosen(person_name(name) if name.strip() else None, password or None)
    except ValueError as refused:
        errors["name"] = _(str(refused))
    try:
        actions.check_chosen(ctx, email, chosen)
    except PasswordWeak as weak:
        errors["password"] = weak.told(_)
    return chosen


def _form(request: Request, ctx: Context, back: str, *, problem: Problem | None = None, **typed: Any) -> Response:
    values = {"email": "", "name": "", "errors": {}, **typed}
    response = page(
        request,
        "identity/sign_up.html",
        status=problem.status if problem else 422 if values["errors"] else 200,
        offer=sign_up_of(ctx.product),
        return_to=back,
        here="/signup?" + urlencode({"return_to": back}),
        **values,
    )
    response.headers.update(problem.headers if problem else {})
    return response


async def _show_link(request: Request, ctx: Context, token: str) -> Response:
    return await _link_page(request, ctx, token)


async def _link_page(
    request: Request,
    ctx: Context,
    token: str,
    *,
    errors: dict[str, str] | None = None,
    problem: Problem | None = None,
) -> Response:
    found = await read_mailed(ctx, Purpose.SIGN_UP, token)
    challenge, offer = challenge_here(request, ctx, Purpose.SIGN_UP), sign_up_of(ctx.product)
    response = page(
        request,
        "identity/mailed/sign_up.html",
        status=problem.status if problem else 200,
        token=token,
        address=found.identifier,
        asked_from=None if challenge == found.id else asked_from(found),
        length_min=offer.password.length_min if offer and offer.password else 0,
        needs_password=actions.needs_password(found, challenge),
        errors=errors or {},
        other=ctx.actor.email,
    )
    response.headers.update({**(problem.headers if problem else {}), "Cache-Control": "no-store"})
    return response


async def _use_link(request: Request, ctx: Context, form: Sent) -> Response:
    token, _ = form.get("token", ""), gettext(request)
    challenge = challenge_here(request, ctx, Purpose.SIGN_UP)
    finish = Finish(challenge, form.get("password") or None, form.get("new_password") or None)
    old_token = cookies.session_token(request, ctx.settings)
    try:
        entered = await actions.sign_up_by_mail(ctx, KeyShown(token), finish, old_token=old_token)
    except PasswordWeak as weak:
        return await _link_page(request, ctx, token, errors={"new_password": weak.told(_)}, problem=weak)
    except (SignUpPasswordNeeded, SignUpPasswordWrong) as wrong:
        return await _link_page(request, ctx, token, errors={"password": _(wrong.title)}, problem=wrong)
    except (HashingBusy, TooManyAttempts) as refused:
        field = "new_password" if finish.new_password else "password"
        return await _link_page(request, ctx, token, errors={field: told(request, refused)}, problem=refused)
    return go_in(request, ctx, entered)


async def _enter(ctx: Context, shown: KeyShown, /, *, old_token: str | None) -> Entered:
    return await actions.sign_up_by_mail(ctx, shown, Finish(), old_token=old_token)


async def _use_code(request: Request, ctx: Context, asked: Asked, form: Sent) -> Response:
    return await enter_by_code(request, ctx, asked, form, _enter)


FLOWS = {Purpose.SIGN_UP: MailedFlow(_show_link, _use_link, show_sent, _use_code)}
