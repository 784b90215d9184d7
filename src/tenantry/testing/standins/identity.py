"""A stand-in OpenID Connect provider: authorization code flow with PKCE, for demos and tests on this machine.

It follows OpenID Connect Core, RFC 6749, RFC 7636 (S256 required) and RFC 9207, so that a client is exercised as by a
real provider. It is no real one: whoever opens its page is whom they click on.
"""

import asyncio
import hmac
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import jinja2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tenantry.identity import DEMO_CLIENT_ID, DEMO_CLIENT_SECRET

from .faults import Faults
from .identity_people import PEOPLE, Person
from .identity_requests import (
    SCOPES,
    Authorization,
    PageRefused,
    RedirectRefused,
    TokenRefused,
    check_redirect_uris,
    parameters,
    read_authorization,
    read_client,
)
from .identity_tokens import ID_TOKEN_FAULTS, TOKEN_SECONDS, Claims, Grant, Grants, RefreshTokens, Signer
from .server import StandIn

MODES = ID_TOKEN_FAULTS | {
    *("mix_up_iss", "missing_iss", "wrong_state", "missing_email", "email_unverified"),
    *("token_500", "token_200_error", "slow", "refresh_revoked", "wrong_userinfo_sub", "revocation_500"),
}
_FOLDER = Path(__file__).parent
_PAGE_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
_NO_STORE = {"cache-control": "no-store"}


def start_identity(
    port: int = 0,
    *,
    redirect_uris: Collection[str],
    people: Sequence[Person] = PEOPLE,
    host: str = "127.0.0.1",
    now: Callable[[], datetime] | None = None,
) -> StandIn:
    """Start it; `StandIn.url` is the issuer, DEMO_CLIENT_ID and DEMO_CLIENT_SECRET its only client.

    `redirect_uris` are compared exactly; one outside loopback is refused (ValueError), as is another `host`.
    `login_hint` (a person's id or e-mail address) signs in without the page. Modes of `StandIn.fault(mode, ...)`:
    in the callback `mix_up_iss`, `missing_iss`, `wrong_state`; in the claims `missing_email`, `email_unverified`; at
    the token endpoint `token_500`, `token_200_error`, `slow` (seconds), `refresh_revoked` (of everybody); in the
    id_token `wrong_nonce`, `missing_nonce`, `wrong_aud`, `wrong_iss`, `wrong_at_hash`, `wrong_key`, `expired`,
    `alg_none`; at userinfo `wrong_userinfo_sub`; at the revocation `revocation_500`. A refresh token works once; used
    twice, it ends its whole grant.
    """
    check_redirect_uris(redirect_uris)
    clock = now or (lambda: datetime.now(UTC))
    return StandIn(lambda url: _Provider(url, tuple(redirect_uris), people, clock).app(), host=host, port=port)


