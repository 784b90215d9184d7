"""How large things may be, and what nothing may be called."""

import ast
from collections.abc import Iterator
from pathlib import Path

from .tree import Finding, Function, Source, functions

FILE_LINES = 300
FUNCTION_LINES = 40
PARAMETERS = 5
NESTING = 4
DOOR_NAMES = 12
README_LINES = 60

REFUSED_NAMES = frozenset({"utils", "util", "common", "core", "helpers", "helper", "services", "service", "lib"})
HANDED_THROUGH = frozenset({"self", "cls", "ctx", "db"})
_BLOCKS = ast.If | ast.For | ast.AsyncFor | ast.While | ast.With | ast.AsyncWith | ast.Try | ast.TryStar | ast.Match


def long_files(files: list[Source]) -> Iterator[Finding]:
    """Files of more than 300 lines; a migration is as long as the change it makes."""
    for file in files:
        lines = len(file.text.splitlines())
        if lines > FILE_LINES and not file.name.startswith("migrations/versions/"):
            yield Finding(file.name, lines, f"{lines} lines, at most {FILE_LINES}")


def long_functions(files: list[Source]) -> Iterator[Finding]:
    """Functions of more than 40 lines, from `def` to the last line."""
    for file in files:
        for name, function in _functions(file):
            lines = (function.end_lineno or 0) - function.lineno + 1
            if lines > FUNCTION_LINES:
                yield file.finding(function, f"{lines} lines, at most {FUNCTION_LINES}", of=name)


def many_parameters(files: list[Source]) -> Iterator[Finding]:
    """Functions of more than five parameters, keyword-only ones too; what is handed through everywhere is free."""
    for file in files:
        for name, function in _functions(file):
            given = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
            count = sum(one.arg not in HANDED_THROUGH for one in given)
            if count > PARAMETERS:
                yield file.finding(function, f"{count} parameters, at most {PARAMETERS}", of=name)


def deep_nesting(files: list[Source]) -> Iterator[Finding]:
    """Functions with more than four blocks inside each other; `elif` goes no deeper."""
    for file in files:
        for name, function in _functions(file):
            depth = max((_depth(statement) for statement in function.body), default=0)
            if depth > NESTING:
                yield file.finding(function, f"{depth} blocks deep, at most {NESTING}", of=name)


def wide_doors(files: list[Source]) -> Iterator[Finding]:
    """Doors (`__init__.py`) that offer more than twelve names."""
    for file in files:
        if not file.name.endswith("__init__.py"):
            continue
        for node in file.tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.List | ast.Tuple):
                names = [target.id for target in node.targets if isinstance(target, ast.Name)]
                if "__all__" in names and len(node.value.elts) > DOOR_NAMES:
                    yield file.finding(node, f"{len(node.value.elts)} names, at most {DOOR_NAMES}")


def refused_names(root: Path) -> Iterator[Finding]:
    """Files and folders whose name says nothing of what is in them."""
    for path in sorted(root.rglob("*")):
        if path.stem.strip("_") in REFUSED_NAMES and path.name != "__pycache__":
            yield Finding(path.relative_to(root).as_posix(), 1, f'"{path.stem}" says nothing of what is inside')


def rooms(root: Path) -> list[str]:
    """The package's rooms: the folders that stand directly in it."""
    return sorted(path.name for path in root.iterdir() if path.is_dir() and any(path.glob("*.py")))


def folders_without_door(root: Path) -> Iterator[Finding]:
    """Folders with Python files and no `__init__.py`; import-linter and mypy would pass them by."""
    for folder in sorted({path.parent for path in root.rglob("*.py")}):
        # Alembic loads versions by path.
        if not (folder / "__init__.py").exists() and folder.name != "versions":
            yield Finding(folder.relative_to(root).as_posix(), 1, "has no __init__.py")


def readmes(root: Path) -> Iterator[Finding]:
    """Rooms without a README.md, or with one of more than 60 lines."""
    for room in rooms(root):
        path = root / room / "README.md"
        lines = len(path.read_text(encoding="utf-8").splitlines()) if path.exists() else 0
        if not lines:
            yield Finding(room, 1, "has no README.md")
        elif lines > README_LINES:
            yield Finding(room, lines, f"its README.md has {lines} lines, at most {README_LINES}")


def _functions(file: Source) -> Iterator[tuple[str, Function]]:
    if not file.name.startswith("migrations/versions/"):
        yield from functions(file.tree)


def _depth(node: ast.AST) -> int:
    if isinstance(node, Function | ast.ClassDef):
        return 0
    inside = max((_depth(child) for child in _children(node)), default=0)
    return inside + isinstance(node, _BLOCKS)


def _children(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.If) and len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If):
        yield from node.body
        yield from _children(node.orelse[0])
        return
    yield from ast.iter_child_nodes(node)
