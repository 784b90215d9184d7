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

from ..policies import PolicyRefused, Role
from .compiling import Compiled
from .failures import NoRow, PolicyViolation, UnitStillOpen, Unstorable, Violation
from .statements import Statement
from .types import UnstorableText

Row = TypeVar("Row")
Records = Sequence[Sequence[Any]]


class _Hold:
    """Tells that a unit holds a connection; carries no identity and no connection itself.

    Tasks that are started meanwhile inherit this very object, so that the unit's end is told to them too.
    """

    __slots__ = ("is_open",)

    def __init__(self) -> None:
        self.is_open = True


_last_hold: ContextVar[_Hold | None] = ContextVar("tenantry_last_hold", default=None)


def _is_one_open() -> bool:
    hold = _last_hold.get()
    return hold is not None and hold.is_open


def refuse_while_open(what: str) -> None:
    """Raise `UnitStillOpen` when this task holds a connection: no outside call, hash, mail or file work then.

    A task that was started while a unit was open is refused too, until that unit ends: the unit may wait for it.
    """
    # Every call that is counted asks: without a further call.
    hold = _last_hold.get()
    if hold is not None and hold.is_open:
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
        if self.user_id is None:
            return f'{{"role":"{self.role}"}}'
        claims = {"role": str(self.role), "sub": self.user_id, "organization_ids": self.organization_ids}
        return msgspec.json.encode(claims).decode()


SERVICE = Identity(Role.SERVICE)
ANONYMOUS = Identity(Role.ANON)


class Unit(ABC):
    """The common part of both databases' units. Statements take their values by name.

    A `single` unit writes with one statement, which commits by itself: what it did is durable when it has answered,
    and no `rollback` takes it back. On PostgreSQL that is one trip instead of three. A second statement is refused.
    """

    kind: str

    statements = 0
    """How many statements ran; tests hold a budget to it."""
    _broken = False
    _claims: str | None = None
    _held: _Hold | None = None

    # The only one: every request makes a unit or two, and a class that calls its parent's takes twice as long.
    def __init__(self, database: Any, identity: Identity, *, writes: bool, single: bool = False) -> None:
        if single and not (writes and identity.role is Role.SERVICE):
            msg = "a unit of a single statement writes on the service login, where nobody is bound"
            raise ValueError(msg)
        self._database = database
        self.identity = identity
        self.writes = writes
        self.single = single

    async def rows(self, statement: Statement[Row], **given: Any) -> list[Row]:
        """All rows."""
        compiled, arguments = self._prepare(statement, given)
        records = await self._fetch(compiled, arguments, slow=statement.slow)
        if compiled.checked:
            self._check(compiled, records)
        return statement.rows(compiled, records)

    async def one_or_none(self, statement: Statement[Row], **given: Any) -> Row | None:
        """The first row, or None."""
        compiled, arguments = self._prepare(statement, given)
        records = await self._fetch(compiled, arguments, slow=statement.slow)
        if compiled.checked:
            self._check(compiled, records)
        return statement.row(compiled, records[0]) if records else None

    async def one(self, statement: Statement[Row], **given: Any) -> Row:
        """The first row, which may be a NULL; raises `NoRow` when there is none."""
        compiled, arguments = self._prepare(statement, given)
        records = await self._fetch(compiled, arguments, slow=statement.slow)
        if compiled.checked:
            self._check(compiled, records)
        if not records:
            raise NoRow(compiled.sql)
        return statement.row(compiled, records[0])

    async def run(self, statement: Statement[Any], **given: Any) -> int:
        """Run for its effect; answers how many rows it touched."""
        compiled, arguments = self._prepare(statement, given)
        if compiled.columns or compiled.checked:
            records = await self._fetch(compiled, arguments, slow=statement.slow)
            self._check(compiled, records)
            return len(records)
        return await self._execute(compiled, arguments)

    async def handed(self, compiled: Compiled, arguments: list[Any]) -> tuple[Records, int]:
        """Run what a session compiled for this role: its rows, and how many it touched."""
        self._refuse_broken()
        self.statements += 1
        if compiled.columns or compiled.checked:
            records = await self._fetch(compiled, arguments, slow=False)
            self._check(compiled, records)
            return records, len(records)
        return (), await self._execute(compiled, arguments)

    def spoil(self) -> None:
        """Whatever was written can only be rolled back from now on."""
        self._broken = True

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

    def _prepare(self, statement: Statement[Any], given: dict[str, Any]) -> tuple[Compiled, list[Any]]:
        if self._broken:
            self._refuse_broken()
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

    def _refuse_broken(self) -> None:
        if self._broken:
            msg = "this unit of work was refused something before; it can only be rolled back"
            raise RuntimeError(msg)

    def _check(self, compiled: Compiled, records: Records) -> None:
        if compiled.checked and not all(record[-1] for record in records):
            self._broken = True
            msg = f"the new row breaks its table's policy: {compiled.sql}"
            raise PolicyViolation(msg)

    def _refuse_more_than_one(self, compiled: Compiled) -> None:
        if self.statements > 1:
            msg = f"a unit of a single statement was handed another one: {compiled.sql}"
            raise RuntimeError(msg)
        if compiled.checked:
            msg = f"a row whose policy is checked cannot be written by a single statement: {compiled.sql}"
            raise PolicyRefused(msg)

    def _refused(self, error: Exception) -> Exception:
        # PostgreSQL aborts the transaction at any error; SQLite would go on. Both stop here.
        self._broken = self._broken or self.writes or isinstance(error, Violation)
        return error

    def _hold(self) -> None:
        if _is_one_open():
            msg = "a second writing unit was opened while the first is open; run them one after the other"
            raise UnitStillOpen(msg)
        self._held = _Hold()
        _last_hold.set(self._held)

    def _let_go(self) -> None:
        if self._held is not None:
            self._held.is_open = False
