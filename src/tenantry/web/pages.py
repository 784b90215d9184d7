"""Rendering: the templates of all rooms in one place, one language at a time, inside one frame."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from .charts import bar_chart, bars_alone, sparkline
from .compiled import compiled_templates
from .csrf import safe_return_path
from .filters import Formats
from .layout import THEMES, Layout, Link, Theme
from .static import STATIC_DIR, StaticAssets
from .translations import SOURCE_LOCALE, Translator, load_translators, negotiate

TEMPLATE_DIR = Path(__file__).parent / "templates"
THEME_COOKIE = "theme"
LOCALE_COOKIE = "locale"
SIGN_IN_PATH = "/signin"

_ACCENT_FILE = "accent.css"


@dataclass(frozen=True, slots=True)
class Templates:
    """Everything needed to answer with a page; built once by `create_templates`, kept on `app.state.pages`."""

    static: StaticAssets
    translators: Mapping[str, Translator]
    layout_of: Callable[[Request], Layout]
    policy: str
    _environments: Mapping[str, Environment]

    def layout(self, request: Request) -> Layout:
        """The frame's values; theme, language and time come from the request where the caller left them open."""
        layout = self.layout_of(request)
        locale = layout.locale if layout.locale in self.translators else None
        return replace(
            layout,
            theme=layout.theme or _theme(request),
            locale=locale or self._negotiated(request),
            now=layout.now or datetime.now(UTC),
        )

    def translator(self, request: Request) -> Translator:
        """The translator for the reader of this request. Does not ask `layout_of`, which may use it itself."""
        return self.translators[self._negotiated(request)]

    def render(
        self, template: str, values: Mapping[str, object], *, locale: str = SOURCE_LOCALE, fragment: str | None = None
    ) -> str:
        """A template, or one of its blocks, as text. Unknown values raise UndefinedError, an unknown block KeyError."""
        found = self._environments[locale].get_template(template)
        if fragment is None:
            return found.render(values)
        return "".join(found.blocks[fragment](found.new_context(dict(values))))

    def _negotiated(self, request: Request) -> str:
        return negotiate(
            self.translators.keys(),
            chosen=request.cookies.get(LOCALE_COOKIE),
            accept_language=request.headers.get("accept-language"),
        )


def create_templates(
    template_dirs: Sequence[Path],
    *,
    layout_of: Callable[[Request], Layout],
    accent_hue: float | None = None,
    static_dirs: Sequence[Path] = (),
    form_action: Sequence[str] = (),
) -> Templates:
    """Read templates, catalogues and static files; called once while the application is built.

    `template_dirs` are searched first, so a product may replace any template of ours. `accent_hue` (0 to 360, oklch)
    recolours everything. `form_action` are origins that a form may lead to beside our own, needed where a POST
    redirects to a sign-in or payment page elsewhere.
    """
    extra = {} if accent_hue is None else {_ACCENT_FILE: f":root {{ --accent-hue: {accent_hue % 360:g}; }}\n".encode()}
    static = StaticAssets((STATIC_DIR, *static_dirs), extra)
    translators = load_translators()
    loader = ChoiceLoader([FileSystemLoader(folder) for folder in (*template_dirs, TEMPLATE_DIR)])
    environments = _Environments(lambda locale: _environment(loader, translators[locale], static))
    return Templates(static, translators, layout_of, _content_policy(form_action), environments)


def page(
    request: Request, template: str, *, status: int = 200, fragment: str | None = None, **values: object
) -> HTMLResponse:
    """Answer with a template inside the frame, in the reader's language and theme.

    With `fragment`, an htmx request that swaps a part of the page gets only the block of that name. The template sees
    `values`, `layout`, `now`, `path` and `status`. Every page carries the strict content policy: no inline script or
    style runs. Pages are private to the reader and always asked for anew; those of a person are stored nowhere.
    """
    templates: Templates = request.app.state.pages
    layout = templates.layout(request)
    block = fragment if _wants_part(request) else None
    context: dict[str, object] = {
        "layout": layout,
        "now": layout.now,
        "path": request.url.path,
        "here": _here(request),
        "status": status,
        "languages": _languages(templates.translators),
        **values,
    }
    locale = layout.locale or SOURCE_LOCALE
    body = templates.render(template, context, locale=locale, fragment=block)
    headers = _headers(templates.policy, locale, is_personal=layout.person is not None)
    return HTMLResponse(body, status_code=status, headers=headers)


