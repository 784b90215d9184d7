"""The cookies: the session's token, the token of half a sign-in, and the sealed note of a sign-in under way.

In production all carry the prefix `__Host-`: browsers then take them from this host over https only, so that no
sibling domain and no plain connection can put one there (RFC 6265bis, 4.1.3.2).
"""

import re
from collections.abc import Iterator, Sequence
from datetime import timedelta

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tenantry.kernel import Context, Settings
from tenantry.kernel.crypto import same

from .providers.base import Pending
from .tokens import Purpose

PENDING_LIFETIME = timedelta(minutes=10)
PENDING_MAX = 5

_PURPOSE, _ASIDE = "sign-in", "operator"
_TOKEN = re.compile(r"sess_[0-9A-Za-z]{43}")
_HALF = re.compile(r"second_factor_[0-9A-Za-z]{43}")
_LINK = re.compile(r"link_[0-9A-Za-z]{43}")
_STATE = re.compile(r"state_[0-9A-Za-z]{43}")
_STATE_CHARACTERS_NAMED = 22


def session_token(request: Request, settings: Settings) -> str | None:
    """The request's session token; None when there is none of the right form.

    With several different ones none is believed: a browser sends ours once, so somebody else put the others there.
    """
    return session_token_in(_cookies_of(request), settings)


def session_token_in(cookies: Sequence[bytes], settings: Settings) -> str | None:
    """The same in `Cookie` headers that were picked out already."""
    return _only(_values_in(cookies, name_of("session", settings)), _TOKEN)


def is_session_token(text: str) -> bool:
    """Whether a text has the form of a session's token."""
    return _TOKEN.fullmatch(text) is not None


def keep_session(response: Response, token: str, *, ctx: Context) -> None:
    """Hand the browser a session's token."""
    lifetime = ctx.product.session_lifetime_max if ctx.product.sliding else ctx.product.session_lifetime
    put(response, name_of("session", ctx.settings), token, lifetime, ctx.settings)


def drop_session(response: Response, request: Request, settings: Settings) -> None:
    """Take the session's cookie away, if the browser has one."""
    name = name_of("session", settings)
    if values_of(request, name):
        put(response, name, "", timedelta(0), settings)


def keep_aside(response: Response, token: str, *, ctx: Context) -> None:
    """Keep an operator's own session, sealed, while another one has its place."""
    lifetime = ctx.product.session_lifetime_max if ctx.product.sliding else ctx.product.session_lifetime
    ends_at = ctx.clock.now() + lifetime
    sealed = ctx.runtime.vault.seal_cookie({"token": token}, purpose=_ASIDE, expires_at=ends_at)
    put(response, name_of(_ASIDE, ctx.settings), sealed, lifetime, ctx.settings)


def aside_token(request: Request, ctx: Context) -> str | None:
    """The token of the session that was kept aside; None when there is none, or somebody else put it there."""
    for sealed in values_of(request, name_of(_ASIDE, ctx.settings)):
        opened = ctx.runtime.vault.open_cookie(sealed, purpose=_ASIDE, now=ctx.clock.now())
        if opened is not None and is_session_token(str(opened.get("token"))):
            return str(opened["token"])
    return None


def drop_aside(response: Response, request: Request, settings: Settings) -> None:
    """Forget the session that was kept aside, if there is one."""
    name = name_of(_ASIDE, settings)
    if values_of(request, name):
        put(response, name, "", timedelta(0), settings)


def keep_half(response: Response, token: str, *, ctx: Context) -> None:
    """Hand the browser the token of half a sign-in, which a second factor makes whole."""
    put(response, name_of("half", ctx.settings), token, Purpose.SECOND_FACTOR.lifetime, ctx.settings)


def half_token(request: Request, settings: Settings) -> str | None:
    """The request's token of half a sign-in; None when there is none of the right form."""
    return _only(values_of(request, name_of("half", settings)), _HALF)


def drop_half(response: Response, request: Request, settings: Settings) -> None:
    """Take the token of half a sign-in away, if the browser has one."""
    name = name_of("half", settings)
    if values_of(request, name):
        put(response, name, "", timedelta(0), settings)


def keep_link(response: Response, token: str, *, ctx: Context) -> None:
    """Hand the browser the token of an account that waits to be connected."""
    put(response, name_of("link", ctx.settings), token, Purpose.LINK.lifetime, ctx.settings)


