"""Verifying an id_token: OpenID Connect Core 1.0, 3.1.3.7."""

import base64
import hashlib
import warnings
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError, SecurityWarning
from joserfc.jwk import ECKey, JWKRegistry, Key, KeySet, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from tenantry.kernel.crypto import same

from ..errors import ProviderAnswerInvalid
from .remembered import Remembered

LEEWAY_SECONDS = 60
KEYS_SECONDS = 3600.0
KEYS_SECONDS_BETWEEN = 60.0
RSA_BITS_MIN = 2048
KEYS_MAX = 64

# Public-key signatures only: with a symmetric one in the list, a public key could be taken for a shared secret.
HASH_OF = {
    "RS256": "sha256", "RS384": "sha384", "RS512": "sha512",
    "PS256": "sha256", "PS384": "sha384", "PS512": "sha512",
    "ES256": "sha256", "ES384": "sha384", "ES512": "sha512",
    "Ed25519": "sha512", "EdDSA": "sha512",
}  # fmt: skip


class Expected(msgspec.Struct, frozen=True):
    """What the token must say. `algorithms` are those of `HASH_OF` that the provider says it uses."""

    issuer: str
    client_id: str
    nonce: str
    algorithms: tuple[str, ...]
    access_token: str


class SigningKeys:
    """A provider's public keys, kept for an hour. An unknown key id fetches them anew, at most once a minute."""

    def __init__(self, fetch: Callable[[], Awaitable[Any]], monotonic: Callable[[], float]) -> None:
        async def key_set() -> KeySet:
            return _key_set(await fetch())

        self._keys = Remembered(key_set, monotonic, seconds=KEYS_SECONDS)

    async def verified(self, token: str, algorithms: Iterable[str]) -> jwt.Token:
        """The token if one of the keys signed it, else JoseError."""
        allowed = list(algorithms)
        try:
            return _decoded(token, await self._keys.get(), allowed)
        except InvalidKeyIdError:
            return _decoded(token, await self._keys.again(seconds_between=KEYS_SECONDS_BETWEEN), allowed)


async def verified_claims(token: object, *, keys: SigningKeys, expected: Expected, now: int) -> dict[str, Any]:
    """The claims of an id_token that is signed, meant for us, fresh and an answer to our question.

    Everything else raises ProviderAnswerInvalid; its `internal` says why and holds nothing of the token.
    """
    if not isinstance(token, str):
        raise ProviderAnswerInvalid(internal="there is no id_token")
    try:
        found = await keys.verified(token, expected.algorithms)
        _check_registered(found.claims, expected, now)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise ProviderAnswerInvalid(internal=f"id_token: {type(error).__name__}: {error}"[:300]) from error
    _check_own(found, expected)
    return found.claims


@contextmanager
def _unwarned() -> Iterator[None]:
    """The library warns of short keys, which are refused here, and of "EdDSA", the old name of Ed25519 (RFC 9864)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)
        yield


def _decoded(token: str, keys: KeySet, allowed: list[str]) -> jwt.Token:
    # Unknown header parameters are to be ignored (RFC 7515, 4.2); `crit` is still obeyed.
    registry = JWSRegistry(algorithms=allowed, strict_check_header=False)
    with _unwarned():
        return jwt.decode(token, keys, algorithms=allowed, registry=registry)


def _check_registered(claims: dict[str, Any], expected: Expected, now: int) -> None:
    jwt.JWTClaimsRegistry(
        now=now,
        leeway=LEEWAY_SECONDS,
        iss={"essential": True, "value": expected.issuer},
        sub={"essential": True},
        aud={"essential": True, "value": expected.client_id},
        exp={"essential": True},
        iat={"essential": True},
        nonce={"essential": True},
    ).validate(claims)


def _check_own(token: jwt.Token, expected: Expected) -> None:
    claims = token.claims
    nonce, audience, party = claims["nonce"], claims["aud"], claims.get("azp")
    if not isinstance(nonce, str) or not same(nonce, expected.nonce):
        raise ProviderAnswerInvalid(internal="id_token: the nonce is not ours")
    if isinstance(audience, list) and len(audience) > 1 and party is None:
        raise ProviderAnswerInvalid(internal="id_token: several audiences and no azp")
    if party is not None and party != expected.client_id:
        raise ProviderAnswerInvalid(internal="id_token: it was issued to another client")
    if (digest := claims.get("at_hash")) is not None:
        wanted = _half_hash(expected.access_token, HASH_OF[token.header["alg"]])
        if not isinstance(digest, str) or not same(digest.rstrip("="), wanted):
            raise ProviderAnswerInvalid(internal="id_token: at_hash is not that of the access token")


def _half_hash(text: str, algorithm: str) -> str:
    digest = hashlib.new(algorithm, text.encode()).digest()
    return base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()


def _key_set(document: Any) -> KeySet:
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise ProviderAnswerInvalid(internal="the key set has no list of keys")
    keys = [key for data in listed[:KEYS_MAX] if (key := _key(data)) is not None]
    if not keys:
        raise ProviderAnswerInvalid(internal="the key set has no key that can be used")
    return KeySet(keys)


def _key(data: Any) -> Key | None:
    """One public signing key; None for what is not one, is too weak, or is not understood (RFC 7517, 5)."""
    if not isinstance(data, dict) or data.get("use", "sig") != "sig" or data.get("kty") not in ("RSA", "EC", "OKP"):
        return None
    try:
        with _unwarned():
            key = JWKRegistry.import_key(data)
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    if isinstance(key, RSAKey):
        return key if key.public_key.key_size >= RSA_BITS_MIN else None
    return key if isinstance(key, ECKey | OKPKey) else None
