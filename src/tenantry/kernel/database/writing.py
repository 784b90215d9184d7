"""What a statement that writes may write: the policy of its table in its WHERE, and a check of each new row.

Part of compiling; the tables that a statement reads are guarded where they are rendered.
"""

from collections.abc import Collection, Sequence
from copy import copy
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Delete, Insert, Table, Update, and_

from ..policies import Command, PolicyRefused, Role, anyone, predicate_for, refuse_columns, rights_of

CHECK_COLUMN = "_policy_holds"


class PolicyTerm(ColumnElement[bool]):
    """A table's policy as a part of a statement that writes the table."""

    __visit_name__ = "policy_term"
    inherit_cache = False
    type = Boolean()

    def __init__(self, predicates: Sequence[ColumnElement[bool]], table: Table) -> None:
        self.predicates = predicates
        self.table = table

    def self_group(self, against: Any = None) -> "PolicyTerm":
        del against  # rendered in parentheses; SQLite would otherwise compare it with 1
        return self


def guard_writes(statement: Any, kind: str, role: Role) -> tuple[Any, bool]:
    """The statement with the policies of the table it writes; says whether it now returns a check column."""
    if not isinstance(statement, Insert | Update | Delete):
        return statement, False
    guarded, check = guard_write(statement, kind, role)
    return (guarded, False) if check is None else (guarded.returning(check.label(CHECK_COLUMN)), True)


def guard_write(statement: Any, kind: str, role: Role, *, given: Collection[str] = ()) -> tuple[Any, PolicyTerm | None]:
    """The statement with the policy in its WHERE, and what must hold of each new row.

    `given` are the columns whose values come with the execution and not with the statement.
    """
    table = statement.table
    if not isinstance(table, Table):
        msg = f"{role} may not write {table}: a statement writes a table itself, never an alias or a join"
        raise PolicyRefused(msg)
    if isinstance(statement, Insert):
        return _guard_insert(statement, kind, role, _written(statement, given))
    # PostgreSQL shows a writer no row that it may not read, so both rules hold, for the old row and for the new.
    allowed = _rule(table, role, _command(statement), Command.READ)
    if isinstance(statement, Update):
        refuse_columns(table, role, Command.UPDATE, _written(statement, given))
    if allowed is None:
        return statement, None
    return statement.where(allowed), allowed if isinstance(statement, Update) else None


def _guard_insert(statement: Any, kind: str, role: Role, written: set[str]) -> tuple[Any, PolicyTerm | None]:
    table = statement.table
    refuse_columns(table, role, Command.INSERT, written)
    commands = [Command.INSERT]
    upsert = statement._post_values_clause  # noqa: SLF001 - SQLAlchemy offers no public way to read ON CONFLICT
    if upsert is not None and hasattr(upsert, "update_values_to_set"):
        changed = {key if isinstance(key, str) else key.key for key in dict(upsert.update_values_to_set)}
        refuse_columns(table, role, Command.UPDATE, changed)
        allowed = _rule(table, role, Command.UPDATE, Command.READ)
        if allowed is not None:
            upsert = copy(upsert)
            where = upsert.update_whereclause
            upsert.update_whereclause = allowed if where is None else and_(where, allowed)
            statement = statement._generate()  # noqa: SLF001 - a copy, so that the declared statement stays as written
            statement._post_values_clause = upsert  # noqa: SLF001
        commands.append(Command.UPDATE)
    if rights_of(table, role).read is not None:
        commands.append(Command.READ)
    elif kind == "postgresql":
        # RETURNING needs the right to read; where the writer has none, row level security alone checks.
        predicate_for(table, role, Command.INSERT)
        return statement, None
    return statement, _rule(table, role, *commands)


def _rule(table: Table, role: Role, *commands: Command) -> PolicyTerm | None:
    """What must hold of a row for all these commands; None when nothing must. Refuses a command without a right."""
    found: list[ColumnElement[bool]] = []
    for command in commands:
        predicate = predicate_for(table, role, command)
        if rights_of(table, role).predicate(command) is not anyone and not any(map(predicate.compare, found)):
            found.append(predicate)
    return PolicyTerm(found, table) if found else None


def _command(statement: Any) -> Command:
    if isinstance(statement, Insert):
        return Command.INSERT
    return Command.UPDATE if isinstance(statement, Update) else Command.DELETE


def _written(statement: Any, given: Collection[str]) -> set[str]:
    # There is no public way to ask which columns are set.
    rows = [statement._values or {}, *(row for rows in statement._multi_values for row in rows)]  # noqa: SLF001
    chosen = [key for row in rows for key in row] + list(getattr(statement, "_select_names", None) or ())
    columns = set(statement.table.c.keys())
    named = {key if isinstance(key, str) else key.key for key in chosen} | columns.intersection(given)
    # Without any, SQLAlchemy writes every column.
    return named or columns
