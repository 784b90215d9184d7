"""The page with the ways in. A form on it that went wrong shows it again, with what was typed and what was wrong."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import Response

from tenantry.kernel import Context, Problem
from tenantry.product import MagicLink, Passkey, Password
from tenantry.web import page, safe_return_path

from ..actions.sign_up import sign_up_of
from ..providers.base import SignInProviders
from ..providers.building import missing_settings
from .failing import told


@dataclass(frozen=True, slots=True)
class Way:
    """A provider's button, or a provider that lacks settings."""

    label: str
    href: str = ""
    is_demo: bool = False
    missing: tuple[str, ...] = ()


def sign_in_page(
    request: Request,
    ctx: Context,
    return_to: str,
    *,
    email: str = "",
    errors: Mapping[str, str] | None = None,
    problem: Problem | None = None,
) -> Response:
    """The ways in of this product. `errors`, in the reader's language, are told beside the fields of that name.

    The fields are `email` and `password`, and `passkey`. A `problem` without any is told beside the password, or the
    address where there is none.
    """
    back = safe_return_path(return_to)
    query = urlencode({"return_to": back})
    has_password = ctx.product.way_in(Password) is not None
    shown = dict(errors or {})
    if problem is not None and not shown:
        shown["password" if has_password else "email"] = told(request, problem)
    response = page(
        request,
        "identity/signin.html",
        status=problem.status if problem else 422 if shown else 200,
        **_offered(ctx, query),
        has_password=has_password,
        sign_up=f"/signup?{query}" if sign_up_of(ctx.product) else "",
        reset=f"/auth/reset?{query}",
        return_to=back,
        email=email,
        errors=shown,
        done=request.query_params.get("done", ""),
        # Not the address of a form: the switches in the footer lead back here.
        here=f"/signin?{query}",
    )
    response.headers.update(problem.headers if problem else {})
    if shown:
        response.headers["Cache-Control"] = "no-store"
    return response


def _offered(ctx: Context, query: str) -> dict[str, Any]:
    ways, link = _ways(ctx, query), ctx.product.way_in(MagicLink)
    return {
        "ways": ways,
        "unavailable": _unavailable(ctx),
        "has_link": link is not None,
        "makes_accounts": bool(ways) or (link is not None and link.sign_up),
        "has_passkey": ctx.product.way_in(Passkey) is not None,
    }


def _ways(ctx: Context, query: str) -> list[Way]:
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
