"""The stand-in identity provider is a real one to its client: the OpenID Connect code flow, by hand."""

import base64
import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import pytest
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from tenantry.kernel.clock import FrozenClock
from tenantry.testing.standins import (
    DEMO_CLIENT_ID,
    DEMO_CLIENT_SECRET,
    PEOPLE,
    StandIn,
    start_identity,
)

CALLBACK = "http://127.0.0.1:8000/auth/oidc/callback"
# RFC 7636, appendix B.
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
CLOCK = FrozenClock(datetime(2026, 3, 1, 12, tzinfo=UTC))


@pytest.fixture(scope="module")
def running() -> Iterator[StandIn]:
    with start_identity(redirect_uris=[CALLBACK, f"{CALLBACK}?tenant=1"], now=CLOCK.now) as started:
        yield started


@pytest.fixture
def op(running: StandIn) -> StandIn:
    running.clear()
    return running


@pytest.fixture
def http(op: StandIn) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=op.url) as client:
        yield client


def authorize(http: httpx2.Client, **changes: str | None) -> httpx2.Response:
    """An authorization request; a change to None leaves the parameter out."""
    asked: dict[str, str | None] = {
        "client_id": DEMO_CLIENT_ID,
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "scope": "openid profile email",
        "state": "a state & more",
        "nonce": "a nonce",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        "login_hint": "ada",
    }
    asked |= changes
    return http.get("/authorize", params={name: value for name, value in asked.items() if value is not None})


def callback(answer: httpx2.Response) -> dict[str, str]:
    """The parameters of the redirect back to the client."""
    assert answer.status_code == 303, answer.text
    location = urlsplit(answer.headers["location"])
    assert f"{location.scheme}://{location.netloc}{location.path}" == CALLBACK
    return {name: values[0] for name, values in parse_qs(location.query, strict_parsing=True).items()}


def redeem(http: httpx2.Client, code: str, **changes: str) -> httpx2.Response:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
        "client_id": DEMO_CLIENT_ID,
        "client_secret": DEMO_CLIENT_SECRET,
    }
    return http.post("/token", data=form | changes)


def id_claims(http: httpx2.Client, tokens: dict[str, Any], nonce: str = "a nonce") -> dict[str, Any]:
    """Verify an id_token as a client must. Raises JoseError or ValueError."""
    keys = KeySet.import_key_set(http.get("/jwks").json())
    token = jwt.decode(tokens["id_token"], keys, algorithms=["RS256"])
    digest = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]
    rules = jwt.JWTClaimsRegistry(
        now=int(CLOCK.now().timestamp()),
        iss={"essential": True, "value": str(http.base_url).rstrip("/")},
        aud={"essential": True, "value": DEMO_CLIENT_ID},
        nonce={"essential": True, "value": nonce},
        at_hash={"essential": True, "value": base64.urlsafe_b64encode(digest).rstrip(b"=").decode()},
        exp={"essential": True},
        iat={"essential": True},
        auth_time={"essential": True},
    )
    rules.validate(token.claims)
    return dict(token.claims)


def test_the_code_flow_with_pkce_gives_a_verified_person(op: StandIn, http: httpx2.Client) -> None:
    answer = callback(authorize(http))
    assert (answer["state"], answer["iss"]) == ("a state & more", op.url)
    response = redeem(http, answer["code"])
    assert response.headers["cache-control"] == "no-store"
    tokens = response.json()
    claims = id_claims(http, tokens)
    assert claims["sub"] == "demo-ada"
    userinfo = http.get("/userinfo", headers={"authorization": f"Bearer {tokens['access_token']}"}).json()
    assert userinfo == {
        "sub": "demo-ada",
        "name": "Ada Lovelace",
        "given_name": "Ada",
        "family_name": "Lovelace",
        "email": "ada@example.com",
        "email_verified": True,
    }


