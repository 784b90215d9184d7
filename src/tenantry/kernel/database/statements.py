"""Statements as rooms declare them in `queries.py`: an expression, and the row it gives."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar, cast, overload

import msgspec
from msgspec.structs import astuple
from sqlalchemy import BindParameter, bindparam

from ..policies import Role
from .compiling import Compiled, Readers, compile_statement
from .types import PortableType

Row = TypeVar("Row")


class WrongShape(TypeError):
    """The columns a statement returns are not the fields of the row it is read into."""


class Statement(Generic[Row]):
    """A SQLAlchemy expression and the row type it is read into, compiled at first use for each database and role.

    `as_` is a msgspec Struct whose fields are the returned columns, in their order; without it a row is the one value
    of its one column. `slow=True` says that it may take more than 5 ms: on SQLite it then runs in a thread.
    """

    __slots__ = ("_compiled", "as_", "expression", "slow")

    def __init__(self, expression: Any, as_: Callable[..., Row] | None, *, slow: bool = False) -> None:
        self.expression = expression
        self.as_ = as_
        self.slow = slow
        self._compiled: dict[tuple[str, Role], Compiled] = {}

    def compiled(self, kind: str, role: Role) -> Compiled:
        """The statement for one database and role; raises `PolicyRefused` or `WrongShape`, both programming errors."""
        key = (kind, role)
        found = self._compiled.get(key)
        if found is None:
            found = compile_statement(self.expression, kind, role)
            self._check_shape(found)
            self._compiled[key] = found
        return found

    def row(self, compiled: Compiled, record: Sequence[Any]) -> Row:
        """Turn one driver record into a row."""
        if compiled.record is None:
            values, readers = record, compiled.readers
        else:
            values, readers = astuple(msgspec.convert(record, compiled.record)), compiled.apart
        if readers:
            values = _read(values, readers)
        if compiled.checked:
            values = values[:-1]
        return cast("Row", values[0] if self.as_ is None else self.as_(*values))

    def rows(self, compiled: Compiled, records: Sequence[Sequence[Any]]) -> list[Row]:
        """Turn all driver records into rows: column by column, which takes half as long as row by row."""
        if len(records) < 2:
            return [self.row(compiled, records[0])] if records else []
        columns: list[Any] = list(zip(*records, strict=True))[: len(compiled.columns)]
        for index, _, read_all in compiled.readers:
            columns[index] = read_all(columns[index])
        return list(columns[0]) if self.as_ is None else list(map(self.as_, *columns))

    def _check_shape(self, compiled: Compiled) -> None:
        fields = getattr(self.as_, "__struct_fields__", None)
        if fields is not None and tuple(fields) != compiled.columns:
            msg = f"{getattr(self.as_, '__name__', self.as_)} has {fields}, the statement returns {compiled.columns}"
            raise WrongShape(msg)
        if self.as_ is None and len(compiled.columns) > 1:
            msg = f"a statement of {len(compiled.columns)} columns needs a row type: {compiled.columns}"
            raise WrongShape(msg)


def _read(values: Sequence[Any], readers: Readers) -> Sequence[Any]:
    found = list(values)
    for index, read, _ in readers:
        if (value := found[index]) is not None:
            found[index] = read(value)
    return found


@overload
def statement(expression: Any, *, slow: bool = False) -> Statement[Any]: ...
@overload
def statement(expression: Any, as_: Callable[..., Row], *, slow: bool = False) -> Statement[Row]: ...
def statement(expression: Any, as_: Callable[..., Any] | None = None, *, slow: bool = False) -> Statement[Any]:
    """Declare a statement; see `Statement`."""
    return Statement(expression, as_, slow=slow)


def param(name: str, kind: PortableType | None = None) -> BindParameter[Any]:
    """A value the caller gives by name when the statement runs: `unit.one(by_email, email="a@b.c")`.

    Its type is that of the column it stands beside; say `kind` where there is none.
    """
    return bindparam(name, type_=kind) if kind is not None else bindparam(name)
