"""Who works on the service login, and whether the room's `module.py` says why."""

import ast
from collections.abc import Iterator, Mapping

from .tree import Finding, Function, Source, dotted, functions, own_nodes

WITHOUT_MODULE = frozenset({"app", "blueprints", "cli", "testing"})
"""They act for the operator, not for a request."""


def users_of_service(files: list[Source]) -> Iterator[tuple[str, str, Finding]]:
    """(room, function, where) of everything that opens a unit on the service login or asks for a `Service` context."""
    for file in files:
        room, _, rest = file.name.partition("/")
        if not rest or room in WITHOUT_MODULE or file.name == "kernel/context.py":
            continue
        for name, function in functions(file.tree):
            if _opens(function) or _asks(function):
                place = file.finding(function, "works on the service login, and module.py does not say why", of=name)
                yield room, name.rpartition(".")[2], place


def unexplained(files: list[Source], reasons: Mapping[str, Mapping[str, str]]) -> Iterator[Finding]:
    """Uses that no `Module.service` names, and names in it that the room has not.

    A name is a function's, which speaks for the private ones that it calls in its file, or a file's or folder's of the
    room for all functions in it.
    """
    callers = _callers(files)
    for room, function, place in users_of_service(files):
        name = place.place.partition(":")[0]
        inside = name.removesuffix(".py").split("/")[1:]
        speaking = callers.get((name, function), set()) if function.startswith("_") else set()
        if not {function, *inside, *speaking} & reasons.get(room, {}).keys():
            yield place
    for room, given in reasons.items():
        known = {name.rpartition(".")[2] for file in files if _in(file, room) for name, _ in functions(file.tree)}
        known |= {part for file in files if _in(file, room) for part in file.name.removesuffix(".py").split("/")[1:]}
        for name in given.keys() - known:
            yield Finding(room, 1, f"gives a reason for {name}, which is not there")


def _callers(files: list[Source]) -> dict[tuple[str, str], set[str]]:
    """Which functions of a file call a function of the same file: (file, called) to callers."""
    found: dict[tuple[str, str], set[str]] = {}
    for file in files:
        for name, function in functions(file.tree):
            for node in own_nodes(function):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                    found.setdefault((file.name, node.func.id), set()).add(name.rpartition(".")[2])
    return found


def _in(file: Source, room: str) -> bool:
    return file.name.startswith(f"{room}/")


def _opens(function: Function) -> bool:
    calls = (dotted(node.func) for node in own_nodes(function) if isinstance(node, ast.Call))
    return any(call.endswith((".service", ".service.unit")) for call in calls)


def _asks(function: Function) -> bool:
    given = [*function.args.args, *function.args.kwonlyargs]
    return any(dotted(one.annotation) == "Service" for one in given if one.annotation is not None)
