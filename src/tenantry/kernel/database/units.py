"""Units of work: what a request or a job does to the database, as one identity, in one transaction.

A reading unit runs each statement by itself. A writing unit begins at its first statement and ends with `commit` or
`rollback`; after any refusal it is broken and can only be rolled back, on both databases alike.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from ..policies import Role
from .compiling import Compiled
from .failures import NoRow, PolicyViolation, UnitStillOpen, Unstorable, Violation
from .statements import Statement
from .types import UnstorableText

Row = TypeVar("Row")
Records = Sequence[Sequence[Any]]

# Carries no identity and no connection: only that this task holds one, so that nothing slow is started meanwhile.
_open_units: ContextVar[tuple[int, ...]] = ContextVar("tenantry_open_units", default=())


def refuse_while_open(what: str) -> None:
    """Raise `UnitStillOpen` when this task holds a connection: no outside call, hash, mail or file work then."""
    if _open_units.get():
        msg = f"{what} while a unit of work is open; commit first, or take ctx.unit() and keep it short"
        raise UnitStillOpen(msg)


@dataclass(frozen=True, slots=True)
class Identity:
    """As whom a unit runs: the database role and, for policies, the user and the user's organizations."""

    role: Role
    user_id: UUID | None = None
    organization_ids: tuple[UUID, ...] = ()

    def claims(self) -> str:
        """The JSON that PostgreSQL's policies read; made of ids only, so it never needs escaping."""
        claims: dict[str, Any] = {"role": self.role.value}
        if self.user_id is not None:
            claims |= {"sub": self.user_id, "organization_ids": self.organization_ids}
        return msgspec.json.encode(claims).decode()


SERVICE = Identity(Role.SERVICE)
ANONYMOUS = Identity(Role.ANON)


class Unit(ABC):
    """The common part of both databases' units. Statements take their values by name."""

    kind: str

    def __init__(self, identity: Identity, *, writes: bool) -> None:
        self.identity = identity
        self.writes = writes
        self.statements = 0
        """How many statements ran; tests hold a budget to it."""
        self._broken = False
        self._claims: str | None = None

    async def rows(self, statement: Statement[Row], **given: Any) -> list[Row]:
        """All rows."""
        compiled, records = await self._records(statement, given)
        return statement.rows(compiled, records)

    async def one_or_none(self, statement: Statement[Row], **given: Any) -> Row | None:
        """The first row, or None."""
        compiled, records = await self._records(statement, given)
        return statement.row(compiled, records[0]) if records else None

    async def one(self, statement: Statement[Row], **given: Any) -> Row:
        """The first row, which may be a NULL; raises `NoRow` when there is none."""
        compiled, records = await self._records(statement, given)
        if not records:
            raise NoRow(compiled.sql)
        return statement.row(compiled, records[0])

    async def run(self, statement: Statement[Any], **given: Any) -> int:
        """Run for its effect; answers how many rows it touched."""
        compiled, arguments = self._prepare(statement, given)
        if compiled.columns or compiled.checked:
            return len(self._checked(compiled, await self._fetch(compiled, arguments, slow=statement.slow)))
        return await self._execute(compiled, arguments)

    @abstractmethod
    async def commit(self) -> None:
        """Make the writes durable and let the connection go. Raises `RuntimeError` on a broken unit."""

    @abstractmethod
    async def rollback(self) -> None:
        """Undo the writes and let the connection go; never raises for a connection that is gone already."""

    @abstractmethod
    async def _fetch(self, compiled: Compiled, arguments: list[Any], *, slow: bool) -> Records: ...

    @abstractmethod
    async def _execute(self, compiled: Compiled, arguments: list[Any]) -> int: ...

    async def _records(self, statement: Statement[Any], given: dict[str, Any]) -> tuple[Compiled, Records]:
        compiled, arguments = self._prepare(statement, given)
        return compiled, self._checked(compiled, await self._fetch(compiled, arguments, slow=statement.slow))

    def _prepare(self, statement: Statement[Any], given: dict[str, Any]) -> tuple[Compiled, list[Any]]:
        if self._broken:
            msg = "this unit of work was refused something before; it can only be rolled back"
            raise RuntimeError(msg)
        compiled = statement.compiled(self.kind, self.identity.role)
        if given.keys() != compiled.names:
            msg = f"the statement wants {sorted(compiled.names)}, was given {sorted(given)}: {compiled.sql}"
            raise TypeError(msg)
        self.statements += 1
        given["_user_id"] = self.identity.user_id
        given["_organization_ids"] = self.identity.organization_ids
        try:
            return compiled, compiled.arguments(given)
        except UnstorableText as error:
            raise self._refused(Unstorable()) from error

    def _checked(self, compiled: Compiled, records: Records) -> Records:
        if compiled.checked and not all(record[-1] for record in records):
            self._broken = True
            msg = f"the new row breaks its table's policy: {compiled.sql}"
            raise PolicyViolation(msg)
        return records

    def _refused(self, error: Exception) -> Exception:
        # PostgreSQL aborts the transaction at any error; SQLite would go on. Both stop here.
        self._broken = self._broken or self.writes or isinstance(error, Violation)
        return error

    def _hold(self) -> None:
        if self.writes and _open_units.get():
            msg = "a second writing unit was opened while the first is open; run them one after the other"
            raise UnitStillOpen(msg)
        _open_units.set((*_open_units.get(), id(self)))

    def _let_go(self) -> None:
        _open_units.set(tuple(one for one in _open_units.get() if one != id(self)))
