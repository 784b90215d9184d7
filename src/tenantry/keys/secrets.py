"""How a key looks: `acme_live_{43 random characters}{6 of a checksum}`.

Letters and digits only after the last `_`, so that a double click takes the whole of it. The prefix and the checksum
let people, secret scanners and we tell a key from other text without looking it up; 256 random bits make it a secret
that a plain SHA-256 keeps.
"""

import re
import zlib
from typing import NamedTuple

from tenantry.kernel.crypto import token_hash
from tenantry.kernel.ids import new_token

RANDOM_CHARACTERS, CHECKSUM_CHARACTERS = 43, 6
PREFIX_SHOWN, ENDING_SHOWN = 4, 4
LENGTH_MAX = 100
FORM = rf"[a-z][a-z0-9]*_(?:live|trial)_[0-9A-Za-z]{{{RANDOM_CHARACTERS + CHECKSUM_CHARACTERS}}}"
"""What secret scanners look for."""

_FORM = re.compile(FORM)
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class NewSecret(NamedTuple):
    """A key that was just made: the secret itself, to be shown once, and what is kept of it."""

    secret: str
    hash: bytes
    prefix: str
    ending: str


def new_secret(prefix: str, *, kind: str) -> NewSecret:
    """A new key's secret; `kind` is "live" for a holder's own keys, "trial" for a trial workspace's."""
    random = new_token(f"{prefix}_{kind}", bits=256)
    secret = random + checksum(random)
    shown = len(prefix) + len(kind) + 2 + PREFIX_SHOWN
    return NewSecret(secret, token_hash(secret), secret[:shown], secret[-ENDING_SHOWN:])


def has_form(text: str) -> bool:
    """Whether it looks like a key, be its checksum right or wrong."""
    return len(text) <= LENGTH_MAX and _FORM.fullmatch(text) is not None


def is_secret(text: str) -> bool:
    """Whether it has the form of a key and its checksum is right; says nothing about whether there is such a key."""
    return has_form(text) and text[-CHECKSUM_CHARACTERS:] == checksum(text[:-CHECKSUM_CHARACTERS])


def checksum(text: str) -> str:
    """The CRC-32 of a text as six characters."""
    number, letters = zlib.crc32(text.encode()), []
    for _ in range(CHECKSUM_CHARACTERS):
        number, digit = divmod(number, 62)
        letters.append(_BASE62[digit])
    return "".join(letters)
