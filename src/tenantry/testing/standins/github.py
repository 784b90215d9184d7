"""A stand-in for GitHub's OAuth apps, with GitHub's habits: for tests on this machine.

Errors of the token endpoint come with status 200; its answers are form-encoded unless JSON is asked for; there is no
id_token, no `iss`, no nonce; a profile's address is null or anything, and the list of addresses has unverified ones.
From GitHub's documentation of OAuth apps, of expiring user tokens, and of the REST API (users, emails, OAuth
authorizations). It lies under the addresses of a GitHub Enterprise Server: TENANTRY_GITHUB_BASE_URL is `StandIn.url`.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from .faults import Faults
from .identity_requests import check_redirect_uris, parameters
from .server import StandIn

GITHUB_CLIENT_ID = "Iv1.0123456789abcdef"
GITHUB_CLIENT_SECRET = "github-secret-not-for-production"  # noqa: S105 - good for nothing but a stand-in on loopback
CODE_SECONDS = 600
TOKEN_SECONDS = 28_800
MODES = frozenset({"form_encoded", "token_500", "api_500"})


class GitHubPerson(msgspec.Struct, frozen=True, kw_only=True):
    """A person there: `number` is for ever, `login` can be renamed, `email` is what the profile shows.

    `emails` are (address, is primary, is verified).
    """

    number: int
    login: str
    name: str | None = None
    email: str | None = None
    emails: tuple[tuple[str, bool, bool], ...]


PEOPLE = (
    GitHubPerson(
        number=583231,
        login="ada",
        name="Ada Lovelace",
        emails=(
            ("grace@example.com", False, False),
            ("ada@example.com", True, True),
            ("583231+ada@users.noreply.example.com", False, True),
        ),
    ),
    GitHubPerson(number=17, login="unproven", email="alan@example.com", emails=(("alan@example.com", True, False),)),
    GitHubPerson(
        number=99, login="secondary", emails=(("old@example.com", True, False), ("b@example.com", False, True))
    ),
)


def start_github(
    port: int = 0,
    *,
    redirect_uris: Collection[str],
    people: Sequence[GitHubPerson] = PEOPLE,
    expiring: bool = False,
    now: Callable[[], datetime] | None = None,
) -> StandIn:
    """Start it; GITHUB_CLIENT_ID and GITHUB_CLIENT_SECRET are its only client.

    `login` in the authorization request chooses who signs in, `login=__deny__` says no. With `expiring` access tokens
    end after eight hours and a refresh token, which works once, comes along. Modes of `StandIn.fault`: `form_encoded`
    (also to who asks for JSON), `token_500`, `api_500`. A redirect URI outside loopback is a ValueError.
    """
    check_redirect_uris(redirect_uris)
    clock = now or (lambda: datetime.now(UTC))
    return StandIn(lambda _url: _GitHub(tuple(redirect_uris), people, clock, expiring=expiring).app(), port=port)


class _Code(msgspec.Struct, frozen=True):
    person: GitHubPerson
    redirect_uri: str
    challenge: str
    scope: str
    at: float


class _GitHub:
    def __init__(
        self,
        redirect_uris: Collection[str],
        people: Sequence[GitHubPerson],
        now: Callable[[], datetime],
        *,
        expiring: bool,
    ) -> None:
        self._redirect_uris = redirect_uris
        self._people = {one.login: one for one in people}
        self._now = now
        self._expiring = expiring
        self._codes: dict[str, _Code] = {}
        self._tokens: dict[str, tuple[_Code, float]] = {}
        self._refresh_tokens: dict[str, _Code] = {}
        self._faults = Faults(MODES)

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/", self._about),
                Route("/login/oauth/authorize", self._authorize),
                Route("/login/oauth/access_token", self._token, methods=["POST"]),
                Route("/api/v3/user", self._user),
                Route("/api/v3/user/emails", self._emails),
                Route("/api/v3/applications/{client_id}/grant", self._revoke, methods=["DELETE"]),
                *self._faults.routes(),
            ]
        )

    async def _about(self, request: Request) -> Response:
        return PlainTextResponse("A stand-in for GitHub, for tests on this machine. It is no real one.")

    async def _authorize(self, request: Request) -> Response:
        given = dict(await parameters(request))
        if given.get("client_id") != GITHUB_CLIENT_ID:
            return PlainTextResponse("Not Found", 404)
        back = given.get("redirect_uri", "")
        if back not in self._redirect_uris:
            return PlainTextResponse("The redirect_uri is not associated with this application.", 400)
        answer = {"state": given["state"]} if "state" in given else {}
        if given.get("login") == "__deny__":
            answer |= {"error": "access_denied", "error_description": "The user has denied your application access."}
            return RedirectResponse(f"{back}?{urlencode(answer)}", 302)
        person = self._people.get(given.get("login", ""))
        if person is None:
            return PlainTextResponse("Sign in to GitHub: add login=... to the address.", 200)
        code = secrets.token_hex(10)
        scope = ",".join(given.get("scope", "").replace(",", " ").split())
        challenge = given.get("code_challenge", "")
        self._codes[code] = _Code(person, back, challenge, scope, self._now().timestamp())
        return RedirectResponse(f"{back}?{urlencode({'code': code, **answer})}", 302)

    async def _token(self, request: Request) -> Response:
        if self._faults.take("token_500"):
            return PlainTextResponse("Unicorn!", 500)
        form = dict(await parameters(request))
        answer = self._redeemed(form)
        if "application/json" in request.headers.get("accept", "") and not self._faults.take("form_encoded"):
            return JSONResponse(answer)
        return Response(urlencode(answer), media_type="application/x-www-form-urlencoded")

    def _redeemed(self, form: dict[str, str]) -> dict[str, Any]:
        secret = hmac.compare_digest(form.get("client_secret", "").encode(), GITHUB_CLIENT_SECRET.encode())
        if form.get("client_id") != GITHUB_CLIENT_ID or not secret:
            return _error("incorrect_client_credentials", "The client_id and/or client_secret passed are incorrect.")
        if form.get("grant_type") == "refresh_token":
            code = self._refresh_tokens.pop(form.get("refresh_token", ""), None)
            if code is None:
                return _error("bad_refresh_token", "The refresh token passed is incorrect or expired.")
            return self._granted(code)
        code = self._codes.pop(form.get("code", ""), None)
        if code is None or self._now().timestamp() - code.at >= CODE_SECONDS:
            return _error("bad_verification_code", "The code passed is incorrect or expired.")
        if form.get("redirect_uri", code.redirect_uri) != code.redirect_uri:
            return _error("redirect_uri_mismatch", "The redirect_uri MUST match the registered callback URL.")
        if code.challenge and _digest(form.get("code_verifier", "")) != code.challenge:
            return _error("bad_verification_code", "The code passed is incorrect or expired.")
        return self._granted(code)

    def _granted(self, code: _Code) -> dict[str, Any]:
        token = f"{'ghu' if self._expiring else 'gho'}_{secrets.token_hex(18)}"
        at = self._now().timestamp()
        self._tokens[token] = (code, at + TOKEN_SECONDS if self._expiring else float("inf"))
        answer: dict[str, Any] = {"access_token": token, "scope": code.scope, "token_type": "bearer"}
        if self._expiring:
            refresh = f"ghr_{secrets.token_hex(38)}"
            self._refresh_tokens[refresh] = code
            answer |= {"expires_in": TOKEN_SECONDS, "refresh_token": refresh, "refresh_token_expires_in": 15_897_600}
        return answer

    async def _user(self, request: Request) -> Response:
        refused, code = self._caller(request)
        if code is None:
            return refused
        person = code.person
        return JSONResponse(
            {
                "login": person.login,
                "id": person.number,
                "name": person.name,
                "email": person.email,
                "avatar_url": f"https://avatars.example.com/u/{person.number}?v=4",
                "type": "User",
            }
        )

    async def _emails(self, request: Request) -> Response:
        refused, code = self._caller(request)
        if code is None:
            return refused
        if "user:email" not in code.scope.split(","):
            return JSONResponse({"message": "Not Found"}, 404)
        listed = [
            {"email": email, "primary": primary, "verified": verified, "visibility": "private" if primary else None}
            for email, primary, verified in code.person.emails
        ]
        return JSONResponse(listed)

    async def _revoke(self, request: Request) -> Response:
        """DELETE with a body and the client's own credentials: every token of that person's is over."""
        asking = base64.b64encode(f"{GITHUB_CLIENT_ID}:{GITHUB_CLIENT_SECRET}".encode()).decode()
        is_client = request.headers.get("authorization", "") == f"Basic {asking}"
        if not is_client or request.path_params["client_id"] != GITHUB_CLIENT_ID:
            return JSONResponse({"message": "Not Found"}, 404)
        code, _ends = self._tokens.get((await request.json()).get("access_token", ""), (None, 0.0))
        if code is None:
            return JSONResponse({"message": "Validation Failed"}, 422)
        self._tokens = {token: one for token, one in self._tokens.items() if one[0].person is not code.person}
        held = self._refresh_tokens.items()
        self._refresh_tokens = {token: one for token, one in held if one.person is not code.person}
        return Response(status_code=204)

    def _caller(self, request: Request) -> tuple[Response, _Code | None]:
        if self._faults.take("api_500"):
            return PlainTextResponse("Unicorn!", 502), None
        if not request.headers.get("user-agent"):
            return PlainTextResponse("Request forbidden by administrative rules.", 403), None
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        code, ends = self._tokens.get(token, (None, 0.0))
        if self._now().timestamp() >= ends:
            code = None
        return JSONResponse({"message": "Bad credentials"}, 401), code


def _error(error: str, description: str) -> dict[str, Any]:
    return {"error": error, "error_description": description, "error_uri": "https://docs.github.com/apps"}


def _digest(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
