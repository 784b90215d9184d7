"""Hashes, and the vault that keeps secrets at rest and in cookies."""

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

import msgspec

from .extras import extra

_VERSION = "v1"
_KEY_BYTES = 32
_NONCE_BYTES = 12
_WRAPPED_BYTES = _NONCE_BYTES + _KEY_BYTES + 16
_SHORTEST_SECRET = 32


class SealBroken(Exception):
    """The sealed text was changed, belongs to another purpose or context, or its key is not known here."""


class _Cookie(msgspec.Struct, frozen=True):
    expires: float
    data: dict[str, Any]


def token_hash(token: str) -> bytes:
    """Return the SHA-256 of a token, 32 bytes. For random tokens only: a password needs a slow hash."""
    return sha256(token.encode("utf-8", "surrogatepass")).digest()


def same(one: str | bytes, other: str | bytes) -> bool:
    """Compare two secrets in a time that does not tell where they differ."""
    return hmac.compare_digest(_bytes(one), _bytes(other))


class Vault:
    """Encrypts under the first of several secrets and decrypts under all of them (envelope encryption).

    Each record has a random data key of its own. The data key is wrapped by a key derived from a secret for one
    purpose (HKDF-SHA256, RFC 5869), both with AES-256-GCM and random 96-bit nonces. Purpose and context are
    authenticated, so a sealed value cannot be moved to another column or another row.
    The text is `v1.<key id>.<wrapped data key>.<cipher text>`, base64url without padding.
    Raises ValueError for no secrets, a repeated one, or one below 32 characters.
    """

    def __init__(self, secret_keys: Sequence[str]) -> None:
        if not secret_keys:
            raise ValueError("a vault needs at least one secret key")
        if any(len(secret) < _SHORTEST_SECRET for secret in secret_keys):
            raise ValueError(f"a secret key has at least {_SHORTEST_SECRET} characters")
        self._secrets = {_key_id(secret): secret.encode() for secret in secret_keys}
        if len(self._secrets) != len(secret_keys):
            raise ValueError("a secret key is listed twice")
        self._first = next(iter(self._secrets))
        # One entry a secret and purpose; purposes are constants of the program, so this stays small.
        self._wrapping: dict[tuple[str, str], Any] = {}

    def seal(self, plain: bytes | str, *, purpose: str, context: str = "") -> str:
        """Encrypt. `context` ties the text to one place, such as a row's id."""
        return self._seal(_bytes(plain), purpose, context, os.urandom(_KEY_BYTES + 2 * _NONCE_BYTES))

    def open(self, sealed: str, *, purpose: str, context: str = "") -> bytes:
        """Decrypt; raises SealBroken for anything that `seal` did not make for this purpose and context."""
        key_id, wrapped, cipher = _parts(sealed)
        data_key = self._unwrap(key_id, wrapped, purpose, context)
        return _decrypt(_aes(data_key), cipher, _bound("data", purpose, context))

    def fingerprints(self, text: str, *, purpose: str) -> list[bytes]:
        """HMAC-SHA256 of a text under each secret, 32 bytes each, the first secret's first.

        For short codes, which a plain hash would give away: store the first, compare with all.
        """
        given = text.encode("utf-8", "surrogatepass")
        keys = [_derived(secret, f"fingerprint/{purpose}") for secret in self._secrets.values()]
        return [hmac.digest(key, given, "sha256") for key in keys]

    def needs_rotation(self, sealed: str) -> bool:
        """Say whether the text is wrapped by another secret than the first; raises SealBroken for nonsense."""
        return _parts(sealed)[0] != self._first

    def rotate(self, sealed: str, *, purpose: str, context: str = "") -> str:
        """Wrap the data key under the first secret; the cipher text stays as it is. Raises SealBroken."""
        key_id, wrapped, _ = _parts(sealed)
        data_key = self._unwrap(key_id, wrapped, purpose, context)
        if key_id == self._first:
            return sealed
        wrapped = self._wrap(data_key, purpose, context, os.urandom(_NONCE_BYTES))
        return ".".join((_VERSION, self._first, _encoded(wrapped), sealed.rpartition(".")[2]))

    def seal_cookie(self, data: Mapping[str, Any], *, purpose: str, expires_at: datetime) -> str:
        """Encrypt a small JSON object that stops being valid at a time."""
        cookie = _Cookie(expires=expires_at.timestamp(), data=dict(data))
        return self.seal(msgspec.json.encode(cookie), purpose=f"cookie/{purpose}")

    def open_cookie(self, sealed: str, *, purpose: str, now: datetime) -> dict[str, Any] | None:
        """Return what was sealed, or None when it was changed, made for another purpose, or has expired."""
        try:
            cookie = msgspec.json.decode(self.open(sealed, purpose=f"cookie/{purpose}"), type=_Cookie)
        except (SealBroken, msgspec.DecodeError):
            return None
        return cookie.data if now.timestamp() < cookie.expires else None

    def _seal(self, plain: bytes, purpose: str, context: str, noise: bytes) -> str:
        """`noise` is the data key and the two nonces, handed in so that known answers can be tested."""
        data_key, nonce = noise[:_KEY_BYTES], noise[-_NONCE_BYTES:]
        wrapped = self._wrap(data_key, purpose, context, noise[_KEY_BYTES:-_NONCE_BYTES])
        cipher = nonce + _aes(data_key).encrypt(nonce, plain, _bound("data", purpose, context))
        return ".".join((_VERSION, self._first, _encoded(wrapped), _encoded(cipher)))

    def _wrap(self, data_key: bytes, purpose: str, context: str, nonce: bytes) -> bytes:
        wrapping = self._wrapping_key(self._first, purpose)
        sealed: bytes = wrapping.encrypt(nonce, data_key, _bound("key", purpose, context))
        return nonce + sealed

    def _unwrap(self, key_id: str, wrapped: bytes, purpose: str, context: str) -> bytes:
        if key_id not in self._secrets:
            raise SealBroken("sealed under a secret key that is not listed")
        return _decrypt(self._wrapping_key(key_id, purpose), wrapped, _bound("key", purpose, context))

    def _wrapping_key(self, key_id: str, purpose: str) -> Any:
        key = self._wrapping.get((key_id, purpose))
        if key is None:
            key = _aes(_derived(self._secrets[key_id], f"purpose/{purpose}"))
            self._wrapping[key_id, purpose] = key
        return key


