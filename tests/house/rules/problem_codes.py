"""Every problem the package knows: a code of its own, named after its room, that does not change unseen."""

import pkgutil
from collections.abc import Iterator
from importlib import import_module

import tenantry
from tenantry.kernel import Problem
from tenantry.kernel.problems import all_problems

from .tree import Finding

OF_KERNEL = frozenset({"database", "health", "idempotency", "internal", "request"})
"""Kernel is no word for a reader; its problems are named after what they are about."""


def every_problem() -> list[type[Problem]]:
    """All problems, every module of the package loaded."""
    for module in pkgutil.walk_packages(tenantry.__path__, "tenantry."):
        if not module.name.startswith("tenantry.migrations.") and not module.name.endswith("__main__"):
            import_module(module.name)
    return all_problems("tenantry")


def misnamed(problems: list[type[Problem]]) -> Iterator[Finding]:
    """Codes that two problems share, or that do not begin with their room."""
    seen: set[str] = set()
    for problem in problems:
        room, prefix = problem.__module__.split(".")[1], problem.code.partition(".")[0]
        if prefix not in (OF_KERNEL if room == "kernel" else {room}):
            yield Finding(problem.code, 1, f"{problem.__name__} of {room} should be named after it")
        if problem.code in seen:
            yield Finding(problem.code, 1, "is the code of two problems")
        seen.add(problem.code)


def snapshot(problems: list[type[Problem]]) -> str:
    """One line a problem: code and status. Callers build on both."""
    return "".join(sorted(f"{problem.code} {problem.status}\n" for problem in problems))
