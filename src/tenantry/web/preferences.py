"""Remembering how a visitor wants to see the site: theme and language, in two cookies that hold nothing else."""

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from .csrf import refuse_cross_site, safe_return_path
from .layout import THEMES
from .pages import LOCALE_COOKIE, THEME_COOKIE, Templates
from .static import STATIC_PATH

PREFERENCES_PATH = "/preferences"

_YEAR_SECONDS = 365 * 24 * 3600


def install(app: Starlette, templates: Templates, *, public_origin: str, allowed_origins: Sequence[str] = ()) -> None:
    """Give an application its pages: `app.state.pages`, the files under `/static`, and `POST /preferences`."""

    async def remember(request: Request) -> Response:
        refuse_cross_site(request, public_origin=public_origin, allowed_origins=allowed_origins)
        return await _remember(request, templates)

    app.state.pages = templates
    app.mount(STATIC_PATH, templates.static, name="static")
    app.add_route(PREFERENCES_PATH, remember, methods=["POST"], include_in_schema=False)


async def _remember(request: Request, templates: Templates) -> Response:
    async with request.form(max_fields=8, max_files=0) as form:
        theme, locale, back = (form.get(name) for name in ("theme", "locale", "return_to"))
    response = RedirectResponse(safe_return_path(back if isinstance(back, str) else None, "/"), status_code=303)
    if theme in THEMES:
        _set(response, request, THEME_COOKIE, str(theme))
    if locale in templates.translators:
        _set(response, request, LOCALE_COOKIE, str(locale))
    return response


def _set(response: Response, request: Request, name: str, value: str) -> None:
    secure = request.url.scheme == "https"
    response.set_cookie(name, value, max_age=_YEAR_SECONDS, secure=secure, httponly=True, samesite="lax")
