"""What a check has to say: where, what is wrong, how to put it right."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a check found. The server refuses to start on an "error"; a "warning" is only shown.

    `where` is a place in the declaration ("plans[0].limits") or the name of a setting ("TENANTRY_PORT");
    `problem` says what is wrong, `fix` what to do, each as whole sentences. Neither ever holds a secret.
    """

    level: Literal["error", "warning"]
    where: str
    problem: str
    fix: str

    def __str__(self) -> str:
        return f"{self.level}: {self.where}: {self.problem} {self.fix}"


def error(where: str, problem: str, fix: str) -> Finding:
    """A finding the server refuses to start on."""
    return Finding("error", where, problem, fix)


def warning(where: str, problem: str, fix: str) -> Finding:
    """A finding that is only shown."""
    return Finding("warning", where, problem, fix)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` was probably meant to be; None when nothing is near."""
    folded = {candidate.casefold(): candidate for candidate in known}
    matches = difflib.get_close_matches(word.casefold(), folded, n=1, cutoff=0.6)
    return folded[matches[0]] if matches else None


def choose(word: str, known: Iterable[str]) -> str:
    """A fix for a word that is not known: the nearest one, or all there are."""
    words = list(known)
    near = nearest(word, words)
    if near is not None:
        return f'Did you mean "{near}"?'
    if not words:
        return "Leave it out."
    return "Use " + ", ".join(f'"{each}"' for each in words[:-1]) + (" or " if words[1:] else "") + f'"{words[-1]}".'
