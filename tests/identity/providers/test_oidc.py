"""The generic provider against an issuer that does everything a bad one could."""

import asyncio
import base64
import gzip
import hashlib
import hmac
import json
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse

from tenantry.identity.errors import (
    ProviderAnswerInvalid,
    ProviderRefused,
    ProviderUnreachable,
    SignInExpired,
    SignInMixedUp,
)
from tenantry.identity.providers.base import Answer, Registration
from tenantry.identity.providers.http import ANSWER_BYTES_MAX
from tenantry.identity.providers.oidc import OpenIDProvider
from tenantry.kernel.clock import FrozenClock

NOW = datetime(2026, 3, 14, 12, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
DISCOVERY, JWKS, TOKEN, USERINFO = "/.well-known/openid-configuration", "/jwks", "/token", "/userinfo"
RSA = RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"})
EC = ECKey.generate_key("P-256", {"kid": "ec"})
ED = OKPKey.generate_key("Ed25519", {"kid": "ed"})
KEYS = {"RS256": RSA, "PS256": RSA, "ES256": EC, "EdDSA": ED, "Ed25519": ED}


def public(*keys: Any) -> dict[str, Any]:
    return {"keys": [key.as_dict(private=False) for key in keys]}


class Issuer:
    """An issuer whose documents and tokens a test may change."""

    def __init__(self, scripted) -> None:
        self.script = scripted
        self.claims: dict[str, Any] = {
            "iss": scripted.url, "aud": "client", "sub": "ada-1", "nonce": "nonce-1", "iat": SECONDS,
            "exp": SECONDS + 300, "email": "ada@example.com", "email_verified": True, "name": "Ada",
        }  # fmt: skip
        self.discovery: dict[str, Any] = {
            "issuer": scripted.url,
            "authorization_endpoint": f"{scripted.url}/authorize",
            "token_endpoint": f"{scripted.url}{TOKEN}",
            "jwks_uri": f"{scripted.url}{JWKS}",
            "userinfo_endpoint": f"{scripted.url}{USERINFO}",
            "id_token_signing_alg_values_supported": ["RS256", "ES256", "EdDSA", "Ed25519", "PS256", "HS256", "none"],
        }
        scripted.answers = {DISCOVERY: self.discovery, JWKS: public(RSA, EC, ED)}
        self.give()

    def token(self, alg: str = "RS256", key: Any = None, **claims: Any) -> str:
        key = key or KEYS[alg]
        said = {name: value for name, value in {**self.claims, **claims}.items() if value is not None}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the library warns of the name "EdDSA"
            return jwt.encode({"alg": alg, "kid": key.kid}, said, key, algorithms=[alg])

    def give(self, token: Any = "", **claims: Any) -> None:
        self.script.answers[TOKEN] = {
            "access_token": "at",
            "token_type": "Bearer",
            "id_token": token or self.token(**claims),
        }


@pytest.fixture
def issuer(scripted):
    return Issuer(scripted)


@pytest.fixture
async def clockwork():
    return {"now": 0.0}


@pytest.fixture
async def provider(issuer, scripted, opened, clockwork):
    registration = Registration("oidc", "SSO", "client", "s3cret")
    return await opened(
        OpenIDProvider(scripted.url, registration, FrozenClock(NOW), monotonic=lambda: clockwork["now"])
    )


async def test_the_browser_is_sent_with_state_nonce_and_challenge(provider, scripted, pending):
    url = urlsplit(await provider.authorization_url(pending))
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    assert f"{url.scheme}://{url.netloc}{url.path}" == f"{scripted.url}/authorize"
    challenge = base64.urlsafe_b64encode(hashlib.sha256(pending.verifier.encode()).digest()).rstrip(b"=").decode()
    assert query == {
        "response_type": "code",
        "client_id": "client",
        "redirect_uri": pending.redirect_uri,
        "scope": "openid profile email",
        "state": "state-1",
        "nonce": "nonce-1",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }


async def test_who_signed_in(provider, scripted, pending):
    found = await provider.profile(pending, Answer("code-1"))
    assert (found.issuer, found.subject, found.email, found.email_verified, found.name) == (
        scripted.url, "ada-1", "ada@example.com", True, "Ada",
    )  # fmt: skip
    _, form, headers = next(one for one in scripted.asked if one[0] == TOKEN)
    assert form == {
        "grant_type": "authorization_code",
        "code": "code-1",
        "code_verifier": pending.verifier,
        "redirect_uri": pending.redirect_uri,
    }
    assert headers["authorization"] == "Basic " + base64.b64encode(b"client:s3cret").decode()


async def test_credentials_go_into_the_body_where_that_is_known(provider, issuer, scripted, pending):
    issuer.discovery["token_endpoint_auth_methods_supported"] = ["client_secret_basic", "client_secret_post"]
    await provider.profile(pending, Answer("code-1"))
    _, form, headers = next(one for one in scripted.asked if one[0] == TOKEN)
    assert (form["client_id"], form["client_secret"]) == ("client", "s3cret")
    assert "authorization" not in headers


@pytest.mark.parametrize("alg", KEYS)
async def test_every_allowed_signature(provider, issuer, pending, alg):
    issuer.give(alg=alg)
    assert (await provider.profile(pending, Answer("code"))).subject == "ada-1"


def at_hash(token: str, algorithm: str = "sha256") -> str:
    digest = hashlib.new(algorithm, token.encode()).digest()
    return base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": ["client"]},
        {"aud": ["client", "other"], "azp": "client"},
        {"azp": "client"},
        {"iat": SECONDS + 60},
        {"exp": SECONDS - 59, "iat": SECONDS - 300},
        {"at_hash": at_hash("at")},
        {"alg": "EdDSA", "at_hash": at_hash("at", "sha512")},
        {"nbf": SECONDS},
        {"amr": ["pwd"], "hd": "example.com"},
    ],
    ids=str,
)
async def test_a_token_in_order(provider, issuer, pending, claims):
    issuer.give(**claims)
    assert (await provider.profile(pending, Answer("code"))).subject == "ada-1"


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"iss": None},
        {"iss": ["x"]},
        {"aud": "other"},
        {"aud": None},
        {"aud": ["other", "client"]},
        {"aud": ["client", "other"], "azp": "other"},
        {"azp": "other"},
        {"azp": ["client"]},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": "x" * 256},
        {"nonce": None},
        {"nonce": "other"},
        {"nonce": ["nonce-1"]},
        {"nonce": ""},
        {"exp": None},
        {"exp": SECONDS - 60},
        {"exp": "tomorrow"},
        {"exp": True},
        {"iat": None},
        {"iat": SECONDS + 61},
        {"nbf": SECONDS + 61},
        {"at_hash": at_hash("another")},
        {"at_hash": 7},
    ],
    ids=str,
)
async def test_a_token_that_is_not_for_us_or_not_now(provider, issuer, pending, claims):
    issuer.give(**claims)
    with pytest.raises(ProviderAnswerInvalid):
        await provider.profile(pending, Answer("code"))


