"""A whole sign-in through GitHub's stand-in, which has GitHub's habits."""

from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from identity.round_trips import HTML, arrive, consent
from tenantry.testing import PUBLIC_URL
from tenantry.testing.standins import GITHUB_CLIENT_ID, GITHUB_CLIENT_SECRET, start_github


async def test_the_primary_proven_address_registers(three):
    browser = await three.client()
    landed = await arrive(browser, "github", "ada")
    assert (landed.status_code, landed.headers["location"]) == (303, "/dashboard")
    me = (await browser.get("/v1/me")).json()
    # Not the first of the list, which is somebody else's and unproven, and not the profile's, which is null.
    assert (me["email"], me["email_verified"], me["name"]) == ("ada@example.com", True, "Ada Lovelace")


@pytest.mark.parametrize("person", ["unproven", "secondary"])
async def test_without_a_primary_proven_address_nobody_is_registered(three, person):
    browser = await three.client()
    refused = await arrive(browser, "github", person)
    assert (refused.status_code, refused.json()["code"]) == (403, "identity.email_unverified")


async def test_an_answer_in_form_encoding_is_understood(three, github_server):
    github_server.fault("form_encoded")
    browser = await three.client()
    assert (await arrive(browser, "github", "ada")).status_code == 303


async def test_an_error_with_status_200_is_an_error(three):
    browser = await three.client()
    started = await browser.get("/auth/github/start")
    back = await consent(started.headers["location"], "ada")
    code = parse_qs(urlsplit(back).query)["code"][0]
    refused = await browser.get(back.replace(code, "0" * 20))
    assert (refused.status_code, refused.json()["code"]) == (400, "identity.sign_in_expired")
    assert "session" not in browser.cookies


async def test_a_wrong_secret_is_told_as_ours(start_three):
    kit = await start_three(github_client_secret="another-secret")
    browser = await kit.client()
    refused = await arrive(browser, "github", "ada")
    assert (refused.status_code, refused.json()["code"]) == (400, "identity.provider_refused")


async def test_who_says_no_is_not_signed_in(three):
    browser = await three.client()
    started = await browser.get("/auth/github/start")
    shown = await browser.get(await consent(started.headers["location"], "__deny__"), headers=HTML)
    assert (shown.status_code, "identity.sign_in_denied" in shown.text) == (403, True)


@pytest.mark.parametrize("mode", ["token_500", "api_500"])
async def test_github_being_away_is_told(three, github_server, mode):
    browser = await three.client()
    started = await browser.get("/auth/github/start")
    back = await consent(started.headers["location"], "ada")
    github_server.fault(mode)
    assert (await browser.get(back)).json()["code"] == "identity.provider_unreachable"


# --- The stand-in itself ---


@pytest.fixture(scope="module")
def github():
    with start_github(redirect_uris=[f"{PUBLIC_URL}/back"]) as server:
        yield server


def code_of(github, **more):
    query = {"client_id": GITHUB_CLIENT_ID, "redirect_uri": f"{PUBLIC_URL}/back", "login": "ada", "state": "s", **more}
    answer = httpx2.get(f"{github.url}/login/oauth/authorize", params=query)
    return parse_qs(urlsplit(answer.headers.get("location", "")).query).get("code", [""])[0]


def redeem(github, **form):
    given = {"client_id": GITHUB_CLIENT_ID, "client_secret": GITHUB_CLIENT_SECRET, **form}
    return httpx2.post(f"{github.url}/login/oauth/access_token", data=given, headers={"accept": "application/json"})


def test_the_stand_in_reports_errors_with_200_and_takes_a_code_once(github):
    code = code_of(github)
    assert redeem(github, code=code).json()["token_type"] == "bearer"
    again = redeem(github, code=code)
    assert (again.status_code, again.json()["error"]) == (200, "bad_verification_code")
    assert redeem(github, code="x", client_secret="y").json()["error"] == "incorrect_client_credentials"
    assert redeem(github, grant_type="refresh_token", refresh_token="x").json()["error"] == "bad_refresh_token"
    other = redeem(github, code=code_of(github), redirect_uri="http://127.0.0.1/other").json()
    assert other["error"] == "redirect_uri_mismatch"


def test_the_stand_in_holds_to_pkce_and_scopes(github):
    code = code_of(github, code_challenge="A" * 43, code_challenge_method="S256")
    assert redeem(github, code=code, code_verifier="B" * 43).json()["error"] == "bad_verification_code"
    token = redeem(github, code=code_of(github, scope="read:user")).json()["access_token"]
    headers = {"authorization": f"Bearer {token}"}
    assert httpx2.get(f"{github.url}/api/v3/user", headers=headers).json()["email"] is None
    assert httpx2.get(f"{github.url}/api/v3/user/emails", headers=headers).status_code == 404
    assert httpx2.get(f"{github.url}/api/v3/user").status_code == 401
    assert httpx2.get(f"{github.url}/api/v3/user", headers={**headers, "user-agent": ""}).status_code == 403


def test_the_stand_in_stays_on_this_machine(github):
    with pytest.raises(ValueError, match="loopback"):
        start_github(redirect_uris=["https://app.example.com/back"])
    assert "no real one" in httpx2.get(github.url).text
    query = {"client_id": GITHUB_CLIENT_ID, "redirect_uri": "http://127.0.0.1/else"}
    assert httpx2.get(f"{github.url}/login/oauth/authorize", params=query).status_code == 400
    assert httpx2.get(f"{github.url}/login/oauth/authorize", params={"client_id": "x"}).status_code == 404
    nobody = {**query, "redirect_uri": f"{PUBLIC_URL}/back"}
    assert "Sign in" in httpx2.get(f"{github.url}/login/oauth/authorize", params=nobody).text