class _Provider:
    """The endpoints."""

    def __init__(
        self, issuer: str, redirect_uris: Collection[str], people: Sequence[Person], now: Callable[[], datetime]
    ) -> None:
        self._issuer = issuer
        self._redirect_uris = redirect_uris
        self._people = people
        self._grants = Grants(now)
        self._refresh_tokens = RefreshTokens()
        self._signer = Signer(issuer, DEMO_CLIENT_ID, now)
        self._faults = Faults(MODES)
        self._pages = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_FOLDER),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
        )
        # The page's texts are marked for translation; this provider speaks English only, as a foreign site may.
        self._pages.globals["_"] = str

    def app(self) -> Starlette:
        routes = [
            Route("/", self._about),
            Route("/identity.css", self._style),
            Route("/.well-known/openid-configuration", self._discovery),
            Route("/jwks", self._keys),
            Route("/authorize", self._authorize, methods=["GET", "POST"]),
            Route("/token", self._token, methods=["POST"]),
            Route("/userinfo", self._userinfo, methods=["GET", "POST"]),
            Route("/revoke", self._revoke, methods=["POST"]),
            *self._faults.routes(),
        ]
        return Starlette(routes=routes)

    async def _about(self, request: Request) -> Response:
        return self._page()

    async def _style(self, request: Request) -> Response:
        return FileResponse(_FOLDER / "identity.css", media_type="text/css")

    async def _keys(self, request: Request) -> Response:
        return JSONResponse(self._signer.key_set())

    async def _discovery(self, request: Request) -> Response:
        return JSONResponse(_discovery(self._issuer))

    async def _authorize(self, request: Request) -> Response:
        pairs = await parameters(request)
        try:
            asked = read_authorization(pairs, DEMO_CLIENT_ID, self._redirect_uris)
        except PageRefused as refused:
            return self._page(problem=refused.what)
        except RedirectRefused as refused:
            return self._refused(refused)
        if ("standin_deny", "1") in pairs:
            return self._refused(RedirectRefused(asked, "access_denied", "The person said no."))
        person = next((one for one in self._people if asked.hint and asked.hint in (one.id, one.email)), None)
        if "none" in asked.prompts and person is None:
            return self._refused(RedirectRefused(asked, "login_required", "Nobody is signed in here."))
        if person and not asked.prompts & {"login", "select_account"}:
            return self._granted(asked, person)
        links, deny = _links(pairs, self._people)
        return self._page(asked=asked, links=links, deny=deny)

    async def _token(self, request: Request) -> Response:
        pairs = await parameters(request)
        if fault := self._faults.take("token_500", "token_200_error", "slow"):
            if fault.mode == "token_500":
                return JSONResponse({"error": "server_error"}, 500, _NO_STORE)
            if fault.mode == "token_200_error":
                return JSONResponse({"error": "invalid_grant", "error_description": "with status 200"}, 200, _NO_STORE)
            await asyncio.sleep(fault.seconds)
        try:
            return JSONResponse(self._redeemed(request, pairs), headers=_NO_STORE)
        except TokenRefused as refused:
            is_client = refused.error == "invalid_client"
            headers = _NO_STORE | ({"www-authenticate": 'Basic realm="stand-in"'} if is_client else {})
            body = {"error": refused.error, "error_description": refused.description}
            return JSONResponse(body, 401 if is_client else 400, headers)

    async def _userinfo(self, request: Request) -> Response:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        claims = self._grants.claims_of(token) if scheme.lower() == "bearer" else None
        if claims is None:
            return Response(status_code=401, headers={"www-authenticate": 'Bearer error="invalid_token"'})
        if self._faults.take("wrong_userinfo_sub"):
            claims = claims | {"sub": "demo-somebody-else"}
        return JSONResponse(claims, headers=_NO_STORE)

    async def _revoke(self, request: Request) -> Response:
        """RFC 7009: of a refresh token ends everything that was granted with it; of an unknown one nothing happens."""
        pairs = await parameters(request)
        if self._faults.take("revocation_500"):
            return JSONResponse({"error": "server_error"}, 500, _NO_STORE)
        try:
            token = self._read(request, pairs).get("token", "")
        except TokenRefused as refused:
            return JSONResponse({"error": refused.error, "error_description": refused.description}, 401, _NO_STORE)
        if grant := self._refresh_tokens.grant_of(token):
            self._refresh_tokens.revoke(grant)
            self._grants.revoke(grant)
        self._grants.forget(token)
        return Response(headers=_NO_STORE)

    def _redeemed(self, request: Request, pairs: list[tuple[str, str]]) -> dict[str, str | int]:
        form = self._read(request, pairs)
        match form.get("grant_type"):
            case "authorization_code":
                return self._code_redeemed(form)
            case "refresh_token":
                return self._refreshed(form)
        raise TokenRefused("unsupported_grant_type", "Only authorization_code and refresh_token are supported.")

    def _read(self, request: Request, pairs: list[tuple[str, str]]) -> dict[str, str]:
        form = dict(pairs)
        if len(form) != len(pairs):
            raise TokenRefused("invalid_request", "A parameter was sent twice.")
        client_id, secret = read_client(request, form)
        is_secret = hmac.compare_digest(secret.encode(), DEMO_CLIENT_SECRET.encode())
        if client_id != DEMO_CLIENT_ID or not is_secret:
            raise TokenRefused("invalid_client", "Client id or secret is wrong.")
        return form

    def _code_redeemed(self, form: dict[str, str]) -> dict[str, str | int]:
        grant, token = self._grants.redeem(
            form.get("code", ""), redirect_uri=form.get("redirect_uri", ""), verifier=form.get("code_verifier", "")
        )
        fault = self._faults.take(*ID_TOKEN_FAULTS)
        id_token = self._signer.id_token(grant, token, fault.mode if fault else "")
        return {**self._answer(grant, token), "id_token": id_token}

    def _refreshed(self, form: dict[str, str]) -> dict[str, str | int]:
        if self._faults.take("refresh_revoked"):
            self._refresh_tokens.revoke_all()
        grant = self._refresh_tokens.use(form.get("refresh_token", ""))
        return self._answer(grant, self._grants.access(grant))

    def _answer(self, grant: Grant, access_token: str) -> dict[str, str | int]:
        return {
            "access_token": access_token,
            "refresh_token": self._refresh_tokens.issue(grant),
            "token_type": "Bearer",
            "expires_in": TOKEN_SECONDS,
            "scope": " ".join(sorted(grant.asked.scopes)),
        }

    def _granted(self, asked: Authorization, person: Person) -> Response:
        claims: Claims = person.claims(asked.scopes)
        if self._faults.take("missing_email"):
            claims = {name: value for name, value in claims.items() if not name.startswith("email")}
        elif self._faults.take("email_unverified"):
            claims |= {"email_verified": False}
        return self._back(asked, {"code": self._grants.issue(asked, claims)})

    def _refused(self, refused: RedirectRefused) -> Response:
        return self._back(refused.asked, {"error": refused.error, "error_description": refused.description})

    def _back(self, asked: Authorization, answer: dict[str, str]) -> Response:
        """Send the browser back to the client, with the state it sent and who we are (RFC 9207)."""
        fault = self._faults.take("mix_up_iss", "missing_iss", "wrong_state")
        mode = fault.mode if fault else ""
        if asked.state is not None:
            answer |= {"state": "another-state" if mode == "wrong_state" else asked.state}
        if mode != "missing_iss":
            answer |= {"iss": "https://another-issuer.example" if mode == "mix_up_iss" else self._issuer}
        joint = "&" if urlsplit(asked.redirect_uri).query else "?"
        return RedirectResponse(f"{asked.redirect_uri}{joint}{urlencode(answer)}", 303, _PAGE_HEADERS)

    def _page(
        self,
        *,
        problem: str = "",
        asked: Authorization | None = None,
        links: Sequence[tuple[Person, str]] = (),
        deny: str = "",
    ) -> Response:
        client = urlsplit(asked.redirect_uri).netloc if asked else ""
        text = self._pages.get_template("identity.html").render(problem=problem, client=client, links=links, deny=deny)
        return HTMLResponse(text, 400 if problem else 200, _PAGE_HEADERS)


def _links(pairs: list[tuple[str, str]], people: Sequence[Person]) -> tuple[list[tuple[Person, str]], str]:
    """The same request once a person, and once more to say no."""
    # Links and no form: `form-action` also judges where a form's answer redirects, and would have to name the client.
    kept = [(name, value) for name, value in pairs if name not in ("login_hint", "prompt")]
    links = [(person, f"/authorize?{urlencode([*kept, ('login_hint', person.id)])}") for person in people]
    return links, f"/authorize?{urlencode([*kept, ('standin_deny', '1')])}"


def _discovery(issuer: str) -> dict[str, object]:
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "userinfo_endpoint": f"{issuer}/userinfo",
        "revocation_endpoint": f"{issuer}/revoke",
        "jwks_uri": f"{issuer}/jwks",
        "scopes_supported": sorted(SCOPES),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"],
        "claims_supported": [
            *("iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "at_hash"),
            *("name", "given_name", "family_name", "email", "email_verified"),
        ],
        "authorization_response_iss_parameter_supported": True,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
    }
