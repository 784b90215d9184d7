"""Bug classes of other identity systems at the border to a provider: what it may make us ask, and write."""

import json
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tenantry.identity.errors import ProviderAnswerInvalid
from tenantry.identity.providers.base import Answer, Pending, Registration
from tenantry.identity.providers.github import GitHubProvider
from tenantry.identity.providers.oidc import OpenIDProvider
from tenantry.identity.providers.profiles import external_profile
from tenantry.kernel.clock import SystemClock
from tenantry.testing.standins import StandIn

PENDING = Pending("x", "state-1", "nonce-1", "v" * 43, "http://127.0.0.1:8000/auth/x/callback", "/dashboard")
REGISTRATION = Registration("x", "X", "client", "s3cret")


class Server:
    """Answers every path by `answers`, and counts."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.url = ""

    def app(self, url: str) -> Starlette:
        self.url = url
        return Starlette(routes=[Route("/{path:path}", self._answer, methods=["GET", "POST"])])

    async def _answer(self, request: Request) -> Response:
        answer = self.answers.get(request.url.path)
        if isinstance(answer, Response):
            return answer
        return JSONResponse({"error": "nothing here"}, 404) if answer is None else JSONResponse(answer)


@pytest.fixture
def provider():
    server = Server()
    with StandIn(server.app) as stand_in:
        server.stand_in = stand_in
        yield server


@pytest.fixture
def inside():
    """A service on the inside that nobody may make us ask."""
    with StandIn(Server().app) as server:
        yield server


def discovery(url, **changes):
    return {
        "issuer": url,
        "authorization_endpoint": f"{url}/authorize",
        "token_endpoint": f"{url}/token",
        "jwks_uri": f"{url}/jwks",
        **changes,
    }


async def opened(one):
    await one.open()
    return one


@pytest.mark.parametrize("what", ["discovery", "token", "refresh"])
async def test_class_19_a_redirect_of_the_provider_is_not_followed(provider, inside, what):
    away = RedirectResponse(f"{inside.url}/secret")
    path = "/.well-known/openid-configuration"
    provider.answers = {path: away if what == "discovery" else discovery(provider.url), "/token": away}
    oidc = await opened(OpenIDProvider(provider.url, REGISTRATION, SystemClock()))
    asked = oidc.refresh("refresh") if what == "refresh" else oidc.profile(PENDING, Answer("code"))
    with pytest.raises(ProviderAnswerInvalid):
        await asked
    await oidc.aclose()
    assert inside.requests == 0


async def test_class_19_keys_are_not_fetched_after_a_redirect(provider, inside):
    token = "e30.e30.e30"
    provider.answers = {
        "/.well-known/openid-configuration": discovery(provider.url),
        "/token": {"access_token": "a", "token_type": "Bearer", "id_token": token},
        "/jwks": RedirectResponse(f"{inside.url}/jwks"),
    }
    oidc = await opened(OpenIDProvider(provider.url, REGISTRATION, SystemClock()))
    with pytest.raises(ProviderAnswerInvalid):
        await oidc.profile(PENDING, Answer("code"))
    await oidc.aclose()
    assert inside.requests == 0


async def test_class_19_a_picture_is_never_fetched_nor_kept_when_it_is_not_https(provider, inside):
    provider.answers = {
        "/login/oauth/access_token": {"access_token": "gho_x", "token_type": "bearer"},
        "/api/v3/user": {"id": 7, "login": "ada", "avatar_url": f"{inside.url}/picture"},
        "/api/v3/user/emails": [],
    }
    github = await opened(GitHubProvider(REGISTRATION, SystemClock(), web=provider.url))
    assert (await github.profile(PENDING, Answer("code"))).image is None
    await github.aclose()
    assert inside.requests == 0


async def test_class_19_an_issuer_cannot_name_another_one(provider, inside):
    provider.answers = {"/.well-known/openid-configuration": discovery(inside.url)}
    oidc = await opened(OpenIDProvider(provider.url, REGISTRATION, SystemClock()))
    with pytest.raises(ProviderAnswerInvalid):
        await oidc.authorization_url(PENDING)
    await oidc.aclose()
    assert inside.requests == 0


def test_class_20_claims_write_only_what_is_ours_to_copy():
    """`is_admin`, ids and our own columns in a profile go nowhere."""
    claims = json.loads(
        '{"sub": "ada-1", "__proto__": {"is_admin": true}, "is_admin": true, "id": "7", "user_id": "7", "issuer": "x",'
        ' "type": "oauth", "granted": {"access_token": "x"}, "email_verified": "yes", "email": "ada@example.com"}'
    )
    found = external_profile("https://issuer.example", claims)
    assert (found.issuer, found.subject, found.type, found.granted) == ("https://issuer.example", "ada-1", "oidc", None)
    assert found.email_verified is False
    assert set(found.__struct_fields__) == {
        "issuer", "subject", "email", "email_verified", "name", "image", "type", "granted",
    }  # fmt: skip
