"""What code of the package does not do: hide imports, keep state, ask the machine for the time, print."""

import ast
from collections.abc import Iterator

from .tree import Finding, Source, dotted, functions, own_nodes

CLASS_ENDINGS = ("Service", "Manager", "Repository")
_CHANGES = frozenset({"append", "add", "update", "extend", "insert", "pop", "popitem", "clear", "remove", "setdefault"})
_MADE = frozenset({"dict", "list", "set", "defaultdict", "deque", "OrderedDict", "Counter"})
_CLOCKS = frozenset(
    {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "datetime.datetime.now", "time.time"}
)


def imports_inside(files: list[Source]) -> Iterator[Finding]:
    """Imports inside functions; an optional package loads through kernel's `extra`."""
    for file in files:
        for name, function in functions(file.tree):
            for node in own_nodes(function):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    yield file.finding(node, "import inside a function", of=name)


def kept_state(files: list[Source]) -> Iterator[Finding]:
    """`global`, context variables, and module-level lists, dicts and sets that the module changes."""
    for file in files:
        made = _containers(file.tree)
        for node in ast.walk(file.tree):
            if isinstance(node, ast.Global):
                yield file.finding(node, f"global {', '.join(node.names)}")
            elif isinstance(node, ast.Call) and dotted(node.func).endswith("ContextVar"):
                yield file.finding(node, "a context variable carries what should be handed through")
            elif (changed := _changed(node)) in made:
                yield file.finding(node, f"module-level {changed} is changed")


def refused_classes(files: list[Source]) -> Iterator[Finding]:
    """Classes that everything would stick to; modules of verbs need none."""
    for file in files:
        for node in ast.walk(file.tree):
            if isinstance(node, ast.ClassDef) and node.name.endswith(CLASS_ENDINGS):
                yield file.finding(node, f"class {node.name}", of=node.name)


def prints(files: list[Source]) -> Iterator[Finding]:
    """`print` outside the commands; a server logs."""
    for file in files:
        for node in ast.walk(file.tree):
            if isinstance(node, ast.Call) and dotted(node.func) == "print" and not file.name.startswith("cli/"):
                yield file.finding(node, "print; commands print, the rest logs")


def own_clocks(files: list[Source]) -> Iterator[Finding]:
    """Asking the machine for the time instead of the clock that is handed in. Spans (`monotonic`) are free."""
    for file in files:
        if file.name == "kernel/clock.py" or file.name.startswith(("testing/", "cli/")):
            continue
        for node in ast.walk(file.tree):
            if isinstance(node, ast.Call) and dotted(node.func) in _CLOCKS:
                yield file.finding(node, f"{dotted(node.func)}(); use the clock that is handed in")


def naive_times(files: list[Source]) -> Iterator[Finding]:
    """Times without a zone, anywhere."""
    for file in files:
        for node in ast.walk(file.tree):
            if not isinstance(node, ast.Call):
                continue
            name, given = dotted(node.func), len(node.args) + len(node.keywords)
            zoneless = name.endswith(("datetime.utcnow", "datetime.utcfromtimestamp", "datetime.today", "date.today"))
            needed = {"now": 1, "fromtimestamp": 2}.get(name.removeprefix("datetime."), 0)
            if zoneless or (name.startswith("datetime.") and given < needed):
                yield file.finding(node, f"{name}() without a zone")


def _containers(tree: ast.Module) -> set[str]:
    found = set()
    for node in tree.body:
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        literal = isinstance(value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp)
        if literal or (isinstance(value, ast.Call) and dotted(value.func).rpartition(".")[2] in _MADE):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]  # type: ignore[union-attr]
            found |= {one.id for one in targets if isinstance(one, ast.Name)}
    return found


def _changed(node: ast.AST) -> str:
    """The name that a node changes in place: a call of a changing method, an item set or deleted."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _CHANGES:
        return dotted(node.func.value)
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
        return dotted(node.value)
    return ""