def _key_id(secret: str) -> str:
    return hashlib.sha256(_derived(secret.encode(), "key id")).hexdigest()[:8]


def _derived(secret: bytes, info: str) -> bytes:
    # RFC 5869 for one block: extract without a salt, then the first round of expand.
    extracted = hmac.digest(bytes(hashlib.sha256().digest_size), secret, "sha256")
    return hmac.digest(extracted, info.encode() + b"\x01", "sha256")


def _aes(key: bytes) -> Any:
    # Loaded when something is first sealed or opened: 9 MB that a server without sign-ins does not need.
    return extra("cryptography.hazmat.primitives.ciphers.aead").AESGCM(key)


def _bound(part: str, purpose: str, context: str) -> bytes:
    # Lengths in front, so that no two pairs of purpose and context read the same.
    names = [text.encode("utf-8", "surrogatepass") for text in (_VERSION, part, purpose, context)]
    return b"".join(len(name).to_bytes(4, "big") + name for name in names)


def _decrypt(key: Any, cipher: bytes, bound: bytes) -> bytes:
    try:
        plain: bytes = key.decrypt(cipher[:_NONCE_BYTES], cipher[_NONCE_BYTES:], bound)
    except extra("cryptography.exceptions").InvalidTag:
        raise SealBroken("the sealed text was changed, or belongs elsewhere") from None
    return plain


def _parts(sealed: str) -> tuple[str, bytes, bytes]:
    parts = sealed.split(".")
    if len(parts) != 4 or parts[0] != _VERSION:
        raise SealBroken("not a sealed text")
    wrapped, cipher = _decoded(parts[2]), _decoded(parts[3])
    if len(wrapped) != _WRAPPED_BYTES or len(cipher) < _NONCE_BYTES + 16:
        raise SealBroken("not a sealed text")
    return parts[1], wrapped, cipher


def _encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    try:
        value = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise SealBroken("not a sealed text") from None
    # Several writings decode to the same bytes when spare bits are set; only ours is accepted.
    if _encoded(value) != text:
        raise SealBroken("not a sealed text")
    return value


def _bytes(value: str | bytes) -> bytes:
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
