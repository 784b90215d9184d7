"""SQLAlchemy expressions turned into a driver's SQL, with the table's policy inside. Done once per statement and role.

Every table a statement reads is rendered as `(SELECT * FROM t WHERE <policy>) AS t`, wherever it stands: joins, outer
joins, aliases, CTEs, EXISTS. Both databases flatten it, so it costs nothing, and no place can be forgotten. Written
tables get the predicate in their WHERE, and the check of the new row rides as a RETURNING column.

This leans on SQLAlchemy internals (`visit_table`, `positiontup`, `_result_columns`): the minor version is pinned, and
`tests/kernel/database` compiles every column type on both databases.
"""

from copy import copy
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, Delete, Insert, Select, Table, Update, and_
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import BindParameter

from ..policies import Command, Role, policy_of, predicate_for, refuse_columns
from .types import Convert, PortableType

CHECK_COLUMN = "_policy_holds"
BIND_CTE = "_bound"
IDENTITY_NAMES = ("_user_id", "_organization_ids")


class _PolicyCompiler(SQLCompiler):
    """Renders each table that is read together with its policy."""

    role: Role | None = None

    def visit_table(self, table: Table, asfrom: bool = False, iscrud: bool = False, **kw: Any) -> str:  # type: ignore[override]  # noqa: FBT001, FBT002 - SQLAlchemy's own signature
        text: str = super().visit_table(table, asfrom=asfrom, iscrud=iscrud, **kw)  # type: ignore[no-untyped-call]
        role = self.dialect.tenantry_role  # type: ignore[attr-defined]
        if not asfrom or iscrud or role is None or role is Role.SERVICE:
            return text
        rows = self._process_apart(predicate_for(table, role, Command.READ), table)
        readable = policy_of(table).rights(role).read_columns
        shown = "*" if readable is None else ", ".join(self.preparer.quote(name) for name in readable)
        filtered = f"(SELECT {shown} FROM {text} WHERE {rows})"  # noqa: S608 - made of compiled parts only
        return filtered if kw.get("enclosing_alias") is not None else f"{filtered} AS {text}"

    def _process_apart(self, predicate: ColumnElement[bool], table: Table) -> str:
        # A subquery in a policy correlates with its own table only, whatever the statement around it reads.
        own = {table, table.metadata.tables[table.key]}
        around = dict(self.stack[-1]) if self.stack else {}
        self.stack.append({**around, "correlate_froms": own, "asfrom_froms": own})  # type: ignore[typeddict-item]
        try:
            return str(self.process(predicate))
        finally:
            self.stack.pop()


_PostgresBase: Any = PGDialect_asyncpg.statement_compiler
_SqliteBase: Any = SQLiteDialect_pysqlite.statement_compiler


class _PostgresCompiler(_PolicyCompiler, _PostgresBase):  # type: ignore[misc]
    pass


class _SqliteCompiler(_PolicyCompiler, _SqliteBase):  # type: ignore[misc]
    pass


class _PostgresDialect(PGDialect_asyncpg):
    statement_compiler = _PostgresCompiler
    supports_statement_cache = True
    tenantry_role: Role | None = None


class _SqliteDialect(SQLiteDialect_pysqlite):
    statement_compiler = _SqliteCompiler
    supports_statement_cache = True
    tenantry_role: Role | None = None


def dialect_for(kind: str, role: Role | None) -> Any:
    """A dialect that compiles for one role; `role=None` adds no policy (DDL, migrations)."""
    made: Any = _SqliteDialect if kind == "sqlite" else _PostgresDialect
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
    readers: tuple[tuple[int, Convert], ...]
    columns: tuple[str, ...]
    checked: bool
    """The last column says whether each new row obeys the policy."""
    names: frozenset[str]
    reads: bool
    """A plain SELECT, which a reading unit may run."""

    def arguments(self, given: dict[str, Any]) -> list[Any]:
        """The positional parameters in order; an unknown or missing name is a KeyError or TypeError."""
        return [
            constant if name is None else (given[name] if write is None or given[name] is None else write(given[name]))
            for name, constant, write in self.slots
        ]