def part(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def signed(payload: bytes, header: dict[str, Any], sign: Callable[[bytes], bytes]) -> str:
    """A token whatever is in it, which the library would refuse to make."""
    body = f"{part(json.dumps(header).encode())}.{part(payload)}"
    return f"{body}.{part(sign(body.encode()))}"


def rs256(payload: bytes, **header: Any) -> str:
    def sign(body: bytes) -> bytes:
        return RSA.private_key.sign(body, PKCS1v15(), SHA256())

    return signed(payload, {"alg": "RS256", "kid": "rsa", **header}, sign)


def unsigned(claims: dict[str, Any], alg: str = "none") -> str:
    return signed(json.dumps(claims).encode(), {"alg": alg, "kid": "rsa"}, lambda _body: b"")


def confused(issuer: Issuer) -> str:
    """Signed with HS256, the public key as the shared secret."""
    secret = RSA.as_pem(private=False)
    payload = json.dumps(issuer.claims).encode()
    return signed(payload, {"alg": "HS256", "kid": "rsa"}, lambda body: hmac.digest(secret, body, "sha256"))


FORGED = {
    "unsigned": lambda issuer: unsigned(issuer.claims),
    "unsigned in capitals": lambda issuer: unsigned(issuer.claims, "NONE"),
    "another key, same id": lambda issuer: issuer.token(key=RSAKey.generate_key(2048, {"kid": "rsa"})),
    "symmetric with the public key": confused,
    "an elliptic key for RSA": lambda issuer: issuer.token("ES256", key=ECKey.generate_key("P-256", {"kid": "rsa"})),
    "signature cut off": lambda issuer: issuer.token().rpartition(".")[0] + ".",
    "signature changed": lambda issuer: issuer.token()[:-4] + "AAAA",
    "a header we must understand": lambda issuer: rs256(json.dumps(issuer.claims).encode(), crit=["exp"], exp=1),
    "two parts": lambda _issuer: "a.b",
    "not a token": lambda _issuer: "nonsense",
    "five parts": lambda _issuer: "a.b.c.d.e",
    "claims are a list": lambda _issuer: rs256(b"[]"),
    "claims are no JSON": lambda _issuer: rs256(b"{"),
    "claims are no text": lambda _issuer: rs256(b"\xff"),
    "a number": lambda _issuer: 7,
    "a list": lambda _issuer: ["x"],
}


@pytest.mark.parametrize("forgery", FORGED)
async def test_a_forged_token(provider, issuer, pending, forgery):
    issuer.give(FORGED[forgery](issuer))
    with pytest.raises(ProviderAnswerInvalid):
        await provider.profile(pending, Answer("code"))


async def test_no_token_at_all(provider, scripted, pending):
    scripted.answers[TOKEN] = {"access_token": "at", "token_type": "Bearer"}
    with pytest.raises(ProviderAnswerInvalid):
        await provider.profile(pending, Answer("code"))


async def test_an_algorithm_the_issuer_does_not_use_is_refused(provider, issuer, pending):
    issuer.discovery["id_token_signing_alg_values_supported"] = ["RS256"]
    issuer.give(alg="ES256")
    with pytest.raises(ProviderAnswerInvalid):
        await provider.profile(pending, Answer("code"))


async def test_a_key_that_is_too_short_or_not_for_signing_does_not_count(provider, issuer, scripted, pending):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library warns of short keys
        short = RSAKey.generate_key(1024, {"kid": "short"})
    for_secrets = RSAKey.generate_key(2048, {"kid": "enc"})
    marked = {**for_secrets.as_dict(private=False), "use": "enc"}
    scripted.answers[JWKS] = {"keys": [*public(RSA, short)["keys"], marked]}
    for key in (short, for_secrets):
        issuer.give(key=key)
        with pytest.raises(ProviderAnswerInvalid):
            await provider.profile(pending, Answer("code"))


async def test_a_new_key_is_fetched_at_most_once_a_minute(provider, issuer, scripted, pending, clockwork):
    await provider.profile(pending, Answer("code"))
    new = RSAKey.generate_key(2048, {"kid": "new"})
    issuer.give(key=new)
    scripted.answers[JWKS] = public(RSA, new)
    for _ in range(3):  # the key set was read this very moment: unknown ids do not make us ask again
        with pytest.raises(ProviderAnswerInvalid):
            await provider.profile(pending, Answer("code"))
    assert scripted.paths().count(JWKS) == 1
    clockwork["now"] = 60.0
    assert (await provider.profile(pending, Answer("code"))).subject == "ada-1"
    assert scripted.paths().count(JWKS) == 2


async def test_keys_we_do_not_understand_are_passed_over(provider, scripted, pending):
    strange = [{"kty": "AKP", "kid": "pq"}, {"kty": "RSA", "kid": "torn"}, {"kty": "oct", "k": "AA"}, 7, None]
    scripted.answers[JWKS] = {"keys": [*strange, *public(RSA)["keys"]]}
    assert (await provider.profile(pending, Answer("code"))).subject == "ada-1"


@pytest.mark.parametrize("document", [{}, {"keys": []}, {"keys": {}}, [], 7, {"keys": [{"kty": "oct", "k": "AA"}]}])
async def test_a_key_set_without_keys(provider, scripted, pending, document):
    scripted.answers[JWKS] = JSONResponse(document)
    with pytest.raises(ProviderAnswerInvalid):
        await provider.profile(pending, Answer("code"))


# --- Discovery ---


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": "https://evil.example"},
        {"issuer": None},
        {"token_endpoint": None},
        {"jwks_uri": 7},
        {"token_endpoint": "ftp://issuer.example/token"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"userinfo_endpoint": "file:///etc/passwd"},
        {"id_token_signing_alg_values_supported": "RS256"},
        {"jwks_uri": "https://["},
        {"token_endpoint": "https://\u2100.example/token"},
        {"authorization_response_iss_parameter_supported": "\ud800"},
    ],
    ids=ascii,
)
async def test_a_discovery_document_that_cannot_be_trusted(provider, issuer, pending, change):
    issuer.discovery.update(change)
    with pytest.raises(ProviderAnswerInvalid):
        await provider.authorization_url(pending)


