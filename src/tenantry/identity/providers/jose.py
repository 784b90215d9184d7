"""Signatures and registered claims by joserfc. Loaded by name when a sign-in first needs it, see `id_token.py`."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError, SecurityWarning
from joserfc.jwk import ECKey, JWKRegistry, Key, KeySet, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from ..errors import ProviderAnswerInvalid
from .id_token import Expected

__all__ = ["InvalidKeyIdError", "JoseError", "check_registered", "decoded", "key_set"]

LEEWAY_SECONDS = 60
RSA_BITS_MIN = 2048
KEYS_MAX = 64


def decoded(token: str, keys: KeySet, allowed: list[str]) -> jwt.Token:
    """The token if one of the keys signed it with an allowed algorithm, else JoseError."""
    # Unknown header parameters are to be ignored (RFC 7515, 4.2); `crit` is still obeyed.
    registry = JWSRegistry(algorithms=allowed, strict_check_header=False)
    with _unwarned():
        return jwt.decode(token, keys, algorithms=allowed, registry=registry)


def check_registered(claims: dict[str, Any], expected: Expected, now: int) -> None:
    """Raise JoseError unless the registered claims are there and are those expected."""
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


def key_set(document: Any) -> KeySet:
    """The usable keys of a JWK set; raises ProviderAnswerInvalid when there is none."""
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


@contextmanager
def _unwarned() -> Iterator[None]:
    """The library warns of short keys, which are refused here, and of "EdDSA", the old name of Ed25519 (RFC 9864)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)
        yield