def compile_statement(statement: Any, kind: str, role: Role) -> Compiled:
    """Compile for `kind` ("sqlite" or "postgresql") and `role`, with the policies of every table it touches.

    Raises `PolicyRefused` when the role can never run it.
    """
    dialect = dialect_for(kind, role)
    guarded, checked = _guard(statement, kind, role)
    compiled = guarded.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
    slots = tuple(_slot(compiled, name, kind) for name in compiled.positiontup or ())
    columns = tuple(entry.keyname for entry in compiled._result_columns)  # noqa: SLF001 - the one place that maps rows
    bound = None
    if kind == "postgresql" and role is not Role.SERVICE and isinstance(statement, Select | CompoundSelect):
        bound = _bind_in_one_trip(compiled.string, len(slots) + 1)
    return Compiled(
        sql=compiled.string,
        bound_sql=bound,
        slots=slots,
        readers=tuple(_readers(compiled, dialect, kind)),
        columns=columns[:-1] if checked else columns,
        checked=checked,
        names=frozenset(name for name, _, _ in slots if name is not None and name not in IDENTITY_NAMES),
        reads=isinstance(statement, Select | CompoundSelect),
    )


def _guard(statement: Any, kind: str, role: Role) -> tuple[Any, bool]:
    """The statement with the policies of the table it writes; says whether it now returns a check column."""
    if not isinstance(statement, Insert | Update | Delete):
        return statement, False
    table: Any = statement.table
    if role is Role.SERVICE:
        predicate_for(table, role, _command(statement))
        return statement, False
    if isinstance(statement, Insert):
        return _guard_insert(statement, kind, role)
    if isinstance(statement, Update):
        refuse_columns(table, role, Command.UPDATE, _written(statement))
        allowed = predicate_for(table, role, Command.UPDATE)
        if _unreadable(table, kind, role):
            return statement.where(allowed), False
        return statement.where(allowed).returning(allowed.label(CHECK_COLUMN)), True
    return statement.where(predicate_for(table, role, Command.DELETE)), False


def _guard_insert(statement: Any, kind: str, role: Role) -> tuple[Any, bool]:
    table = statement.table
    refuse_columns(table, role, Command.INSERT, _written(statement))
    check = predicate_for(table, role, Command.INSERT)
    upsert = statement._post_values_clause  # noqa: SLF001 - SQLAlchemy offers no public way to read ON CONFLICT
    if upsert is not None and hasattr(upsert, "update_values_to_set"):
        written = {key if isinstance(key, str) else key.key for key in dict(upsert.update_values_to_set)}
        refuse_columns(table, role, Command.UPDATE, written)
        allowed = predicate_for(table, role, Command.UPDATE)
        upsert = copy(upsert)
        where = upsert.update_whereclause
        upsert.update_whereclause = allowed if where is None else and_(where, allowed)
        statement = statement._generate()  # noqa: SLF001 - a copy, so that the declared statement stays as written
        statement._post_values_clause = upsert  # noqa: SLF001
        check = and_(check, allowed)
    if _unreadable(table, kind, role):
        return statement, False
    return statement.returning(check.label(CHECK_COLUMN)), True


def _unreadable(table: Table, kind: str, role: Role) -> bool:
    # PostgreSQL's RETURNING needs the right to read; where the writer has none, row level security alone checks.
    return kind == "postgresql" and policy_of(table).rights(role).read is None


def _command(statement: Any) -> Command:
    if isinstance(statement, Insert):
        return Command.INSERT
    return Command.UPDATE if isinstance(statement, Update) else Command.DELETE


def _written(statement: Any) -> set[str]:
    named = statement._values or {}  # noqa: SLF001 - there is no public way to ask which columns are set
    chosen = getattr(statement, "_select_names", None) or ()
    return {key if isinstance(key, str) else key.key for key in (*named, *chosen)}


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


def _readers(compiled: Any, dialect: Any, kind: str) -> list[tuple[int, Convert]]:
    found: list[tuple[int, Convert]] = []
    for index, entry in enumerate(compiled._result_columns):  # noqa: SLF001
        if isinstance(entry.type, PortableType):
            read: Convert | None = entry.type.readers.get(kind)
        else:
            read = entry.type._cached_result_processor(dialect, None)  # noqa: SLF001
        if read is not None:
            found.append((index, read))
    return found


def _bind_in_one_trip(sql: str, position: int) -> str:
    # OFFSET 0 keeps the planner from flattening the inner query: it depends on the bound row and so runs after it.
    bind = f"WITH {BIND_CTE} AS MATERIALIZED (SELECT set_config('request.jwt.claims', ${position}, true) AS c)"
    fenced = f"SELECT i.* FROM ({sql}) AS i WHERE {BIND_CTE}.c IS NOT NULL OFFSET 0"  # noqa: S608 - a compiled statement
    return f"{bind} SELECT q.* FROM {BIND_CTE} CROSS JOIN LATERAL ({fenced}) AS q"  # noqa: S608
