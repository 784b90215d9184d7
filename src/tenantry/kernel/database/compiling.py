"""SQLAlchemy expressions turned into a driver's SQL, with the table's policy inside. Done once per statement and role.

Every table a statement reads is rendered as `(SELECT * FROM t WHERE <policy>) AS t`, wherever it stands: joins, outer
joins, aliases, CTEs, EXISTS. Both databases flatten it, so it costs nothing, and no place can be forgotten. Written
tables get the predicate in their WHERE, and the check of the new row rides as a RETURNING column.

This leans on SQLAlchemy internals (`visit_table`, `positiontup`, `_result_columns`): the minor version is pinned, and
`tests/kernel/database` compiles every column type on both databases.
"""

from dataclasses import dataclass
from typing import Any, NoReturn

import msgspec
from sqlalchemy import ColumnElement, CompoundSelect, Delete, Insert, Select, Table, Update
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import BindParameter
from sqlalchemy.sql.selectable import FromClauseAlias

from ..policies import Command, PolicyRefused, Role, anyone, predicate_for, refuse_columns, rights_of
from .types import Convert, ConvertAll, PortableType, read_each
from .writing import CHECK_COLUMN, PolicyTerm, guard_writes

BIND_CTE = "_bound"
IDENTITY_NAMES = ("_user_id", "_organization_ids")
FEWEST_TOGETHER = 3
"""From so many ids and times on a record is read quicker in one go than value by value."""


class _PolicyCompiler(SQLCompiler):
    """Renders each table that is read together with its policy, and refuses what would get around it."""

    _apart = 0

    @property
    def _role(self) -> Role | None:
        role: Role | None = self.dialect.tenantry_role  # type: ignore[attr-defined]
        return role

    @property
    def _guards(self) -> bool:
        return self._role is not None and self._role is not Role.SERVICE

    def visit_table(self, table: Any, asfrom: bool = False, iscrud: bool = False, **kw: Any) -> str:  # type: ignore[override]  # noqa: FBT001, FBT002 - SQLAlchemy's own signature
        text: str = super().visit_table(table, asfrom=asfrom, iscrud=iscrud, **kw)  # type: ignore[no-untyped-call]
        role = self._role
        if not asfrom or iscrud or role is None or (role is Role.SERVICE and not isinstance(table, Table)):
            return text
        predicate = predicate_for(table, role, Command.READ)
        readable = rights_of(table, role).read_columns
        if readable is None and rights_of(table, role).read is anyone:
            return text
        shown = "*" if readable is None else ", ".join(self.preparer.quote(name) for name in readable)
        rows = self._process_apart(predicate, table)
        filtered = f"(SELECT {shown} FROM {text} WHERE {rows})"  # noqa: S608 - made of compiled parts only
        # An alias of the table itself writes its own name behind; one of a subquery around it does not.
        named_outside = getattr(kw.get("enclosing_alias"), "element", None) is table
        return filtered if named_outside else f"{filtered} AS {text}"

    def visit_policy_term(self, term: PolicyTerm, **_kw: Any) -> str:
        return f"({' AND '.join(self._process_apart(one, term.table) for one in term.predicates)})"

    def visit_column(self, column: Any, *args: Any, **kw: Any) -> str:
        table = column.table
        while isinstance(table, FromClauseAlias):
            table = table.element
        if self._role is not None and not self._apart and isinstance(table, Table):
            refuse_columns(table, self._role, Command.READ, {column.name})
        if self._guards and column.is_literal and column.name != "*":
            self._refuse(f"the text {column.name!r}")
        return str(super().visit_column(column, *args, **kw))

    def visit_textclause(self, textclause: Any, *args: Any, **kw: Any) -> str:
        if self._guards:
            self._refuse(f"the text {textclause.text!r}")
        return str(super().visit_textclause(textclause, *args, **kw))  # type: ignore[no-untyped-call]

    def visit_tstring(self, tstring: Any, *args: Any, **kw: Any) -> str:
        if self._guards:
            self._refuse("a template string")
        return str(super().visit_tstring(tstring, *args, **kw))  # type: ignore[no-untyped-call]

    def visit_insert(self, insert_stmt: Any, *args: Any, **kw: Any) -> str:
        self._refuse_inside("an INSERT")
        return str(super().visit_insert(insert_stmt, *args, **kw))  # type: ignore[no-untyped-call]

    def visit_update(self, update_stmt: Any, *args: Any, **kw: Any) -> str:
        self._refuse_inside("an UPDATE")
        return str(super().visit_update(update_stmt, *args, **kw))

    def visit_delete(self, delete_stmt: Any, *args: Any, **kw: Any) -> str:
        self._refuse_inside("a DELETE")
        return str(super().visit_delete(delete_stmt, *args, **kw))  # type: ignore[no-untyped-call]

    def _refuse_inside(self, what: str) -> None:
        if self._guards and self.stack:
            self._refuse(f"{what} inside another statement")

    def _refuse(self, what: str) -> NoReturn:
        msg = f"{self._role} may not run a statement with {what}: no policy reaches into it"
        raise PolicyRefused(msg)

    def _process_apart(self, predicate: ColumnElement[bool], table: Table) -> str:
        # A subquery in a policy correlates with its own table only, whatever the statement around it reads.
        own = {table, table.metadata.tables[table.key]}
        around = dict(self.stack[-1]) if self.stack else {}
        self.stack.append({**around, "correlate_froms": own, "asfrom_froms": own})  # type: ignore[typeddict-item]
        self._apart += 1
        try:
            return str(self.process(predicate))
        finally:
            self._apart -= 1
            self.stack.pop()