def test_discovery_names_what_there_is(op: StandIn, http: httpx2.Client) -> None:
    document = http.get("/.well-known/openid-configuration").json()
    assert document["issuer"] == op.url
    assert document["authorization_endpoint"] == f"{op.url}/authorize"
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert document["authorization_response_iss_parameter_supported"] is True
    key = http.get(document["jwks_uri"]).json()["keys"][0]
    assert (key["kty"], key["alg"], key["use"]) == ("RSA", "RS256", "sig")
    assert "d" not in key


def test_the_page_lists_people_and_each_link_signs_in(http: httpx2.Client) -> None:
    page = authorize(http, login_hint=None, state='"><script>')
    assert page.status_code == 200
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "Not for production." in page.text
    assert "<script" not in page.text
    assert all(person.name in page.text for person in PEOPLE)
    links = [part.split('"')[0].replace("&amp;", "&") for part in page.text.split('href="')[1:]]
    grace = next(link for link in links if link.endswith("login_hint=grace"))
    answer = callback(http.get(grace))
    assert answer["state"] == '"><script>'
    assert id_claims(http, redeem(http, answer["code"]).json())["sub"] == "demo-grace"
    deny = next(link for link in links if "standin_deny" in link)
    assert callback(http.get(deny))["error"] == "access_denied"
    assert http.get("/identity.css").headers["content-type"].startswith("text/css")


def test_a_form_post_asks_as_well_as_a_query(http: httpx2.Client) -> None:
    query = urlsplit(str(authorize(http).request.url)).query
    answer = http.post("/authorize", content=query, headers={"content-type": "application/x-www-form-urlencoded"})
    assert "code" in callback(answer)


def test_a_registered_redirect_with_a_query_keeps_it(http: httpx2.Client) -> None:
    answer = callback(authorize(http, redirect_uri=f"{CALLBACK}?tenant=1"))
    assert (answer["tenant"], "code" in answer) == ("1", True)


def test_basic_authentication_of_the_client(http: httpx2.Client) -> None:
    form = {"grant_type": "authorization_code", "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
    form["code"] = callback(authorize(http))["code"]
    assert http.post("/token", data=form, auth=(DEMO_CLIENT_ID, "wrong")).status_code == 401
    assert http.post("/token", data=form, auth=(DEMO_CLIENT_ID, DEMO_CLIENT_SECRET)).status_code == 200


def test_400_a_code_that_comes_back_and_its_token_ends(http: httpx2.Client) -> None:
    code = callback(authorize(http))["code"]
    bearer = {"authorization": f"Bearer {redeem(http, code).json()['access_token']}"}
    assert http.get("/userinfo", headers=bearer).status_code == 200
    again = redeem(http, code)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert http.get("/userinfo", headers=bearer).status_code == 401


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"code_verifier": "x" * 43}, 400, "invalid_grant"),
        ({"code_verifier": ""}, 400, "invalid_grant"),
        ({"redirect_uri": f"{CALLBACK}/"}, 400, "invalid_grant"),
        ({"redirect_uri": f"{CALLBACK}?tenant=1"}, 400, "invalid_grant"),
        ({"code": "guessed"}, 400, "invalid_grant"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "another"}, 401, "invalid_client"),
    ],
)
def test_the_token_endpoint_refuses(http: httpx2.Client, changes: dict[str, str], status: int, error: str) -> None:
    code = callback(authorize(http))["code"]
    answer = redeem(http, **({"code": code} | changes))
    assert (answer.status_code, answer.json()["error"]) == (status, error)


