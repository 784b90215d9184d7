"""The pages and redirects of signing in and out."""

from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from tenantry.kernel import Context, Open, Problem
from tenantry.kernel.attempts import attempt, network
from tenantry.kernel.logs import logger_of
from tenantry.kernel.negotiation import prefers_html
from tenantry.kernel.problem_handlers import problem_response
from tenantry.web import page, refuse_cross_site, safe_return_path

from .. import cookies
from ..actions import sessions
from ..actions import sign_in as actions
from ..actions.admission import Admission, FactorNeeded
from ..errors import ProviderRefused, ProviderUnreachable, SignInDenied, SignInExpired
from ..providers.base import Answer, Pending, SignInProviders
from ..providers.building import missing_settings

router = APIRouter(include_in_schema=False)

SIGN_INS_A_MINUTE = 120
"""From one address; an office behind one address passes, a guesser does not."""

_log = logger_of("tenantry.identity")
# RFC 6749 4.1.2.1 and OpenID Connect Core 3.1.2.6: what a person, or nobody's session over there, made of it.
_DENIED = frozenset({
    "access_denied", "account_selection_required", "consent_required", "interaction_required", "login_required",
})  # fmt: skip
_AWAY = frozenset({"server_error", "temporarily_unavailable"})


@dataclass(frozen=True, slots=True)
class Way:
    """A button of the sign-in page, or a way in that lacks settings."""

    label: str
    href: str = ""
    is_demo: bool = False
    missing: tuple[str, ...] = ()


@router.get("/signin")
async def show_sign_in(request: Request, ctx: Open, return_to: str = "") -> Response:
    """The ways in; who is signed in is sent on."""
    back = safe_return_path(return_to)
    if ctx.actor.kind == "user":
        return RedirectResponse(back, status_code=303)
    return page(request, "identity/signin.html", ways=_ways(ctx, back), unavailable=_unavailable(ctx))


@router.get("/auth/{provider}/start")
async def start_sign_in(request: Request, provider: str, ctx: Open, return_to: str = "") -> Response:
    """Send the browser to a provider, with a note of it in a cookie."""
    back = safe_return_path(return_to)
    try:
        url, pending = await actions.begin_sign_in(ctx, provider, back)
    except Problem as problem:
        return _failed(request, problem, back)
    response = RedirectResponse(url, status_code=303)
    cookies.keep_pending(response, request, pending, ctx=ctx)
    return response


@router.get("/auth/{provider}/callback")
async def end_sign_in(request: Request, provider: str, ctx: Open) -> Response:
    """Take the browser back from a provider. The note of this sign-in is gone afterwards, whatever happened."""
    state = request.query_params.get("state", "")
    pending = cookies.read_pending(request, state, provider, ctx=ctx)
    try:
        # Before the code is looked at, in a unit of its own; whoever guesses codes is counted whatever comes of it.
        if caller := network(ctx.origin.address):
            await attempt(ctx, f"sign-in from {caller}", most=SIGN_INS_A_MINUTE, within=timedelta(minutes=1))
        response = await _signed_in(request, pending, ctx)
    except Problem as problem:
        response = _failed(request, problem, pending.return_to if pending else "")
    cookies.drop_pending(response, request, state, ctx.settings)
    return response


@router.post("/auth/signout")
async def sign_out(request: Request, ctx: Open) -> Response:
    """End the browser's session, if it has one, and go to the start page."""
    settings = ctx.settings
    # Also without a session: another site must not make a browser drop its cookie.
    refuse_cross_site(request, public_origin=settings.public_url, allowed_origins=settings.allowed_origins)
    await sessions.sign_out(ctx, cookies.session_token(request, settings))
    response = RedirectResponse("/", status_code=303)
    cookies.drop_session(response, request, settings)
    return response


async def _signed_in(request: Request, pending: Pending | None, ctx: Context) -> Response:
    if pending is None:
        # Also a sign-in that somebody else began and wants this browser to finish (login CSRF).
        raise SignInExpired
    query = request.query_params
    _refuse_error(query.get("error"))
    if not (code := query.get("code")):
        raise SignInExpired(internal="the callback carries neither a code nor an error")
    answer = Answer(code, query.get("iss"))
    old_token = cookies.session_token(request, ctx.settings)
    admission = await actions.finish_sign_in(ctx, pending, answer, old_token=old_token)
    return let_in(request, ctx, admission, pending.return_to)


def let_in(request: Request, ctx: Context, admission: Admission, return_to: str) -> Response:
    """Send a person on who has shown who they are: with their session, or to the second factor first."""
    back = safe_return_path(return_to)
    if isinstance(admission, FactorNeeded):
        response = RedirectResponse("/auth/second-factor?" + urlencode({"return_to": back}), status_code=303)
        cookies.keep_half(response, admission.token, ctx=ctx)
        # Whoever was signed in here before is not the person who is coming.
        cookies.drop_session(response, request, ctx.settings)
        return response
    response = RedirectResponse(back, status_code=303)
    cookies.keep_session(response, admission.token, ctx=ctx)
    return response


def _refuse_error(error: str | None) -> None:
    if error is None:
        return
    internal = f"the provider sent the browser back with {error[:100]!r}"
    if error in _DENIED:
        raise SignInDenied(internal=internal)
    if error in _AWAY:
        raise ProviderUnreachable(internal=internal)
    raise ProviderRefused(internal=internal)


def _failed(request: Request, problem: Problem, return_to: str) -> Response:
    """The problem as a page with ways out of it, or as a document for who asks for one."""
    _log.info("sign_in.failed", code=problem.code, status=problem.status, internal=problem.internal)
    if not prefers_html(request.headers.get("accept", "")):
        return problem_response(problem, request.scope.get("state", {}).get("request_id"))
    again = "/signin?" + urlencode({"return_to": safe_return_path(return_to)})
    # `here`: not the callback's address, with the code in it, which the forms of the frame would repeat.
    response = page(request, "identity/failed.html", status=problem.status, problem=problem, again=again, here=again)
    response.headers.update({**problem.headers, "Cache-Control": "no-store"})
    return response


def _ways(ctx: Context, back: str) -> list[Way]:
    query = urlencode({"return_to": back})
    # With the public origin: a callback goes there, and finds the cookie only if the sign-in began there too.
    return [
        Way(one.label, f"{ctx.settings.public_url}/auth/{one.name}/start?{query}", is_demo=one.is_demo)
        for one in ctx.port(SignInProviders).all
    ]


def _unavailable(ctx: Context) -> list[Way]:
    """Declared ways in that lack settings; shown in development only, to the developer."""
    if ctx.settings.is_production:
        return []
    missing = ((way.label, missing_settings(way, ctx.settings)) for way in ctx.product.providers)
    return [Way(label, missing=names) for label, names in missing if names]