async def test_an_issuer_may_end_with_a_slash(provider, issuer, scripted, pending):
    issuer.discovery["issuer"] = scripted.url + "/"
    issuer.give(iss=scripted.url + "/")
    assert (await provider.profile(pending, Answer("code"))).issuer == scripted.url + "/"


async def test_discovery_is_shared_and_kept(provider, scripted, pending):
    await asyncio.gather(*(provider.authorization_url(pending) for _ in range(10)))
    await provider.authorization_url(pending)
    assert scripted.paths() == [DISCOVERY]


async def test_an_issuer_that_is_not_there(opened, pending):
    registration = Registration("oidc", "SSO", "client", "s3cret")
    gone = await opened(OpenIDProvider("http://127.0.0.1:9", registration, FrozenClock(NOW)))
    with pytest.raises(ProviderUnreachable):
        await gone.authorization_url(pending)


# --- RFC 9207 ---


@pytest.mark.parametrize(("promised", "sent", "fine"), [
    (False, None, True), (False, "own", True), (False, "other", False),
    (True, None, False), (True, "own", True), (True, "other", False), (True, "", False),
])  # fmt: skip
async def test_the_issuer_of_the_answer(provider, issuer, scripted, pending, promised, sent, fine):
    issuer.discovery["authorization_response_iss_parameter_supported"] = promised
    answer = Answer("code", {"own": scripted.url, "other": "https://evil.example"}.get(sent, sent))
    if fine:
        assert (await provider.profile(pending, answer)).subject == "ada-1"
        return
    with pytest.raises(SignInMixedUp):
        await provider.profile(pending, answer)
    assert TOKEN not in scripted.paths()  # the code was not handed to anybody