_PostgresBase: Any = PGDialect_asyncpg.statement_compiler
_SqliteBase: Any = SQLiteDialect_pysqlite.statement_compiler


class PostgresCompiler(_PolicyCompiler, _PostgresBase):  # type: ignore[misc]
    pass


class SqliteCompiler(_PolicyCompiler, _SqliteBase):  # type: ignore[misc]
    pass


class PostgresDialect(PGDialect_asyncpg):
    statement_compiler = PostgresCompiler
    supports_statement_cache = True
    tenantry_role: Role | None = None


class SqliteDialect(SQLiteDialect_pysqlite):
    statement_compiler = SqliteCompiler
    supports_statement_cache = True
    tenantry_role: Role | None = None


def dialect_for(kind: str, role: Role | None) -> Any:
    """A dialect that compiles for one role; `role=None` adds no policy (DDL, migrations)."""
    made: Any = SqliteDialect if kind == "sqlite" else PostgresDialect
    dialect = made()
    dialect.tenantry_role = role
    return dialect


@dataclass(frozen=True, slots=True)
class Compiled:
    """A statement ready for one driver and one role."""

    sql: str
    bound_sql: str | None
    """PostgreSQL reads: the statement that binds who asks and reads in one trip; the claims are its last parameter."""
    slots: tuple[tuple[str | None, Any, Convert | None], ...]
    """One per positional parameter: (name given by the caller or None, the constant, how it is written)."""
    readers: tuple[tuple[int, Convert, ConvertAll], ...]
    """Of the columns that are not taken as they come: which one, how a value is read, how many of them are."""
    columns: tuple[str, ...]
    checked: bool
    """The last column says whether each new row obeys the policy."""
    names: frozenset[str]
    reads: bool
    """A plain SELECT, which a reading unit may run."""
    record: type[msgspec.Struct] | None = None
    """Reads the ids and times of one record together; the other `readers` are then `apart`."""
    apart: tuple[tuple[int, Convert, ConvertAll], ...] = ()

    def arguments(self, given: dict[str, Any]) -> list[Any]:
        """The positional parameters in order; an unknown or missing name is a KeyError or TypeError."""
        values = []
        for name, constant, write in self.slots:
            value = constant if name is None else given[name]
            values.append(value if write is None or value is None else write(value))
        return values


