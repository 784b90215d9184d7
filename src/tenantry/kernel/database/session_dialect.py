"""SQLAlchemy's way into a unit of work: dialects that add the policies, and a cursor that hands statements to the unit.

The statement a session comes to, from a flush, a lazy load or `session.execute`, is compiled like the rooms' own: each
table that is read is rendered with its policy, a written one gets it in its WHERE, and the check of the new row comes
back as one column more, which the cursor takes off again. Who asks is bound at execution.

As `compiling.py`, this leans on SQLAlchemy's internals; the minor version is pinned.
"""

import sqlite3
from collections import deque
from collections.abc import Sequence
from typing import Any, NoReturn

from sqlalchemy import CompoundSelect, Delete, Insert, Select, Update
from sqlalchemy.dialects.postgresql.base import PGExecutionContext
from sqlalchemy.dialects.sqlite.base import SQLiteExecutionContext
from sqlalchemy.util import await_only

from ..policies import PolicyRefused, Role
from .compiling import Compiled, PostgresCompiler, PostgresDialect, SqliteCompiler, SqliteDialect, bind_in_one_trip
from .units import Unit
from .writing import CHECK_COLUMN, guard_write


class UnitDecides(RuntimeError):
    """A session was told to begin, commit or roll back; the unit of work it belongs to does that."""


def refuse_to_decide(what: str) -> NoReturn:
    """Raise `UnitDecides`."""
    msg = (
        f"a session cannot {what}: it is inside its unit of work, which commits at its end and rolls back when an "
        "exception leaves it; use flush() to send what is pending"
    )
    raise UnitDecides(msg)


class _SessionCompiler:
    """Guards what a session writes; reading is guarded by the compiler beside it."""

    checked = False
    """The statement returns one column more, last: whether each new row obeys the policy."""

    def visit_insert(self, insert_stmt: Any, *args: Any, **kw: Any) -> str:
        return self._write(super().visit_insert, insert_stmt, *args, **kw)  # type: ignore[misc]

    def visit_update(self, update_stmt: Any, *args: Any, **kw: Any) -> str:
        return self._write(super().visit_update, update_stmt, *args, **kw)  # type: ignore[misc]

    def visit_delete(self, delete_stmt: Any, *args: Any, **kw: Any) -> str:
        return self._write(super().visit_delete, delete_stmt, *args, **kw)  # type: ignore[misc]

    def _write(self: Any, render: Any, statement: Any, *args: Any, **kw: Any) -> str:
        if self.stack:
            return str(render(statement, *args, **kw))
        dialect = self.dialect
        guarded, check = guard_write(statement, dialect.name, dialect.tenantry_role, given=self.column_keys or ())
        text = str(render(guarded, *args, **kw))
        if check is None:
            return text
        self.checked = True
        returns = self.implicit_returning or guarded._returning  # noqa: SLF001 - which is how the text above was made
        return f"{text}{',' if returns else ' RETURNING'} {self.process(check)} AS {CHECK_COLUMN}"


class _SessionContext:
    """Binds who asks, by the names the policies use, over whatever a caller gave for them."""

    @classmethod
    def _init_compiled(cls, dialect: Any, connection: Any, proxied: Any, *given: Any, **kw: Any) -> Any:
        options, compiled, parameters, *more = given
        unit: Unit = proxied.dbapi_connection.unit
        identity = {"_user_id": unit.identity.user_id, "_organization_ids": unit.identity.organization_ids}
        bound = [{**one, **identity} for one in parameters or [{}]]
        make: Any = super()._init_compiled  # type: ignore[misc]
        return make(dialect, connection, proxied, options, compiled, bound, *more, **kw)


# What is put before them is written for both, so their own signatures are of no use.
_PostgresContext: Any = PGExecutionContext
_SqliteContext: Any = SQLiteExecutionContext
_PostgresBase: Any = PostgresDialect
_SqliteBase: Any = SqliteDialect


class _PostgresSessionCompiler(_SessionCompiler, PostgresCompiler):
    pass


class _SqliteSessionCompiler(_SessionCompiler, SqliteCompiler):
    pass


class _PostgresSessionContext(_SessionContext, _PostgresContext):  # type: ignore[misc]
    pass


class _SqliteSessionContext(_SessionContext, _SqliteContext):  # type: ignore[misc]
    pass