# --- Userinfo ---


async def test_userinfo_is_asked_only_when_the_token_tells_no_address(provider, issuer, scripted, pending):
    await provider.profile(pending, Answer("code"))
    assert USERINFO not in scripted.paths()
    issuer.give(email=None, email_verified=None)
    scripted.answers[USERINFO] = {"sub": "ada-1", "email": "info@example.com", "email_verified": True, "iss": "evil"}
    found = await provider.profile(pending, Answer("code"))
    assert (found.email, found.email_verified, found.issuer) == ("info@example.com", True, scripted.url)
    assert scripted.asked[-1][2]["authorization"] == "Bearer at"


@pytest.mark.parametrize("verified", [False, None, "no"])
async def test_class_02_an_address_is_proven_by_who_tells_it_not_by_the_token_beside_it(
    provider, issuer, scripted, pending, verified
):
    issuer.give(email=None, email_verified=True)
    scripted.answers[USERINFO] = {"sub": "ada-1", "email": "grace@example.com", "email_verified": verified}
    found = await provider.profile(pending, Answer("code"))
    assert (found.email, found.email_verified) == ("grace@example.com", False)


@pytest.mark.parametrize("told", [{"sub": "eve-1", "email": "eve@example.com", "email_verified": True}, {}, [], 7])
async def test_userinfo_about_somebody_else(provider, issuer, scripted, pending, told):
    issuer.give(email=None)
    scripted.answers[USERINFO] = JSONResponse(told)
    with pytest.raises(ProviderAnswerInvalid):
        await provider.profile(pending, Answer("code"))