def link_token(request: Request, settings: Settings) -> str | None:
    """The request's token of an account that waits to be connected; None when there is none of the right form."""
    return _only(values_of(request, name_of("link", settings)), _LINK)


def drop_link(response: Response, request: Request, settings: Settings) -> None:
    """Take that token away, if the browser has one."""
    name = name_of("link", settings)
    if values_of(request, name):
        put(response, name, "", timedelta(0), settings)


def keep_pending(response: Response, request: Request, pending: Pending, *, ctx: Context) -> None:
    """Note a sign-in under way, in a cookie of its own so that two tabs do not disturb each other.

    At most five are kept; the oldest make way. Browsers send the oldest first (RFC 6265, 5.4).
    """
    prefix = name_of("signin-", ctx.settings)
    older = list(dict.fromkeys(name for name, _ in _sent(_cookies_of(request)) if name.startswith(prefix)))
    for name in older[: max(0, len(older) - PENDING_MAX + 1)]:
        put(response, name, "", timedelta(0), ctx.settings)
    sealed = ctx.runtime.vault.seal_cookie(
        msgspec.to_builtins(pending), purpose=_PURPOSE, expires_at=ctx.clock.now() + PENDING_LIFETIME
    )
    put(response, _pending_name(pending.state, ctx.settings), sealed, PENDING_LIFETIME, ctx.settings)


def read_pending(request: Request, state: str, provider: str, *, ctx: Context) -> Pending | None:
    """What this browser noted when it began; None unless state and provider are the same and it is not too old."""
    if not _STATE.fullmatch(state):
        return None
    sealed = value_of(request, _pending_name(state, ctx.settings))
    opened = ctx.runtime.vault.open_cookie(sealed, purpose=_PURPOSE, now=ctx.clock.now())
    if opened is None:
        return None
    try:
        pending = msgspec.convert(opened, Pending)
    except msgspec.ValidationError:
        return None  # Noted by another version of this program, minutes ago.
    return pending if same(pending.state, state) and same(pending.provider, provider) else None


def drop_pending(response: Response, request: Request, state: str, settings: Settings) -> None:
    """Take the note of one sign-in away, if the browser has it."""
    if _STATE.fullmatch(state) and values_of(request, name := _pending_name(state, settings)):
        put(response, name, "", timedelta(0), settings)


def _only(values: list[str], form: re.Pattern[str]) -> str | None:
    if len(values) == 1:
        return values[0] if form.fullmatch(values[0]) else None
    tokens = set(filter(form.fullmatch, values))
    return tokens.pop() if len(tokens) == 1 else None


def _pending_name(state: str, settings: Settings) -> str:
    return name_of(f"signin-{state.removeprefix('state_')[:_STATE_CHARACTERS_NAMED]}", settings)


def name_of(name: str, settings: Settings) -> str:
    """What a cookie of ours is called on this installation."""
    return f"__Host-{name}" if settings.is_production else name


def put(response: Response, name: str, value: str, lifetime: timedelta, settings: Settings) -> None:
    """Set a cookie that no script reads; with no lifetime it is taken away."""
    response.set_cookie(
        name,
        value,
        max_age=int(lifetime.total_seconds()),
        path="/",
        secure=settings.is_production,
        httponly=True,
        samesite="lax",
    )


def value_of(request: Request, name: str) -> str:
    """The value of a cookie; "" when there is none, or several that differ: a browser sends ours once."""
    values = set(values_of(request, name))
    return values.pop() if len(values) == 1 else ""


def values_of(request: Request, name: str) -> list[str]:
    """Every value of a cookie; Starlette's own reader keeps the last one only, and strips names too well."""
    return _values_in(_cookies_of(request), name)


def _cookies_of(request: Request) -> list[bytes]:
    # Not through `request.headers`, which makes an object and reads every name: this runs before each request.
    return [value for name, value in request.scope["headers"] if name == b"cookie"]


def _values_in(cookies: Sequence[bytes], name: str) -> list[str]:
    return [value for given, value in _sent(cookies) if given == name]


def _sent(cookies: Sequence[bytes]) -> Iterator[tuple[str, str]]:
    for one in cookies:
        for piece in one.decode("latin-1").split(";"):
            given, _, value = piece.partition("=")
            # No other blanks: Python takes U+0085 and U+00A0 for some, browsers do not. A sibling domain may set a
            # cookie whose name is one of those and then `__Host-session`, and that is not ours.
            yield given.strip(" \t"), value.strip(" \t")