def problem_page(request: Request, problem: Mapping[str, Any]) -> Response:
    """Answer with the members of a problem document as a page: its sentence, code, request id, and a way out.

    A stranger who asked for one of our pages is sent to the sign-in page instead (303), and comes back afterwards;
    what asks for an address of the API is told 401.
    """
    if int(problem["status"]) == 401 and _is_page(request):
        return _to_sign_in(request)
    return page(request, "problem.html", status=int(problem["status"]), fragment="problem", problem=problem)


def gettext(request: Request) -> Translator:
    """Translate for the reader of this request.

    `_ = gettext(request)`, then `_("Key revoked.")` or `_.plural("%(num)d key", "%(num)d keys", count)`.
    """
    templates: Templates = request.app.state.pages
    return templates.translator(request)


def is_current(item: Link, path: str) -> bool:
    """Whether the link leads to the page shown or to a page above it."""
    is_above = item.href != "/" and not item.is_exact and path.startswith(item.href.rstrip("/") + "/")
    return path == item.href or is_above


class _Environments(dict[str, Environment]):
    """One a language, made for the first page in it: 2 MB and 30 ms each, and Babel's tables for the first of all."""

    def __init__(self, make: Callable[[str], Environment]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, locale: str) -> Environment:
        made = self[locale] = self._make(locale)
        return made


def _here(request: Request) -> str:
    return f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path


def _is_page(request: Request) -> bool:
    """Pages are the routes that the description of the API leaves out."""
    return getattr(request.scope.get("route"), "include_in_schema", True) is False


def _to_sign_in(request: Request) -> Response:
    # What a form was sent to is no place to come back to.
    back = safe_return_path(_here(request) if request.method in {"GET", "HEAD"} else None)
    address = f"{SIGN_IN_PATH}?{urlencode({'return_to': back}, safe='/')}"
    if request.headers.get("hx-request") == "true":
        # A redirect would be followed by the script, and the sign-in page land inside of this one.
        return Response(status_code=401, headers={"HX-Redirect": address})
    return RedirectResponse(address, status_code=303)


def _environment(loader: ChoiceLoader, words: Translator, static: StaticAssets) -> Environment:
    """One environment per language: macros and blocks then need no context to know the language they are drawn in."""
    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        bytecode_cache=compiled_templates(words.locale),
        extensions=["jinja2.ext.i18n"],
    )
    install: Any = environment
    install.install_gettext_callables(words, words.form, newstyle=True)
    environment.filters.update(Formats(words).filters())
    environment.globals.update(
        translate=words,
        noun=words.noun,
        static_url=static.url,
        has_static=static.__contains__,
        bar_chart=partial(bar_chart, words=words),
        bars_alone=partial(bars_alone, words=words),
        sparkline=sparkline,
        is_current=is_current,
        themes=THEMES,
        direction=words.babel.text_direction,
    )
    environment.globals["ui"] = environment.get_template("components.html").module
    environment.globals["sections"] = environment.get_template("sections.html").module
    return environment


def _content_policy(form_action: Sequence[str]) -> str:
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            "connect-src 'self'",
            "font-src 'self'",
            " ".join(("form-action 'self'", *form_action)),
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )


def _headers(policy: str, locale: str, *, is_personal: bool) -> dict[str, str]:
    return {
        "Content-Security-Policy": policy,
        "Content-Language": locale.replace("_", "-"),
        # What a person saw is not to be had with the back button after signing out.
        "Cache-Control": "no-store" if is_personal else "private, no-cache",
        "Vary": "Cookie, Accept-Language, HX-Request, HX-Request-Type",
    }


def _wants_part(request: Request) -> bool:
    return request.headers.get("hx-request") == "true" and request.headers.get("hx-request-type") != "full"


def _theme(request: Request) -> Theme:
    chosen = request.cookies.get(THEME_COOKIE)
    return next((theme for theme in THEMES if theme == chosen), "system")


def _languages(translators: Mapping[str, Translator]) -> list[tuple[str, str]]:
    names = ((locale, words.babel.get_display_name() or locale) for locale, words in translators.items())
    return [(locale, name[:1].upper() + name[1:]) for locale, name in names]
