"""The form that signs in with a password, and the page and section of the settings where one's own is changed."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from tenantry.kernel import Context, Open, Problem, SignedIn
from tenantry.kernel.attempts import TooManyAttempts
from tenantry.kernel.module import Panel
from tenantry.product import Password
from tenantry.web import gettext, page, safe_return_path

from .. import cookies
from ..actions import password as actions
from ..actions.ways_in import password_way
from ..asked import Asked
from ..doors import asking_of, from_our_pages
from ..errors import CredentialsWrong
from ..hashing import HashingBusy, PasswordWeak
from ..providers.profiles import clean_email
from ..recent import confirm_first
from ..tokens import Purpose
from .failing import failed, told
from .letting_in import let_in
from .mailed import to_sent
from .sign_in_page import sign_in_page

_PATH = "/settings/password"
SENT_PASSWORD_CHARACTERS_MAX = 1000
"""Of what is only compared; what is chosen may have 256."""

router = APIRouter(include_in_schema=False)


@router.post("/auth/password")
async def sign_in(
    request: Request,
    ctx: Open,
    email: Annotated[str, Form()] = "",
    password: Annotated[str, Form(max_length=SENT_PASSWORD_CHARACTERS_MAX)] = "",
    return_to: Annotated[str, Form()] = "",
) -> Response:
    """Sign in with an address and a password."""
    from_our_pages(request, ctx)
    back = safe_return_path(return_to)
    if errors := _missing(request, email, password):
        return sign_in_page(request, ctx, back, email=email, errors=errors)
    asking = asking_of(request, ctx, clean_email(email.strip()) or "", back)
    old_token = cookies.session_token(request, ctx.settings)
    try:
        admission = await actions.sign_in_with_password(ctx, asking, password, old_token=old_token)
    except (CredentialsWrong, HashingBusy, TooManyAttempts) as problem:
        return sign_in_page(request, ctx, back, email=email, problem=problem)
    except Problem as problem:
        return failed(request, problem, back)
    if isinstance(admission, actions.ProofAsked):
        response = to_sent(ctx, Asked(Purpose.RESET, admission.challenge, asking.email, back))
        response.headers["Location"] += "?why=unproven"
        return response
    return let_in(request, ctx, admission, back)


@router.get(_PATH)
async def show_password(request: Request, ctx: SignedIn) -> Response:
    """The form that sets, changes or removes one's own password."""
    return confirm_first(request, ctx) or await _form(request, ctx)


@router.post(_PATH)
async def change_password(request: Request, ctx: SignedIn, password: Annotated[str, Form()] = "") -> Response:
    """Set or change one's own password."""
    if first := confirm_first(request, ctx):
        return first
    _ = gettext(request)
    try:
        started = await actions.set_password(ctx, password, _)
    except PasswordWeak as weak:
        return await _form(request, ctx, error=weak.told(_), problem=weak)
    except (HashingBusy, TooManyAttempts) as refused:
        return await _form(request, ctx, error=told(request, refused), problem=refused)
    response = RedirectResponse("/settings?done=password#password", status_code=303)
    cookies.keep_session(response, started.token, ctx=ctx)
    return response


@router.post(f"{_PATH}/remove")
async def remove_password(request: Request, ctx: SignedIn) -> Response:
    """Take one's own password away."""
    if first := confirm_first(request, ctx, back=_PATH):
        return first
    try:
        await actions.remove_password(ctx, gettext(request))
    except Problem as problem:
        return failed(request, problem, "/settings")
    return RedirectResponse("/settings?done=password-removed#password", status_code=303)


async def _form(request: Request, ctx: Context, *, error: str = "", problem: Problem | None = None) -> Response:
    way = password_way(ctx)
    response = page(
        request,
        "identity/password/own.html",
        status=problem.status if problem else 200,
        has_password=await actions.has_password(ctx),
        email=ctx.actor.email,
        error=error,
        length_min=way.length_min,
        here=_PATH,
    )
    response.headers.update(problem.headers if problem else {})
    return response


async def _password(ctx: Context, _request: Request) -> dict[str, Any]:
    is_offered = ctx.product.way_in(Password) is not None
    return {"is_offered": is_offered, "has_password": is_offered and await actions.has_password(ctx)}


PANELS = [Panel("password", "identity/settings/password.html", _password, order=20, place="settings")]


def _missing(request: Request, email: str, password: str) -> dict[str, str]:
    _ = gettext(request)
    found = {}
    if clean_email(email.strip()) is None:
        found["email"] = _("Use an e-mail address, for example ada@example.com.")
    if not password:
        found["password"] = _("Enter your password.")
    return found