def compile_statement(statement: Any, kind: str, role: Role) -> Compiled:
    """Compile for `kind` ("sqlite" or "postgresql") and `role`, with the policies of every table it touches.

    Raises `PolicyRefused` when the role can never run it.
    """
    dialect = dialect_for(kind, role)
    if role is not Role.SERVICE and not isinstance(statement, Select | CompoundSelect | Insert | Update | Delete):
        msg = f"{role} may not run a {type(statement).__name__}: no policy reaches into it"
        raise PolicyRefused(msg)
    guarded, checked = guard_writes(statement, kind, role)
    compiled = guarded.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
    slots = tuple(_slot(compiled, name, kind) for name in compiled.positiontup or ())
    readers = tuple(_readers(compiled, dialect, kind))
    record, apart = _record(compiled, readers, kind)
    columns = tuple(entry.keyname for entry in compiled._result_columns)  # noqa: SLF001 - the one place that maps rows
    bound = None
    if kind == "postgresql" and role is not Role.SERVICE and isinstance(statement, Select | CompoundSelect):
        bound = bind_in_one_trip(compiled.string, len(slots) + 1)
    return Compiled(
        sql=compiled.string,
        bound_sql=bound,
        slots=slots,
        readers=readers,
        columns=columns[:-1] if checked else columns,
        checked=checked,
        names=frozenset(name for name, _, _ in slots if name is not None and name not in IDENTITY_NAMES),
        reads=isinstance(statement, Select | CompoundSelect),
        record=record,
        apart=apart,
    )


def _slot(compiled: Any, name: str, kind: str) -> tuple[str | None, Any, Convert | None]:
    bind: BindParameter[Any] = compiled.binds[name]
    write = _writer(bind.type, compiled.dialect, kind)
    if bind.required:
        return bind.key, None, write
    constant = bind.effective_value
    return None, constant if constant is None or write is None else write(constant), None


def _writer(kind_of_column: Any, dialect: Any, kind: str) -> Convert | None:
    if isinstance(kind_of_column, PortableType):
        return kind_of_column.writers.get(kind)
    return kind_of_column._cached_bind_processor(dialect)  # type: ignore[no-any-return]  # noqa: SLF001


def _readers(compiled: Any, dialect: Any, kind: str) -> list[tuple[int, Convert, ConvertAll]]:
    found: list[tuple[int, Convert, ConvertAll]] = []
    for index, entry in enumerate(compiled._result_columns):  # noqa: SLF001
        if entry.keyname == CHECK_COLUMN:
            continue
        together: ConvertAll | None = None
        if isinstance(entry.type, PortableType):
            read: Convert | None = entry.type.readers.get(kind)
            together = entry.type.column_readers.get(kind)
        else:
            read = entry.type._cached_result_processor(dialect, None)  # noqa: SLF001
        if read is not None:
            found.append((index, read, together or read_each(read)))
    return found


Readers = tuple[tuple[int, Convert, ConvertAll], ...]


def _record(compiled: Any, readers: Readers, kind: str) -> tuple[type[msgspec.Struct] | None, Readers]:
    entries = compiled._result_columns  # noqa: SLF001
    found = [entry.type.read_as.get(kind) if isinstance(entry.type, PortableType) else None for entry in entries]
    if sum(one is not None for one in found) < FEWEST_TOGETHER:
        return None, readers
    fields = [(f"c{index}", Any if one is None else one | None) for index, one in enumerate(found)]
    record = msgspec.defstruct("Record", fields, array_like=True)
    return record, tuple(reader for reader in readers if found[reader[0]] is None)


def bind_in_one_trip(sql: str, position: int) -> str:
    """PostgreSQL: the statement that binds who asks, given at `position`, and reads in one trip."""
    # OFFSET 0 keeps the planner from flattening the inner query: it depends on the bound row and so runs after it.
    bind = f"WITH {BIND_CTE} AS MATERIALIZED (SELECT set_config('request.jwt.claims', ${position}, true) AS c)"
    fenced = f"SELECT i.* FROM ({sql}) AS i WHERE {BIND_CTE}.c IS NOT NULL OFFSET 0"  # noqa: S608 - a compiled statement
    return f"{bind} SELECT q.* FROM {BIND_CTE} CROSS JOIN LATERAL ({fenced}) AS q"  # noqa: S608
