"""GitHub's habits, against a server that has them."""

from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from starlette.responses import JSONResponse, RedirectResponse, Response

from tenantry.identity.errors import (
    ProviderAnswerInvalid,
    ProviderRefused,
    ProviderUnreachable,
    SignInExpired,
    SignInMixedUp,
)
from tenantry.identity.providers.base import Answer, Registration
from tenantry.identity.providers.github import GitHubProvider
from tenantry.kernel.clock import SystemClock

TOKEN, USER, EMAILS = "/login/oauth/access_token", "/api/v3/user", "/api/v3/user/emails"
ADA = {
    "id": 583231,
    "login": "ada",
    "name": "Ada Lovelace",
    "email": "public@example.com",
    "avatar_url": "https://a.b/c",
}


@pytest.fixture
async def github(scripted, opened):
    scripted.answers = {
        TOKEN: {"access_token": "gho_x", "scope": "read:user,user:email", "token_type": "bearer"},
        USER: ADA,
        EMAILS: [
            {"email": "second@example.com", "primary": False, "verified": True},
            {"email": "Ada@Example.com", "primary": True, "verified": True},
        ],
    }
    registration = Registration("github", "GitHub", "client", "s3cret&=+")
    return await opened(GitHubProvider(registration, SystemClock(), web=scripted.url))


async def test_the_browser_is_sent_with_state_and_challenge(github, pending):
    url = urlsplit(await github.authorization_url(pending))
    query = parse_qs(url.query)
    assert url.path == "/login/oauth/authorize"
    assert query["state"] == ["state-1"]
    assert query["scope"] == ["read:user user:email"]
    assert query["code_challenge_method"] == ["S256"]
    assert query["redirect_uri"] == [pending.redirect_uri]
    assert "v" * 43 not in url.query


async def test_who_signed_in(github, scripted, pending):
    found = await github.profile(pending, Answer("code-1"))
    assert (found.issuer, found.subject) == (scripted.url, "583231")
    assert (found.email, found.email_verified) == ("ada@example.com", True)
    assert (found.name, found.image) == ("Ada Lovelace", "https://a.b/c")
    (_, form, headers), *asked = scripted.asked
    assert form["code"] == "code-1"
    assert form["code_verifier"] == "v" * 43
    assert (form["client_id"], form["client_secret"]) == ("client", "s3cret&=+")
    assert headers["accept"] == "application/json"
    assert [asked_headers["authorization"] for _, _, asked_headers in asked] == ["Bearer gho_x"] * 2


async def test_an_answer_in_form_encoding_is_read(github, scripted, pending):
    form = urlencode({"access_token": "gho_form", "scope": "user:email", "token_type": "bearer"})
    scripted.answers[TOKEN] = Response(form, media_type="application/x-www-form-urlencoded")
    assert (await github.profile(pending, Answer("code"))).subject == "583231"
    assert scripted.asked[1][2]["authorization"] == "Bearer gho_form"


@pytest.mark.parametrize("encoded", [True, False])
@pytest.mark.parametrize(
    ("error", "problem"),
    [
        ("bad_verification_code", SignInExpired),
        ("incorrect_client_credentials", ProviderRefused),
        ("redirect_uri_mismatch", ProviderRefused),
    ],
)
async def test_an_error_comes_with_status_200(github, scripted, pending, error, problem, encoded):
    said = {"error": error, "error_description": "The code passed is incorrect or expired."}
    form = Response(urlencode(said), media_type="application/x-www-form-urlencoded")
    scripted.answers[TOKEN] = form if encoded else said
    with pytest.raises(problem):
        await github.profile(pending, Answer("code"))
    assert scripted.paths() == [TOKEN]


@pytest.mark.parametrize(
    "emails",
    [
        [],
        {},
        None,
        [{"email": "ada@example.com", "primary": True, "verified": False}],
        [{"email": "ada@example.com", "primary": False, "verified": True}],
        [{"email": "ada@example.com", "primary": "true", "verified": 1}],
        [7, None, {"primary": True, "verified": True}],
    ],
)
async def test_without_a_primary_verified_address_there_is_none(github, scripted, pending, emails):
    scripted.answers[EMAILS] = JSONResponse(emails)
    found = await github.profile(pending, Answer("code"))
    assert (found.email, found.email_verified) == (None, False)


@pytest.mark.parametrize("user", [{}, [], {"id": "583231"}, {"id": True}, {"id": 0}, {"login": "ada"}, 7])
async def test_a_user_without_a_number_is_nobody(github, scripted, pending, user):
    scripted.answers[USER] = JSONResponse(user)
    with pytest.raises(ProviderAnswerInvalid):
        await github.profile(pending, Answer("code"))


async def test_the_login_stands_in_for_a_missing_name(github, scripted, pending):
    scripted.answers[USER] = {**ADA, "name": None}
    assert (await github.profile(pending, Answer("code"))).name == "ada"


async def test_an_issuer_that_is_not_github_is_a_mix_up(github, scripted, pending):
    with pytest.raises(SignInMixedUp):
        await github.profile(pending, Answer("code", "https://evil.example"))
    assert scripted.asked == []


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (JSONResponse({}, 500), ProviderUnreachable),
        (JSONResponse({}, 503), ProviderUnreachable),
        (JSONResponse({"message": "rate limit"}, 429), ProviderUnreachable),
        (JSONResponse({"message": "Bad credentials"}, 401), ProviderAnswerInvalid),
        (RedirectResponse("http://127.0.0.1:1/user"), ProviderAnswerInvalid),
        (Response("<html>", media_type="text/html"), ProviderAnswerInvalid),
        (Response(b"[" * 100_000, media_type="application/json"), ProviderAnswerInvalid),
    ],
)
async def test_an_api_that_fails(github, scripted, pending, answer, problem):
    scripted.answers[USER] = answer
    with pytest.raises(problem):
        await github.profile(pending, Answer("code"))
