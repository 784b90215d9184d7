"""Where SQL may stand, and which SQL means the same on both databases."""

import ast
import re
from collections.abc import Iterator

from .tree import Finding, Source, docstrings, dotted

STATEMENTS = frozenset({"select", "insert", "update", "delete", "text"})
PORTABLE_FUNCTIONS = frozenset({"count", "sum", "min", "max", "coalesce", "length"})
_MODULES = {
    f"sqlalchemy{below}"
    for below in ("", ".orm", ".sql", ".dialects.postgresql", ".dialects.sqlite", ".sql.expression")
}
_FUNC = {"func", "sa.func", "sqlalchemy.func"}
_RAW = re.compile(
    r"""\s*(SELECT\s|INSERT\ INTO\s|DELETE\ FROM\s|UPDATE\ \w+\ SET\s|WITH\ \w+\ AS\s
    |(CREATE|ALTER|DROP)\ (OR|TABLE|INDEX|FUNCTION|ROLE|TRIGGER)|TRUNCATE\ \w|(GRANT|REVOKE)\ [A-Z]
    |SET\ (LOCAL\ |\w+\ (=|TO))|PRAGMA\ \w|(VACUUM|ANALYZE|REINDEX|LISTEN|NOTIFY)(\ \w+)?;?$|BEGIN(\ IMMEDIATE)?$)""",
    re.VERBOSE,
)


def statements_elsewhere(files: list[Source]) -> Iterator[Finding]:
    """`select`, `insert`, `update`, `delete` or `text` of SQLAlchemy outside queries.py (select also in models.py)."""
    for file in files:
        if _may_build_statements(file.name):
            continue
        refused = STATEMENTS - {"select"} if _base(file.name) == "models.py" else STATEMENTS
        for node in ast.walk(file.tree):
            names: list[str] = []
            if isinstance(node, ast.ImportFrom) and node.module in _MODULES and not node.level:
                names = [one.name for one in node.names]
            elif isinstance(node, ast.Attribute) and dotted(node).split(".")[0] in {"sa", "sqlalchemy"}:
                names = [node.attr]
            for name in refused.intersection(names):
                yield file.finding(node, f"{name} of SQLAlchemy belongs into queries.py")


def unportable_functions(files: list[Source]) -> Iterator[Finding]:
    """`func.<name>` that is not known to mean the same on both databases; others belong into kernel/sql.py."""
    for file in files:
        if file.name == "kernel/sql.py":
            continue
        for node in ast.walk(file.tree):
            if not isinstance(node, ast.Attribute) or dotted(node.value) not in _FUNC:
                continue
            if node.attr not in PORTABLE_FUNCTIONS:
                yield file.finding(node, f"func.{node.attr} may differ between the databases; see kernel/sql.py")


def bound_lists(files: list[Source]) -> Iterator[Finding]:
    """`in_` of anything but a subquery: every length would be another statement (`any_of` binds one value)."""
    for file in files:
        subqueries = _named_subqueries(file.tree)
        for node in ast.walk(file.tree):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if node.func.attr in {"in_", "not_in", "notin_"}:
                given = [dotted(one) for one in node.args]
                if not given or not all(one in subqueries or one.split(".")[0] == "select" for one in given):
                    yield file.finding(node, "in_ of a list; use any_of")


def raw_sql(files: list[Source]) -> Iterator[Finding]:
    """SQL written as a string outside kernel/database and the migrations."""
    for file in files:
        if file.name.startswith(("kernel/database/", "migrations/")):
            continue
        told = docstrings(file.tree)
        for node in ast.walk(file.tree):
            if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or node in told:
                continue
            if _RAW.match(node.value):
                yield file.finding(node, f"raw SQL: {node.value.strip()[:40]!r}")


def plans_as_written(files: list[Source]) -> Iterator[Finding]:
    """`Holders.plan` outside holders: what is written there may be over; `plan_now()` is what is in force."""
    for file in files:
        if file.name.startswith("holders/"):
            continue
        for node in ast.walk(file.tree):
            if isinstance(node, ast.Attribute) and dotted(node).endswith(("Holders.plan", "Holders.__table__.c.plan")):
                yield file.finding(node, "the plan as it is written may be over; ask plan_now() of holders/models.py")


def _named_subqueries(tree: ast.Module) -> set[str]:
    assigned = [node for node in tree.body if isinstance(node, ast.Assign) and dotted(node.value).startswith("select.")]
    return {target.id for node in assigned for target in node.targets if isinstance(target, ast.Name)}


def _may_build_statements(name: str) -> bool:
    return _base(name) == "queries.py" or "/queries/" in name or name.startswith(("kernel/", "migrations/"))


def _base(name: str) -> str:
    return name.rpartition("/")[2]