class _SessionDialect:
    """What a transaction is, the unit decides; so these do nothing, or refuse."""

    is_async = True
    supports_server_side_cursors = False
    # Rows that return something are written one by one: their check stands at the end of each statement.
    use_insertmanyvalues = False
    use_insertmanyvalues_wo_returning = False
    insert_executemany_returning = False
    insert_executemany_returning_sort_by_parameter_order = False

    def do_begin(self, dbapi_connection: Any) -> None: ...

    def do_rollback(self, dbapi_connection: Any) -> None: ...

    def do_close(self, dbapi_connection: Any) -> None: ...

    def do_commit(self, _dbapi_connection: Any) -> None:
        refuse_to_decide("commit")

    def do_savepoint(self, _connection: Any, _name: str) -> None:
        refuse_to_decide("set a savepoint")

    def do_execute(self, cursor: "_Cursor", statement: str, parameters: Sequence[Any], context: Any = None) -> None:
        cursor.hand(statement, parameters, context and context.compiled)

    def do_executemany(
        self, cursor: "_Cursor", statement: str, parameters: Sequence[Sequence[Any]], context: Any = None
    ) -> None:
        touched = 0
        for one in parameters:
            cursor.hand(statement, one, context and context.compiled)
            touched += cursor.rowcount
        cursor.rowcount = touched

    def do_execute_no_params(self, cursor: "_Cursor", statement: str, context: Any = None) -> None:
        cursor.hand(statement, (), context and context.compiled)


class _PostgresSessionDialect(_SessionDialect, _PostgresBase):  # type: ignore[misc]
    supports_statement_cache = True  # SQLAlchemy asks each class by itself
    statement_compiler = _PostgresSessionCompiler
    execution_ctx_cls = _PostgresSessionContext
    server_version_info = (15,)


class _SqliteSessionDialect(_SessionDialect, _SqliteBase):  # type: ignore[misc]
    supports_statement_cache = True
    statement_compiler = _SqliteSessionCompiler
    execution_ctx_cls = _SqliteSessionContext


def session_dialect(kind: str, role: Role) -> Any:
    """The dialect of the sessions of one role on `kind` ("sqlite" or "postgresql")."""
    made: Any
    if kind == "sqlite":
        made = _SqliteSessionDialect(dbapi=sqlite3)
    else:
        made = _PostgresSessionDialect(dbapi=_PostgresBase.import_dbapi())
    made.tenantry_role = role
    return made


class UnitConnection:
    """What SQLAlchemy takes for the driver's connection: the unit."""

    def __init__(self, unit: Unit) -> None:
        self.unit = unit

    def cursor(self) -> "_Cursor":
        """A cursor that runs on the unit."""
        return _Cursor(self.unit)


class _Cursor:
    """One statement's rows, all of them fetched at once."""

    arraysize = 1
    lastrowid = None

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self._rows: deque[tuple[Any, ...]] = deque()
        self.description: list[tuple[Any, ...]] | None = None
        self.rowcount = -1

    def hand(self, sql: str, parameters: Sequence[Any], compiled: Any) -> None:
        """Run a compiled statement on the unit, inside the greenlet of the session's method."""
        plan = _plan(self._unit, sql, len(parameters), compiled)
        records, self.rowcount = await_only(self._unit.handed(plan, list(parameters)))
        if plan.columns:
            width = len(plan.columns)
            self.description = [(name, None, None, None, None, None, None) for name in plan.columns]
            self._rows = deque(tuple(record)[:width] for record in records)

    def fetchone(self) -> tuple[Any, ...] | None:
        return self._rows.popleft() if self._rows else None

    def fetchmany(self, size: int | None = None) -> list[tuple[Any, ...]]:
        return [self._rows.popleft() for _ in range(min(size or self.arraysize, len(self._rows)))]

    def fetchall(self) -> list[tuple[Any, ...]]:
        rows = list(self._rows)
        self._rows.clear()
        return rows

    def close(self) -> None:
        self._rows.clear()

    async def _async_soft_close(self) -> None:
        """Asked for of every asynchronous driver's cursor; this one holds nothing on the connection."""


def _plan(unit: Unit, sql: str, count: int, compiled: Any) -> Compiled:
    statement = compiled and compiled.statement
    if not isinstance(statement, Select | CompoundSelect | Insert | Update | Delete):
        msg = f"a session runs select, insert, update and delete expressions, and no {type(statement).__name__}: {sql}"
        raise PolicyRefused(msg)
    reads = isinstance(statement, Select | CompoundSelect)
    guarded = unit.kind == "postgresql" and unit.identity.role is not Role.SERVICE
    return Compiled(
        sql=sql,
        bound_sql=bind_in_one_trip(sql, count + 1) if reads and guarded and not unit.writes else None,
        slots=(),
        readers=(),
        columns=tuple(entry.keyname for entry in compiled._result_columns),  # noqa: SLF001 - the names it gave them
        checked=compiled.checked,
        names=frozenset(),
        reads=reads,
    )
