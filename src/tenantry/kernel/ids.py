"""Identifiers that sort by time, and secrets that look like ours."""

import math
import os
import re
import secrets
import threading
import time
import uuid
from array import array
from collections.abc import Callable
from itertools import accumulate

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PREFIX = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
_RANDOM_BITS = 74
_SMALLEST_TOKEN_BITS = 128


class IdSource:
    """Makes UUIDs of version 7 (RFC 9562, section 5.7), each greater than the one before.

    48 bits are the milliseconds since 1970, 74 bits are random. Inside one millisecond, and while the clock stands
    behind the last id, the 74 bits grow by a random step instead (section 6.2, method 2). Safe to call from threads.
    """

    def __init__(self, nanoseconds: Callable[[], int] = time.time_ns) -> None:
        self._nanoseconds = nanoseconds
        self._lock = threading.Lock()
        self._last = 0

    def __call__(self) -> uuid.UUID:
        now = self._nanoseconds() // 1_000_000
        noise = int.from_bytes(os.urandom(10), "big")
        with self._lock:
            if now > self._last >> _RANDOM_BITS:
                # The highest random bit starts at zero, so that the steps below have room.
                self._last = now << _RANDOM_BITS | noise >> 7
            else:
                # A full counter carries into the milliseconds: the id runs ahead of the clock, never back.
                self._last += 1 + (noise >> 48)
            value = self._last
        return _of(value)

    def many(self, number: int) -> list[uuid.UUID]:
        """That many at once, as one after the other in the same millisecond would be: in half the time."""
        steps = array("I", os.urandom(4 * number))
        first = self()
        with self._lock:
            ends = list(accumulate(steps, lambda last, step: last + 1 + step, initial=self._last))
            self._last = ends[-1]
        return [first, *map(_of, ends[1:])][:number]


def _of(value: int) -> uuid.UUID:
    high, low = value >> 62, value & ((1 << 62) - 1)
    return uuid.UUID(int=(high >> 12) << 80 | 0x7 << 76 | (high & 0xFFF) << 64 | 0b10 << 62 | low)


# The only state of this module: order within the process needs one memory of the last id.
new_id = IdSource()


def new_token(prefix: str, *, bits: int = 256) -> str:
    """Return `{prefix}_{base62}` with `bits` random bits; every token of one size has the same length.

    Raises ValueError for a prefix other than lower-case words joined by `_`, and for fewer than 128 bits.
    """
    if not _PREFIX.fullmatch(prefix):
        raise ValueError(f"a token's prefix is lower-case letters, digits and single underscores, not {prefix!r}")
    if bits < _SMALLEST_TOKEN_BITS:
        raise ValueError(f"a token has at least {_SMALLEST_TOKEN_BITS} random bits, not {bits}")
    number = secrets.randbits(bits)
    letters = []
    for _ in range(math.ceil(bits / math.log2(62))):
        number, digit = divmod(number, 62)
        letters.append(_BASE62[digit])
    return f"{prefix}_{''.join(reversed(letters))}"
