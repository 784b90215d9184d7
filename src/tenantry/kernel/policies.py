"""A table's policy: who may read, insert, update and delete which of its rows, written once.

A model carries `__policy__`. The same predicate becomes PostgreSQL's row level security (`database/guards.py`) and is
added to every compiled statement on both databases (`database/compiling.py`). What is not granted is refused.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Table, true

from .sql import any_of, current_organization_ids, current_user_id

Predicate = Callable[[Any], ColumnElement[bool]]
"""Given a table's columns (`row.user_id`), the rows that are meant."""


class Role(StrEnum):
    """The database role a unit of work runs as; `service_role` belongs to a login of its own."""

    ANON = "anon"
    AUTHENTICATED = "authenticated"
    SERVICE = "service_role"


class Command(StrEnum):
    """What a statement does to a table's rows."""

    READ = "select"
    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Rights:
    """What one role may do. A command without a predicate is refused; columns `None` means every column.

    A role never writes a column that is not named: a wide grant is how `is_admin` gets set by its owner.
    """

    read: Predicate | None = None
    insert: Predicate | None = None
    update: Predicate | None = None
    delete: Predicate | None = None
    insert_columns: tuple[str, ...] | None = None
    update_columns: tuple[str, ...] | None = None
    read_columns: tuple[str, ...] | None = None

    def predicate(self, command: Command) -> Predicate | None:
        return {
            Command.READ: self.read,
            Command.INSERT: self.insert,
            Command.UPDATE: self.update,
            Command.DELETE: self.delete,
        }[command]

    def columns(self, command: Command) -> tuple[str, ...] | None:
        return {
            Command.READ: self.read_columns,
            Command.INSERT: self.insert_columns,
            Command.UPDATE: self.update_columns,
            Command.DELETE: None,
        }[command]


def anyone(_row: Any) -> ColumnElement[bool]:
    """Every row."""
    return true()


def own(column: str = "user_id") -> Predicate:
    """The rows whose column holds the signed-in user's id."""
    return lambda row: row[column] == current_user_id()


def of_my_organizations(column: str = "organization_id") -> Predicate:
    """The rows of organizations the user belongs to; never a function of the row, which would cost a call per row."""
    return lambda row: any_of(row[column], current_organization_ids())


EVERYTHING = Rights(read=anyone, insert=anyone, update=anyone, delete=anyone)
NOTHING = Rights()


@dataclass(frozen=True, slots=True)
class Policy:
    """The rights of the three roles on one table. The service role has everything unless the table says less."""

    authenticated: Rights = NOTHING
    anon: Rights = NOTHING
    service: Rights = EVERYTHING

    def rights(self, role: Role) -> Rights:
        return {Role.AUTHENTICATED: self.authenticated, Role.ANON: self.anon, Role.SERVICE: self.service}[role]


class PolicyRefused(Exception):
    """A statement that its table's policy can never allow for this role: a mistake in the program, not in a request."""


def policy_of(table: Table) -> Policy:
    """The table's policy; a table without one belongs to nobody."""
    policy = getattr(table, "info", {}).get("policy")
    if not isinstance(policy, Policy):
        msg = f"table {table.name} declares no __policy__; say who may read and write it"
        raise PolicyRefused(msg)
    return policy


def rights_of(table: Table, role: Role) -> Rights:
    """What the role may do with the table."""
    return policy_of(table).rights(role)


def predicate_for(table: Table, role: Role, command: Command) -> ColumnElement[bool]:
    """The rows of `table` that `role` may touch with `command`.

    Raises `PolicyRefused` when the role has no such right at all.
    """
    predicate = rights_of(table, role).predicate(command)
    if predicate is None:
        msg = f"{role} may not {command} {table.name}: its policy grants no such right"
        raise PolicyRefused(msg)
    return predicate(table.c)


def refuse_columns(table: Table, role: Role, command: Command, named: set[str]) -> None:
    """Refuse a statement that writes, or for `Command.READ` reads, a column its role may not."""
    predicate_for(table, role, command)
    allowed = rights_of(table, role).columns(command)
    if allowed is not None and (over := named - set(allowed)):
        msg = f"{role} may not {command} column {', '.join(sorted(over))} of {table.name}"
        raise PolicyRefused(msg)
