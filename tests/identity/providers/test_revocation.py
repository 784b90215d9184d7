"""Saying at a provider that tokens are wanted no longer: what is sent, and what comes of its answers."""

import base64

import pytest
from starlette.responses import JSONResponse, Response

from tenantry.identity.errors import ProviderAnswerInvalid, ProviderUnreachable
from tenantry.identity.providers.base import Granted, Registration
from tenantry.identity.providers.github import GitHubProvider
from tenantry.identity.providers.oidc import OpenIDProvider
from tenantry.kernel.clock import SystemClock

DISCOVERY, REVOKE = "/.well-known/openid-configuration", "/revoke"
GRANT = "/api/v3/applications/client/grant"
REGISTRATION = Registration("x", "X", "client", "geheim?&ä")
BOTH = Granted(access_token="access-1", refresh_token="refresh-1")


@pytest.fixture
def oidc(scripted, opened):
    """What opens a provider whose discovery document says more."""

    async def open_one(**more):
        urls = {name: f"{scripted.url}/{name}" for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")}
        scripted.answers[DISCOVERY] = {"issuer": scripted.url, **urls, **more}
        return await opened(OpenIDProvider(scripted.url, REGISTRATION, SystemClock()))

    return open_one


def revocations(scripted):
    return [(form, headers) for path, form, headers in scripted.asked if path == REVOKE]


async def test_both_tokens_the_refresh_token_first_with_the_clients_credentials(oidc, scripted):
    scripted.answers[REVOKE] = Response(status_code=200)
    provider = await oidc(revocation_endpoint=f"{scripted.url}{REVOKE}")
    await provider.revoke(BOTH)
    sent = revocations(scripted)
    assert [form for form, _ in sent] == [
        {"token": "refresh-1", "token_type_hint": "refresh_token"},
        {"token": "access-1", "token_type_hint": "access_token"},
    ]
    basic = base64.b64decode(sent[0][1]["authorization"].removeprefix("Basic "))
    assert basic.partition(b":")[0] == b"client"


async def test_credentials_go_into_the_body_where_that_is_known(oidc, scripted):
    scripted.answers[REVOKE] = Response(status_code=200)
    methods = ["client_secret_basic", "client_secret_post"]
    url = f"{scripted.url}{REVOKE}"
    provider = await oidc(revocation_endpoint=url, token_endpoint_auth_methods_supported=methods)
    await provider.revoke(Granted(access_token="access-1"))
    [(form, headers)] = revocations(scripted)
    assert (form["client_id"], form["client_secret"]) == ("client", REGISTRATION.client_secret)
    assert "authorization" not in headers


@pytest.mark.parametrize("granted", [BOTH, Granted()])
async def test_nothing_is_sent_where_there_is_no_endpoint_or_no_token(oidc, scripted, granted):
    more = {} if granted is BOTH else {"revocation_endpoint": f"{scripted.url}{REVOKE}"}
    await (await oidc(**more)).revoke(granted)
    assert revocations(scripted) == []


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (JSONResponse({"error": "unsupported_token_type"}, 400), None),
        (JSONResponse({"error": "invalid_token"}, 400), None),
        (Response(status_code=204), None),
        (JSONResponse({"error": "invalid_client"}, 401), ProviderAnswerInvalid),
        (Response(status_code=302, headers={"location": "/elsewhere"}), ProviderAnswerInvalid),
        (Response(status_code=429), ProviderUnreachable),
        (Response(status_code=503), ProviderUnreachable),
    ],
)
async def test_what_an_answer_means(oidc, scripted, answer, problem):
    scripted.answers[REVOKE] = answer
    provider = await oidc(revocation_endpoint=f"{scripted.url}{REVOKE}")
    if problem is None:
        await provider.revoke(BOTH)
        assert len(revocations(scripted)) == 2
        return
    with pytest.raises(problem) as refused:
        await provider.revoke(BOTH)
    assert "access-1" not in str(refused.value.internal)
    assert "refresh-1" not in str(refused.value.internal)


async def test_an_endpoint_that_is_not_https_is_not_trusted(oidc, scripted):
    provider = await oidc(revocation_endpoint="ftp://example.com/revoke")
    with pytest.raises(ProviderAnswerInvalid):
        await provider.revoke(BOTH)


@pytest.fixture
async def github(scripted, opened):
    return await opened(GitHubProvider(REGISTRATION, SystemClock(), web=scripted.url))


async def test_github_deletes_the_grant(github, scripted):
    scripted.answers[GRANT] = Response(status_code=204)
    await github.revoke(BOTH)
    [(path, _, headers)] = scripted.asked
    assert (path, headers["authorization"].startswith("Basic ")) == (GRANT, True)
    scripted.asked.clear()
    await github.revoke(Granted(refresh_token="refresh-1"))
    assert scripted.asked == []


@pytest.mark.parametrize(
    ("status", "problem"),
    [(404, None), (422, None), (401, ProviderAnswerInvalid), (500, ProviderUnreachable), (429, ProviderUnreachable)],
)
async def test_what_githubs_answers_mean(github, scripted, status, problem):
    scripted.answers[GRANT] = JSONResponse({"message": "x"}, status)
    if problem is None:
        await github.revoke(BOTH)
        return
    with pytest.raises(problem):
        await github.revoke(BOTH)
