"""Verifying hashes that other systems made, each as one hasher of pwdlib's protocol. None of them makes new ones.

A right password against one of these is hashed anew with argon2id, so they die out as people sign in.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable
from typing import NoReturn

import bcrypt
from argon2 import extract_parameters
from argon2.exceptions import InvalidHashError
from pwdlib.hashers.argon2 import Argon2Hasher

BCRYPT_BYTES_MAX = 72
"""bcrypt never looked at more; libraries cut the rest off, so who has a longer password got in with all of it."""
# A hash says itself what comparing it costs. What asks for more than about five seconds, or for this memory, opens
# nothing: one such row would keep a thread busy for days.
_MEMORY_MAX = 256 * 1024 * 1024
_ROUNDS_MAX = 10_000_000
_BCRYPT_COST_MAX = 16
_SCRYPT_STEPS_MAX = 16 * 1024 * 1024
_SCRYPT_SET_UP = 16
_ARGON2_KIB_MAX = 4 * 1024 * 1024
_HASH_BYTES_MIN = 16
"""What is shorter was cut off, and more than one password would fit it."""


class _Imported:
    """The common part: `verify` against the groups of one pattern."""

    pattern: re.Pattern[str]

    @classmethod
    def identify(cls, hash: str | bytes) -> bool:  # noqa: A002 - pwdlib's name
        return cls.pattern.fullmatch(_text(hash)) is not None

    def verify(self, password: str | bytes, hash: str | bytes) -> bool:  # noqa: A002
        found = self.pattern.fullmatch(_text(hash))
        try:
            return found is not None and self._matches(_bytes(password), found)
        except (binascii.Error, ValueError):
            # A hash that is damaged, or asks for more memory than we give, opens nothing.
            return False

    def check_needs_rehash(self, hash: str | bytes) -> bool:  # noqa: A002
        del hash
        return True

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> NoReturn:
        msg = "hashes of this form are only verified"
        raise NotImplementedError(msg)

    def _matches(self, password: bytes, found: re.Match[str]) -> bool:
        raise NotImplementedError


class Bcrypt(_Imported):
    """bcrypt as Supabase, fastapi-users and PHP write it (`$2b$`, `$2a$`, `$2y$`), and Django's `bcrypt$`."""

    pattern = re.compile(r"(?:bcrypt\$)?(?P<hash>\$2[aby]\$\d{2}\$[A-Za-z0-9./]{53})")

    def _matches(self, password: bytes, found: re.Match[str]) -> bool:
        return _bcrypt(password[:BCRYPT_BYTES_MAX], found["hash"])


class DjangoBcryptSha256(_Imported):
    """Django's `bcrypt_sha256`: bcrypt over the SHA-256 of the password in hexadecimal digits."""

    pattern = re.compile(r"bcrypt_sha256\$(?P<hash>\$2[aby]\$\d{2}\$[A-Za-z0-9./]{53})")

    def _matches(self, password: bytes, found: re.Match[str]) -> bool:
        return _bcrypt(hashlib.sha256(password).hexdigest().encode(), found["hash"])


class DjangoPbkdf2(_Imported):
    """Django's default, `pbkdf2_sha256$rounds$salt$hash`, and the older `pbkdf2_sha1`."""

    pattern = re.compile(
        r"pbkdf2_(?P<digest>sha256|sha1)\$(?P<rounds>\d{1,8})\$(?P<salt>[^$]{1,128})\$(?P<hash>[A-Za-z0-9+/=]+)"
    )

    def _matches(self, password: bytes, found: re.Match[str]) -> bool:
        rounds = int(found["rounds"])
        if not 0 < rounds <= _ROUNDS_MAX:
            return False
        made = hashlib.pbkdf2_hmac(found["digest"], password, found["salt"].encode(), rounds)
        return hmac.compare_digest(made, base64.b64decode(found["hash"], validate=True))


class DjangoScrypt(_Imported):
    """Django's `scrypt$N$salt$r$p$hash`."""

    pattern = re.compile(
        r"scrypt\$(?P<n>\d{1,8})\$(?P<salt>[^$]{1,128})\$(?P<r>\d{1,3})\$(?P<p>\d{1,3})\$(?P<hash>[A-Za-z0-9+/=]+)"
    )

    def _matches(self, password: bytes, found: re.Match[str]) -> bool:
        wanted = base64.b64decode(found["hash"], validate=True)
        cost = {"n": int(found["n"]), "r": int(found["r"]), "p": int(found["p"])}
        if (cost["n"] + _SCRYPT_SET_UP) * cost["r"] * cost["p"] > _SCRYPT_STEPS_MAX or len(wanted) < _HASH_BYTES_MIN:
            return False
        made = hashlib.scrypt(password, salt=found["salt"].encode(), maxmem=_MEMORY_MAX, dklen=len(wanted), **cost)
        return hmac.compare_digest(made, wanted)


class BetterAuthScrypt(_Imported):
    """better-auth's `salt:key`, both hexadecimal: scrypt with N 16384, r 16, p 1, the salt's digits taken as text."""

    pattern = re.compile(r"(?P<salt>[0-9a-f]{32}):(?P<hash>[0-9a-f]{128})")

    def _matches(self, password: bytes, found: re.Match[str]) -> bool:
        made = hashlib.scrypt(password, salt=found["salt"].encode(), n=16384, r=16, p=1, maxmem=_MEMORY_MAX, dklen=64)
        return hmac.compare_digest(made, bytes.fromhex(found["hash"]))


class Argon2(Argon2Hasher):
    """argon2 in its usual form, `$argon2id$...`: ours, and that of fastapi-users."""

    def verify(self, password: str | bytes, hash: str | bytes) -> bool:  # noqa: A002
        try:
            cost = extract_parameters(_text(hash))
        except InvalidHashError:
            return False
        if cost.memory_cost * 1024 > _MEMORY_MAX or cost.memory_cost * cost.time_cost > _ARGON2_KIB_MAX:
            return False
        return cost.hash_len >= _HASH_BYTES_MIN and super().verify(password, hash)

    def check_needs_rehash(self, hash: str | bytes) -> bool:  # noqa: A002
        try:
            return super().check_needs_rehash(hash)
        except InvalidHashError:
            return True


class DjangoArgon2(_Imported):
    """Django's `argon2$` in front of the usual form."""

    pattern = re.compile(r"argon2(?P<hash>\$argon2(?:id|i|d)\$.{10,400})")

    def _matches(self, password: bytes, found: re.Match[str]) -> bool:
        return Argon2.identify(found["hash"]) and Argon2().verify(password, found["hash"])


IMPORTED: tuple[Callable[[], _Imported], ...] = (
    Bcrypt, DjangoPbkdf2, DjangoArgon2, DjangoBcryptSha256, DjangoScrypt, BetterAuthScrypt,
)  # fmt: skip


def _bcrypt(password: bytes, hashed: str) -> bool:
    return int(hashed[4:6]) <= _BCRYPT_COST_MAX and bcrypt.checkpw(password, hashed.encode())


def _text(value: str | bytes) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value
