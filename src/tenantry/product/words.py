"""The words and names a declaration may use, for the checks."""

import re
from collections.abc import Iterable, Iterator
from typing import Final, TypeGuard

NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,49}")
NAME_RULE: Final = "Use lower-case letters, digits and underscores, at most 50, a letter first."
BILLED: Final = ("user", "organization")
STATUSES: Final = ("active", "planned")
PERIODS: Final = ("day", "month")
INTERVALS: Final = ("day", "week", "month", "year")
CURRENCY: Final = re.compile(r"[A-Z]{3}")


def is_count(value: object) -> TypeGuard[int]:
    """Whether it is a whole number; True and False are none, although Python calls them int."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_switch(value: object) -> bool:
    """Whether it is True or False, and not a number or a word that only counts as one."""
    return isinstance(value, bool)


def repeated(words: Iterable[str]) -> Iterator[int]:
    """The positions of the words that stood earlier already."""
    seen: set[str] = set()
    for index, word in enumerate(words):
        if word in seen:
            yield index
        seen.add(word)