def test_400_a_code_older_than_a_minute(http: httpx2.Client) -> None:
    young, old = callback(authorize(http))["code"], callback(authorize(http))["code"]
    CLOCK.move(seconds=59)
    assert redeem(http, young).status_code == 200
    CLOCK.move(seconds=1)
    assert redeem(http, old).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    "changes",
    [
        {"redirect_uri": "http://127.0.0.1:8000/auth/oidc/callback/"},
        {"redirect_uri": "http://127.0.0.1:8001/auth/oidc/callback"},
        {"redirect_uri": "https://evil.example/callback"},
        {"redirect_uri": None},
        {"client_id": "another"},
        {"client_id": None},
    ],
)
def test_400_a_wrong_client_or_redirect_stays_here(http: httpx2.Client, changes: dict[str, str | None]) -> None:
    answer = authorize(http, **changes)
    assert answer.status_code == 400
    assert "location" not in answer.headers


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
        ({"code_challenge": VERIFIER, "code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"scope": "profile"}, "invalid_scope"),
        ({"request": "eyJ"}, "request_not_supported"),
        ({"prompt": "none", "login_hint": "nobody"}, "login_required"),
    ],
)
def test_the_authorization_endpoint_refuses_at_the_redirect(
    op: StandIn, http: httpx2.Client, changes: dict[str, str | None], error: str
) -> None:
    answer = callback(authorize(http, **changes))
    assert (answer["error"], answer["state"], answer["iss"]) == (error, "a state & more", op.url)
    assert "code" not in answer


def test_a_parameter_sent_twice_is_refused(http: httpx2.Client) -> None:
    url = f"{authorize(http).request.url}&{urlencode({'state': 'another'})}"
    assert callback(http.get(url))["error"] == "invalid_request"


def test_401_userinfo_without_a_token(http: httpx2.Client) -> None:
    for headers in ({}, {"authorization": "Bearer guessed"}, {"authorization": "Basic Og=="}):
        assert http.get("/userinfo", headers=headers).status_code == 401


@pytest.mark.parametrize(
    "mode",
    ["wrong_nonce", "missing_nonce", "wrong_aud", "wrong_iss", "wrong_at_hash", "wrong_key", "expired", "alg_none"],
)
def test_a_spoilt_id_token_does_not_pass_and_the_next_one_does(op: StandIn, http: httpx2.Client, mode: str) -> None:
    op.fault(mode)
    with pytest.raises((JoseError, ValueError)):
        id_claims(http, redeem(http, callback(authorize(http))["code"]).json())
    id_claims(http, redeem(http, callback(authorize(http))["code"]).json())


def test_faults_of_the_callback(op: StandIn, http: httpx2.Client) -> None:
    op.fault("mix_up_iss")
    assert callback(authorize(http))["iss"] not in ("", op.url)
    op.fault("missing_iss")
    assert "iss" not in callback(authorize(http))
    op.fault("wrong_state")
    assert callback(authorize(http))["state"] == "another-state"


def test_faults_of_the_claims(op: StandIn, http: httpx2.Client) -> None:
    op.fault("missing_email")
    assert "email" not in id_claims(http, redeem(http, callback(authorize(http))["code"]).json())
    op.fault("email_unverified")
    assert id_claims(http, redeem(http, callback(authorize(http))["code"]).json())["email_verified"] is False
    answer = callback(authorize(http, login_hint="mallory@example.com"))
    tokens = redeem(http, answer["code"]).json()
    assert id_claims(http, tokens)["email_verified"] is False
    op.fault("wrong_userinfo_sub")
    userinfo = http.get("/userinfo", headers={"authorization": f"Bearer {tokens['access_token']}"})
    assert userinfo.json()["sub"] != "demo-mallory"


def test_faults_of_the_token_endpoint(op: StandIn, http: httpx2.Client) -> None:
    code = callback(authorize(http))["code"]
    op.fault("token_500")
    assert redeem(http, code).status_code == 500
    op.fault("token_200_error")
    answer = redeem(http, code)
    assert (answer.status_code, answer.json()["error"]) == (200, "invalid_grant")
    op.fault("slow", seconds=0.01)
    assert redeem(http, code).status_code == 200
    with pytest.raises(ValueError, match="mode is one of"):
        op.fault("no such mode")
