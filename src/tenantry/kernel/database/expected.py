"""What the models say a database must have, thing by thing, so that what is missing can be named."""

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateIndex

from .guards import table_guards
from .tables import Base


class Thing(NamedTuple):
    """Something of a table's: a column, a constraint, an index, a trigger, a policy, or that row security is forced."""

    kind: str
    table: str
    name: str


TABLE, COLUMN, CONSTRAINT, INDEX = "table", "column", "constraint", "index"
TRIGGER, POLICY, ROW_SECURITY = "trigger", "policy", "row security"
_GUARD = re.compile(r"CREATE (TRIGGER|POLICY) (\w+) ")


def tables_of(own: Iterable[type[Any]] = ()) -> list[Table]:
    """The package's tables, and the `own` ones of a product's modules. Every room's models must have been imported."""
    package = __name__.partition(".")[0]
    mapped = [mapper.class_ for mapper in Base.registry.mappers]
    ours = [one for one in mapped if one.__module__.partition(".")[0] == package]
    found: set[Table] = {one.__table__ for one in (*ours, *own)}
    return sorted(found, key=lambda table: table.name)


def expected(tables: Iterable[Table], kind: str) -> dict[Thing, str]:
    """All that these tables have in a database of `kind` ("sqlite", "postgresql") whose schema is whole.

    With each, the statement that makes it again; "" for what only a migration makes: tables, columns, constraints.
    """
    return {thing: text for table in tables for thing, text in _of(table, kind)}


def _of(table: Table, kind: str) -> Iterator[tuple[Thing, str]]:
    yield Thing(TABLE, table.name, table.name), ""
    for column in table.columns:
        yield Thing(COLUMN, table.name, column.name), ""
    for constraint in table.constraints:
        if constraint.name:
            yield Thing(CONSTRAINT, table.name, str(constraint.name)), ""
    dialect = {"sqlite": sqlite, "postgresql": postgresql}[kind].dialect()
    for index in table.indexes:
        yield Thing(INDEX, table.name, str(index.name)), str(CreateIndex(index).compile(dialect=dialect))
    for guard in table_guards(table, kind):
        if found := _GUARD.match(guard):
            yield Thing(found[1].lower(), table.name, found[2]), guard
    if kind == "postgresql":
        forced = (f"ALTER TABLE {table.name} {how} ROW LEVEL SECURITY" for how in ("ENABLE", "FORCE"))
        yield Thing(ROW_SECURITY, table.name, table.name), "; ".join(forced)
