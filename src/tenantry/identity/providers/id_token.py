"""Verifying an id_token: OpenID Connect Core 1.0, 3.1.3.7."""

import asyncio
import base64
import hashlib
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import msgspec

from tenantry.kernel.crypto import same
from tenantry.kernel.extras import extra

from ..errors import ProviderAnswerInvalid
from .remembered import Remembered

KEYS_SECONDS = 3600.0
KEYS_SECONDS_BETWEEN = 60.0
_JOSE = f"{__package__}.jose"

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
        async def key_set() -> Any:
            return (await _jose()).key_set(await fetch())

        self._keys = Remembered(key_set, monotonic, seconds=KEYS_SECONDS)

    async def verified(self, token: str, algorithms: Iterable[str]) -> Any:
        """The token if one of the keys signed it, else JoseError."""
        jose, allowed = await _jose(), list(algorithms)
        try:
            return jose.decoded(token, await self._keys.get(), allowed)
        except jose.InvalidKeyIdError:
            return jose.decoded(token, await self._keys.again(seconds_between=KEYS_SECONDS_BETWEEN), allowed)


async def verified_claims(token: object, *, keys: SigningKeys, expected: Expected, now: int) -> dict[str, Any]:
    """The claims of an id_token that is signed, meant for us, fresh and an answer to our question.

    Everything else raises ProviderAnswerInvalid; its `internal` says why and holds nothing of the token.
    """
    if not isinstance(token, str):
        raise ProviderAnswerInvalid(internal="there is no id_token")
    jose = await _jose()
    try:
        found = await keys.verified(token, expected.algorithms)
        jose.check_registered(found.claims, expected, now)
    except (jose.JoseError, ValueError, TypeError, KeyError) as error:
        raise ProviderAnswerInvalid(internal=f"id_token: {type(error).__name__}: {error}"[:300]) from error
    _check_own(found, expected)
    claims: dict[str, Any] = found.claims
    return claims


async def _jose() -> Any:
    # In a thread: the first time the library is read from disk, and with it the certificates' half of `cryptography`.
    return await asyncio.to_thread(extra, _JOSE)


def _check_own(token: Any, expected: Expected) -> None:
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
