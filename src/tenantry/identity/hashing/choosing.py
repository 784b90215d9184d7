"""What nobody may choose as a password: the short ones, and those that everybody tries first.

No rules about signs and digits: they make people choose `Passw0rd!` (NIST SP 800-63B, 3.1.1.2). `guessed_first.txt`
holds the words that guessers begin with; a password is compared with them without its case, its tail of digits and
signs, and with the usual digits read as the letters they stand for.
"""

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from unicodedata import normalize

from tenantry.kernel import Problem
from tenantry.web import Translator, mark

from .passwords import PASSWORD_CHARACTERS_MAX

_STANDING_FOR = str.maketrans("01345789@$!", "oleastbgasi")
_TAIL = re.compile(r"[\d!?.*#$@&+_-]{1,6}\Z")


class PasswordWeak(Problem):
    """This password is too easy to guess, or too long. Choose another."""

    code, status = "identity.password_weak", 422

    def __init__(self, why: str, message: str, *, field: str = "password", **values: object) -> None:
        """`message` is for `told`; the document tells it in English, with the field it is about."""
        text = message % values
        super().__init__(text, errors=[{"field": f"body.{field}", "message": text, "code": why}])
        self._message, self._values = message, values

    def told(self, words: Translator) -> str:
        """What is wrong with it, in the reader's language: for the place beside the field."""
        return words(self._message, **self._values)


def refuse_weak(password: str, *, length_min: int, never: Iterable[str | None] = (), field: str = "password") -> None:
    """Raise `PasswordWeak` (422) for a password that nobody may choose.

    Refused: fewer than `length_min` characters, more than 256, one of the most common ones, one letter again and
    again, and what is in `never`: the person's address and name, the product's name.
    """
    length = min(len(password), len(normalize("NFKC", password)))
    if length < length_min:
        raise PasswordWeak("too_short", mark("Use at least %(number)d characters."), field=field, number=length_min)
    if len(password) > PASSWORD_CHARACTERS_MAX:
        raise PasswordWeak(
            "too_long", mark("Use at most %(number)d characters."), field=field, number=PASSWORD_CHARACTERS_MAX
        )
    folded = _folded(password)
    if folded in _known(never):
        raise PasswordWeak(
            "too_close", mark("Do not use your e-mail address, your name or the name of this site."), field=field
        )
    if len(set(folded)) <= 1 or not _common().isdisjoint(_readings(folded)):
        raise PasswordWeak("too_common", mark("This is one of the first passwords that guessers try."), field=field)


def _folded(text: str) -> str:
    return normalize("NFKC", text).casefold().strip()


def _known(never: Iterable[str | None]) -> set[str]:
    found = {_folded(word) for word in never if word}
    return found | {word.partition("@")[0] for word in found}


def _readings(folded: str) -> set[str]:
    stem = _TAIL.sub("", folded)
    return {folded, stem, folded.translate(_STANDING_FOR), stem.translate(_STANDING_FOR)} - {""}


@cache
def _common() -> frozenset[str]:
    text = Path(__file__).with_name("guessed_first.txt").read_text(encoding="utf-8")
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#"))
