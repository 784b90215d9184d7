"""Whether the schema is the one that the models declare."""

from collections.abc import Iterable, Iterator, Mapping

from tenantry.kernel import Module
from tenantry.kernel.database.expected import (
    COLUMN,
    CONSTRAINT,
    POLICY,
    ROW_SECURITY,
    TABLE,
    Thing,
    expected,
    tables_of,
)
from tenantry.kernel.database.revision import newest, shown
from tenantry.kernel.module import histories_of
from tenantry.product import Finding, Product

_LOST = "Nothing of ours takes it away. Restore a backup, or compare with what `tenantry db migrate` makes elsewhere."


def find_other_revision(found: frozenset[str], product: Product) -> Finding | None:
    """What is wrong when the database is not at the newest revision of every history."""
    try:
        wanted = newest(histories_of(product.modules))
    except ValueError as error:
        return Finding("error", "modules", f"{error}.", "Correct the file, or delete it if nothing has run it yet.")
    if found == wanted:
        return None
    problem = f"Its schema is at revision {shown(found)}, this version needs {shown(wanted)}."
    return Finding("error", "database", problem, "Run `tenantry db migrate`.")


def find_differences(present: set[Thing], product: Product, kind: str) -> list[Finding]:
    """Everything declared that the database lacks, and policies that nobody declared: each is an error."""
    # What is no table is told by `tenantry check`.
    modules = (one for one in product.modules if isinstance(one, Module))
    own = [table for one in modules for table in one.tables if hasattr(table, "__table__")]
    wanted = expected(tables_of(own), kind)
    gone = {thing.table for thing in wanted if thing.kind == TABLE and thing not in present}
    missing = {
        thing: text
        for thing, text in wanted.items()
        if thing not in present and (thing.kind == TABLE or thing.table not in gone)
    }
    return [*_find_missing(missing), *_find_strange(present, wanted)]


def _find_missing(missing: Mapping[Thing, str]) -> Iterator[Finding]:
    for thing, text in sorted(missing.items()):
        place = f"database.{thing.table}"
        if thing.kind == TABLE:
            yield Finding("error", place, "The table is missing.", _LOST)
        elif thing.kind == ROW_SECURITY:
            problem = "Row level security is not enabled and forced: the policies do not hold for everybody."
            yield Finding("error", place, problem, f"Run as the owner: {text}")
        elif thing.kind in {COLUMN, CONSTRAINT}:
            yield Finding("error", place, f"The {thing.kind} {thing.name} is missing.", _LOST)
        else:
            is_guard = thing.kind == POLICY
            problem = f"The {thing.kind} {thing.name} is missing{'' if is_guard else ', not valid or switched off'}."
            yield Finding("error", place, problem, f"Run as the owner: {' '.join(text.split())}")


def _find_strange(present: Iterable[Thing], wanted: Mapping[Thing, str]) -> Iterator[Finding]:
    tables = {thing.table for thing in wanted}
    for thing in sorted(present):
        if thing.kind == POLICY and thing.table in tables and thing not in wanted:
            problem = f"The policy {thing.name} is not declared; it may show rows to others."
            fix = f"If nobody of you made it, run as the owner: DROP POLICY {thing.name} ON {thing.table}"
            yield Finding("error", f"database.{thing.table}", problem, fix)
