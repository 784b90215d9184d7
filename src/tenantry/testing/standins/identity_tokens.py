"""Codes, access tokens and id_tokens of the stand-in identity provider."""

import base64
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec
from joserfc import jwt
from joserfc.jwk import RSAKey

from .identity_requests import Authorization, TokenRefused

CODE_SECONDS = 60
TOKEN_SECONDS = 3600
ID_TOKEN_SECONDS = 300

ID_TOKEN_FAULTS = frozenset(
    {"wrong_nonce", "missing_nonce", "wrong_aud", "wrong_iss", "expired", "alg_none", "wrong_key", "wrong_at_hash"}
)
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")

Claims = dict[str, str | bool]


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """What a person agreed to: redeemable once, within CODE_SECONDS."""

    asked: Authorization
    claims: Claims
    granted_at: int


class Grants:
    """Codes and the access tokens made of them, in memory. A code that comes back revokes its token."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._codes: dict[str, Grant] = {}
        self._redeemed: dict[str, str] = {}
        self._tokens: dict[str, Grant] = {}

    def issue(self, asked: Authorization, claims: Claims) -> str:
        """A new code."""
        code = secrets.token_urlsafe(24)
        self._codes[code] = Grant(asked=asked, claims=claims, granted_at=self._seconds())
        return code

    def redeem(self, code: str, *, redirect_uri: str, verifier: str) -> tuple[Grant, str]:
        """The grant and a new access token. Raises TokenRefused; a code is used up by its first attempt."""
        grant = self._codes.pop(code, None)
        if grant is None:
            self._tokens.pop(self._redeemed.pop(code, ""), None)
            raise TokenRefused("invalid_grant", "The code is unknown or was used.")
        if self._seconds() - grant.granted_at >= CODE_SECONDS:
            raise TokenRefused("invalid_grant", "The code has expired.")
        if redirect_uri != grant.asked.redirect_uri:
            raise TokenRefused("invalid_grant", "The redirect URI is not the one of the authorization request.")
        if not _VERIFIER.fullmatch(verifier) or not hmac.compare_digest(_digest(verifier), grant.asked.challenge):
            raise TokenRefused("invalid_grant", "The code verifier does not match the challenge.")
        token = self.access(grant)
        self._redeemed[code] = token
        return grant, token

    def access(self, grant: Grant) -> str:
        """A new access token."""
        token = secrets.token_urlsafe(24)
        self._tokens[token] = msgspec.structs.replace(grant, granted_at=self._seconds())
        return token

    def revoke(self, grant: Grant) -> None:
        """End every token of what a person agreed to once."""
        self._tokens = {token: one for token, one in self._tokens.items() if one.asked is not grant.asked}

    def forget(self, token: str) -> None:
        """End one access token."""
        self._tokens.pop(token, None)

    def claims_of(self, token: str) -> Claims | None:
        """What the bearer of an access token may read; None when it is unknown, revoked or expired."""
        grant = self._tokens.get(token)
        if grant is None or self._seconds() - grant.granted_at >= TOKEN_SECONDS:
            return None
        return grant.claims

    def _seconds(self) -> int:
        return int(self._now().timestamp())


class RefreshTokens:
    """Refresh tokens, in memory. Each works once and brings the next; one that comes twice ends them all (RFC 9700)."""

    def __init__(self) -> None:
        self._live: dict[str, Grant] = {}
        self._used: dict[str, Grant] = {}

    def issue(self, grant: Grant) -> str:
        """The first or next token of a grant."""
        token = secrets.token_urlsafe(24)
        self._live[token] = grant
        return token

    def use(self, token: str) -> Grant:
        """What a token stands for; it is used up. Raises TokenRefused."""
        grant = self._live.pop(token, None)
        if grant is not None:
            self._used[token] = grant
            return grant
        if stolen := self._used.get(token):
            self.revoke(stolen)
        raise TokenRefused("invalid_grant", "The refresh token is unknown, or was used.")

    def grant_of(self, token: str) -> Grant | None:
        """What a token stands for, left unused."""
        return self._live.get(token)

    def revoke(self, grant: Grant) -> None:
        """End every token of a grant."""
        self._live = {token: one for token, one in self._live.items() if one is not grant}

    def revoke_all(self) -> None:
        """As when a person takes back what they agreed to."""
        self._live.clear()


class Signer:
    """Signs id_tokens with an RSA key made at start (RS256)."""

    def __init__(self, issuer: str, client_id: str, now: Callable[[], datetime]) -> None:
        self._issuer = issuer
        self._client_id = client_id
        self._now = now
        self._key = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, auto_kid=True)

    def key_set(self) -> dict[str, list[Any]]:
        """The public key as a JSON Web Key Set."""
        return {"keys": [self._key.as_dict(private=False)]}

    def id_token(self, grant: Grant, access_token: str, fault: str = "") -> str:
        """A signed id_token; `fault` is one of ID_TOKEN_FAULTS."""
        issued_at = int(self._now().timestamp())
        claims: dict[str, Any] = grant.claims | {
            "iss": self._issuer,
            "aud": self._client_id,
            "iat": issued_at,
            "exp": issued_at + ID_TOKEN_SECONDS,
            "auth_time": grant.granted_at,
            "at_hash": _digest(access_token, half=True),
        }
        if grant.asked.nonce is not None:
            claims["nonce"] = grant.asked.nonce
        return self._signed(_spoilt(claims, fault), fault)

    def _signed(self, claims: dict[str, Any], fault: str) -> str:
        if fault == "alg_none":
            return f"{_encoded(json.dumps({'alg': 'none'}).encode())}.{_encoded(json.dumps(claims).encode())}."
        # Another key under the same id: the signature is the only thing that is wrong.
        key = RSAKey.generate_key(2048) if fault == "wrong_key" else self._key
        return jwt.encode({"alg": "RS256", "kid": self._key.kid}, claims, key, algorithms=["RS256"])


def _spoilt(claims: dict[str, Any], fault: str) -> dict[str, Any]:
    match fault:
        case "wrong_nonce":
            return claims | {"nonce": "another-nonce"}
        case "missing_nonce":
            return {name: value for name, value in claims.items() if name != "nonce"}
        case "wrong_aud":
            return claims | {"aud": "another-client"}
        case "wrong_iss":
            return claims | {"iss": "https://another-issuer.example"}
        case "wrong_at_hash":
            return claims | {"at_hash": _digest("another token", half=True)}
        case "expired":
            return claims | {"iat": claims["iat"] - 7200, "exp": claims["exp"] - 7200}
        case _:
            return claims


def _digest(text: str, *, half: bool = False) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return _encoded(digest[:16] if half else digest)


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
