"""What every rule starts from: the files of a tree, parsed, and findings that name a place."""

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "src" / "tenantry"

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Finding(NamedTuple):
    """One offence. An exception names its `place`: a file (`web/pages.py`) or a thing in it (`web/pages.py:page`)."""

    place: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.place} (line {self.line}): {self.what}"


@dataclass(frozen=True, slots=True)
class Source:
    """One Python file, parsed. `name` is its path below the tree's root."""

    name: str
    text: str
    tree: ast.Module

    def finding(self, node: ast.AST, what: str, *, of: str = "") -> Finding:
        return Finding(f"{self.name}:{of}" if of else self.name, getattr(node, "lineno", 1), what)


def sources(root: Path) -> list[Source]:
    """Every Python file below a folder, in the order of their names."""
    found = []
    for path in sorted(root.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        found.append(Source(path.relative_to(root).as_posix(), text, _parsed(text, path)))
    return found


def _parsed(text: str, path: Path) -> ast.Module:
    try:
        return ast.parse(text, str(path))
    except SystemError:
        # CPython 3.11 miscounts its depth when the collector runs in the middle of it (gh-106905).
        return ast.parse(text, str(path))


@cache
def package() -> list[Source]:
    """The files of the package itself, read once."""
    return sources(PACKAGE)


def functions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, Function]]:
    """Every function with its dotted name, those inside classes and functions too."""
    for child in ast.iter_child_nodes(tree):
        name = f"{prefix}{child.name}" if isinstance(child, Function | ast.ClassDef) else prefix.rstrip(".")
        if isinstance(child, Function):
            yield name, child
        yield from functions(child, f"{name}." if name else "")


def own_nodes(function: Function) -> Iterator[ast.AST]:
    """What stands in a function itself, without the functions and classes inside it."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, Function | ast.ClassDef | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(node))


def dotted(node: ast.AST) -> str:
    """`a.b.c` as text, calls on the way left out (`select(x).where(y)` is `select.where`); "" for anything else."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attr):
            return f"{dotted(value)}.{attr}".lstrip(".")
        case ast.Call(func=func):
            return dotted(func)
    return ""


def docstrings(tree: ast.Module) -> set[ast.AST]:
    """The nodes that are docstrings, of functions, classes, the module, and the texts under attributes."""
    found: set[ast.AST] = set()
    for node in ast.walk(tree):
        for statement in getattr(node, "body", []) if not isinstance(node, ast.Lambda | ast.IfExp) else []:
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                found.add(statement.value)
    return found


def unexcused(findings: Iterable[Finding], exceptions: Mapping[str, str]) -> list[str]:
    """Findings without an exception, and exceptions without a finding: a list of reasons must not rot."""
    found = list(findings)
    places = {one.place for one in found}
    stale = [f"{place}: excused ({reason}), but there is nothing to excuse" for place, reason in exceptions.items()]
    return [
        *(str(one) for one in found if one.place not in exceptions),
        *(line for place, line in zip(exceptions, stale, strict=True) if place not in places),
    ]


def plant(root: Path, files: Mapping[str, str]) -> Path:
    """Write a small tree of files to prove a rule on; returns its root."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root
