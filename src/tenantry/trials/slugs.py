"""A workspace's name as a part of an address: small Latin letters, digits and hyphens, whatever script it is in."""

import re
import secrets
from collections.abc import Iterator

from anyascii import anyascii

SLUG_MAX = 60
ENDING = 6
FALLBACK = "trial"
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without those that look like others."""
_OTHERS = re.compile(r"[^a-z0-9]+")
_APOSTROPHES = re.compile("['`]")


def slug_of(name: str) -> str:
    """The slug of a name, at most so long that an ending fits behind it; empty when nothing of it has a Latin form."""
    latin = _APOSTROPHES.sub("", anyascii(name).lower())
    return _OTHERS.sub("-", latin).strip("-")[: SLUG_MAX - ENDING - 1].rstrip("-")


def candidates(name: str) -> Iterator[str]:
    """The slugs that a workspace may get, best first, and without end: the name's own, then with a random ending."""
    base = slug_of(name)
    if base:
        yield base
    while True:
        yield f"{base or FALLBACK}-{''.join(secrets.choice(_LETTERS) for _ in range(ENDING))}"
