"""Reading and refusing what reaches the stand-in identity provider: RFC 6749, RFC 7636, OpenID Connect Core."""

import base64
import binascii
import ipaddress
import re
from collections.abc import Collection, Mapping
from urllib.parse import parse_qsl, unquote_plus, urlsplit

import msgspec
from starlette.requests import Request

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
SCOPES = frozenset({"openid", "profile", "email", "offline_access", "notes:read"})
"""What it knows; others are ignored. A refresh token comes along in any case."""


class PageRefused(Exception):
    """An authorization request that must not be answered by a redirect: "client" or "redirect_uri" is wrong."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class RedirectRefused(Exception):
    """An authorization request that is answered at its redirect URI: an error code and a sentence."""

    def __init__(self, asked: "Authorization", error: str, description: str) -> None:
        super().__init__(error)
        self.asked = asked
        self.error = error
        self.description = description


class TokenRefused(Exception):
    """A refusal of the token endpoint: an error code and a sentence; `invalid_client` is 401, all others 400."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(error)
        self.error = error
        self.description = description


class Authorization(msgspec.Struct, frozen=True, kw_only=True):
    """An authorization request whose client and redirect URI are right."""

    redirect_uri: str
    state: str | None
    nonce: str | None
    challenge: str
    scopes: frozenset[str]
    hint: str
    prompts: frozenset[str]


async def parameters(request: Request) -> list[tuple[str, str]]:
    """The query of a GET, the form of a POST."""
    text = request.url.query if request.method == "GET" else (await request.body()).decode("utf-8", "replace")
    return parse_qsl(text, keep_blank_values=True)


def check_redirect_uris(redirect_uris: Collection[str]) -> None:
    """Refuses (ValueError) redirect URIs that leave the machine, and having none."""
    if not redirect_uris:
        raise ValueError("give at least one redirect URI")
    for uri in redirect_uris:
        parts = urlsplit(uri)
        if parts.scheme not in ("http", "https") or parts.fragment or not _is_loopback(parts.hostname or ""):
            raise ValueError(f"a stand-in redirects to loopback addresses only, not to {uri}")


def read_authorization(pairs: list[tuple[str, str]], client_id: str, redirect_uris: Collection[str]) -> Authorization:
    """Raises PageRefused or RedirectRefused."""
    given = dict(pairs)
    if given.get("client_id") != client_id:
        raise PageRefused("client")
    if given.get("redirect_uri") not in redirect_uris:
        raise PageRefused("redirect_uri")
    asked = Authorization(
        redirect_uri=given["redirect_uri"],
        state=given.get("state"),
        nonce=given.get("nonce"),
        challenge=given.get("code_challenge", ""),
        scopes=frozenset(given.get("scope", "").split()) & SCOPES,
        hint=given.get("login_hint", ""),
        prompts=frozenset(given.get("prompt", "").split()),
    )
    if len(given) != len(pairs):
        raise RedirectRefused(asked, "invalid_request", "A parameter was sent twice.")
    _check(asked, given)
    return asked


def read_client(request: Request, form: Mapping[str, str]) -> tuple[str, str]:
    """Client id and secret, from the header or from the form, never from both. Raises TokenRefused."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if not scheme:
        return form.get("client_id", ""), form.get("client_secret", "")
    if scheme.lower() != "basic" or "client_secret" in form:
        raise TokenRefused("invalid_request", "Use one way of client authentication.")
    try:
        client_id, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise TokenRefused("invalid_client", "The authorization header cannot be read.") from None
    # Both are form-encoded before they are joined (RFC 6749, 2.3.1).
    return unquote_plus(client_id), unquote_plus(secret)


def _check(asked: Authorization, given: Mapping[str, str]) -> None:
    if "request" in given:
        raise RedirectRefused(asked, "request_not_supported", "Request objects are not supported.")
    if "request_uri" in given:
        raise RedirectRefused(asked, "request_uri_not_supported", "Request objects are not supported.")
    if given.get("response_type") != "code":
        raise RedirectRefused(asked, "unsupported_response_type", "Only response_type=code is supported.")
    if given.get("response_mode", "query") != "query":
        raise RedirectRefused(asked, "invalid_request", "Only response_mode=query is supported.")
    if "openid" not in asked.scopes:
        raise RedirectRefused(asked, "invalid_scope", "The scope must contain openid.")
    if given.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(asked.challenge):
        raise RedirectRefused(asked, "invalid_request", "PKCE with S256 is required.")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
