"""docs/requirements.md: every requirement has a row, and a row names tests that exist."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from .tree import Finding, functions

FAMILIES = {"C": 16, "S": 12, "P": 23, "F": 12, "T": 14}
ROW = re.compile(r"\| *([A-Z]-\d\d) *\| *(.*?) *\| *(.*?) *\|")
NAMED_TEST = re.compile(r"`([^`]+\.(?:py|mjs))::([^`]+)`")
OPEN = "open"


def required() -> set[str]:
    """The ids of all requirements."""
    return {f"{family}-{number:02d}" for family, count in FAMILIES.items() for number in range(1, count + 1)}


def rows(text: str) -> list[tuple[str, str, str]]:
    """(id, where, tests) of each row."""
    return [found.groups() for line in text.splitlines() if (found := ROW.fullmatch(line.strip()))]  # type: ignore[misc]


def incomplete(text: str, root: Path) -> Iterator[Finding]:
    """Requirements without exactly one row; rows that name no place or test, or one that does not exist."""
    found = rows(text)
    names = [name for name, _, _ in found]
    for name in sorted(required() ^ set(names)):
        yield Finding(name, 1, "has no row" if name in required() else "is no requirement")
    for name in sorted({one for one in names if names.count(one) > 1}):
        yield Finding(name, 1, "has two rows")
    for name, where, tests in found:
        if (where == OPEN) != (tests == OPEN):
            yield Finding(name, 1, "is open, or it is not")
        elif where != OPEN:
            yield from _missing(name, where, tests, root)


def _missing(name: str, where: str, tests: str, root: Path) -> Iterator[Finding]:
    places, named = re.findall(r"`([^`]+)`", where), NAMED_TEST.findall(tests)
    if not places or not named:
        yield Finding(name, 1, "names no place or no test")
    for place in places:
        path, _, thing = place.partition(":")
        if not (root / "src" / "tenantry" / path).exists() or (
            thing and not _mentions(root / "src/tenantry" / path, thing)
        ):
            yield Finding(name, 1, f"{place} does not exist")
    for file, test in named:
        if not _has_test(root / "tests" / file, test):
            yield Finding(name, 1, f"{file}::{test} does not exist")


def _mentions(path: Path, thing: str) -> bool:
    return re.search(rf"\b{re.escape(thing)}\b", path.read_text(encoding="utf-8")) is not None


def _has_test(path: Path, test: str) -> bool:
    if not path.is_file():
        return False
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".mjs":
        return f'"{test}"' in text
    return test in {name for name, _ in functions(ast.parse(text))}