# --- The token endpoint ---


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (JSONResponse({"error": "invalid_grant"}, 400), SignInExpired),
        (JSONResponse({"error": "invalid_grant"}, 200), SignInExpired),
        (JSONResponse({"error": "invalid_client"}, 401), ProviderRefused),
        (JSONResponse({"error": {"nested": []}}, 400), ProviderRefused),
        (JSONResponse({"error": None}, 400), ProviderRefused),
        (JSONResponse({}, 500), ProviderUnreachable),
        (JSONResponse({}, 200), ProviderAnswerInvalid),
        (JSONResponse([], 200), ProviderAnswerInvalid),
        (JSONResponse({"access_token": ["x"], "id_token": "x"}), ProviderAnswerInvalid),
        (JSONResponse({"access_token": "x", "expires_in": "soon"}), ProviderAnswerInvalid),
        (JSONResponse({"access_token": "x", "expires_in": [1]}), ProviderAnswerInvalid),
        (Response('{"access_token": "x", "expires_in": 1e999}', media_type="application/json"), ProviderAnswerInvalid),
        (Response('{"access_token": "x", "expires_at": -1e999}', media_type="application/json"), ProviderAnswerInvalid),
        (Response("access_token=x", media_type="application/x-www-form-urlencoded;charset=hex"), ProviderAnswerInvalid),
        (Response("Forbidden", 403), ProviderAnswerInvalid),
        (Response(b"\xff\xfe", media_type="application/json"), ProviderAnswerInvalid),
        (RedirectResponse("https://evil.example/token", 307), ProviderAnswerInvalid),
        (Response(b" " * (ANSWER_BYTES_MAX + 1), media_type="application/json"), ProviderAnswerInvalid),
        (
            Response(
                gzip.compress(b" " * 10_000_000), media_type="application/json", headers={"content-encoding": "gzip"}
            ),
            ProviderAnswerInvalid,
        ),
    ],
)
async def test_a_token_endpoint_that_fails(provider, scripted, pending, answer, problem):
    scripted.answers[TOKEN] = answer
    with pytest.raises(problem) as caught:
        await provider.profile(pending, Answer("secret-code"))
    assert "secret-code" not in str(caught.value.internal)


async def test_a_host_that_drips_is_given_up(provider, scripted, pending):
    async def drip(_request):
        async def pieces():
            for _ in range(100):
                yield b" "
                await asyncio.sleep(0.2)

        return StreamingResponse(pieces(), media_type="application/json")

    scripted.answers[TOKEN] = drip
    with pytest.raises(ProviderUnreachable):
        await provider.profile(pending, Answer("code"))


async def test_no_token_stays_in_the_client(provider, pending):
    await provider.profile(pending, Answer("code"))
    assert provider._http._client.token is None


def test_a_secret_does_not_show():
    assert "s3cret" not in repr(Registration("oidc", "SSO", "client", "s3cret"))
