"""What tests do not do: patch our own code, wait blindly, assert a speed."""

import ast
from collections.abc import Iterator

from .tree import Finding, Source, dotted

NAP_SECONDS = 0.2
SPEEDS = ("elapsed", "took", "perf_counter", "seconds_taken", "duration", "time.monotonic", "time.time")


def patches(files: list[Source]) -> Iterator[Finding]:
    """unittest.mock; monkeypatch on our own code; attributes of our own modules and classes set by hand."""
    for file in files:
        ours = _own_names(file.tree)
        for node in ast.walk(file.tree):
            if isinstance(node, ast.Import | ast.ImportFrom) and _mocks(node):
                yield file.finding(node, "unittest.mock")
            elif isinstance(node, ast.Call) and dotted(node.func) in {"monkeypatch.setattr", "mocker.patch"}:
                if _patches_ours(node.args[0], ours):
                    yield file.finding(node, f"patches {ast.unparse(node.args[0])}")
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and dotted(node.value) in ours:
                yield file.finding(node, f"sets {dotted(node)}")


def naps(files: list[Source]) -> Iterator[Finding]:
    """`time.sleep` for longer than a fifth of a second, or for who knows how long; wait for a state instead."""
    for file in files:
        for node in ast.walk(file.tree):
            if not isinstance(node, ast.Call) or dotted(node.func) != "time.sleep":
                continue
            length = node.args[0]
            if not isinstance(length, ast.Constant) or float(str(length.value)) > NAP_SECONDS:
                yield file.finding(node, f"sleeps {ast.unparse(length)} seconds")


def speeds(files: list[Source]) -> Iterator[Finding]:
    """Asserting that something was fast: a busy machine would fail it. That it was slow may be asserted."""
    for file in files:
        for asserted in (node for node in ast.walk(file.tree) if isinstance(node, ast.Assert)):
            for node in ast.walk(asserted.test):
                if isinstance(node, ast.Compare) and any(word in bound for bound in _bounded(node) for word in SPEEDS):
                    yield file.finding(asserted, f"asserts a speed: {ast.unparse(node)}")


def _bounded(compared: ast.Compare) -> Iterator[str]:
    """The parts of a comparison that must be smaller than something."""
    parts = [compared.left, *compared.comparators]
    for position, how in enumerate(compared.ops):
        if isinstance(how, ast.Lt | ast.LtE):
            yield ast.unparse(parts[position])
        elif isinstance(how, ast.Gt | ast.GtE):
            yield ast.unparse(parts[position + 1])


def _mocks(node: ast.Import | ast.ImportFrom) -> bool:
    module = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
    return any(f"{module}{one.name}.".startswith(("unittest.mock.", "mock.")) for one in node.names)


def _patches_ours(target: ast.expr, ours: set[str]) -> bool:
    if isinstance(target, ast.Constant):
        return str(target.value).startswith("tenantry")
    return dotted(target).split(".")[0] in ours


def _own_names(tree: ast.Module) -> set[str]:
    """Names under which a file knows our modules and classes."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "tenantry":
            found |= {one.asname or one.name for one in node.names}
        elif isinstance(node, ast.Import):
            found |= {one.asname or one.name for one in node.names if one.name.split(".")[0] == "tenantry"}
    return found
