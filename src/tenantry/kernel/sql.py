"""The few SQL functions whose spelling differs between the databases: time, windows, lists, JSON, case.

Rooms use these and `count`, `sum`, `min`, `max`, `coalesce`, `length` only; a house test refuses other `func` names,
because intervals and `date_trunc` compile for SQLite to nonsense without an error.
"""

from typing import Any

from sqlalchemy import Boolean, ColumnElement, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import expression
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from .database.types import Flag, Id, IdList, Json, PortableType, TextList, UtcDateTime, Whole, Words


class _Portable(FunctionElement[Any]):
    """A function written `name(args)`, named differently on each database."""

    inherit_cache = True
    on_postgresql = ""
    on_sqlite = ""


@compiles(_Portable)
def _portable(element: _Portable, compiler: SQLCompiler, **kw: Any) -> str:
    name = element.on_sqlite if compiler.dialect.name == "sqlite" else element.on_postgresql
    return f"{name}({compiler.process(element.clauses, **kw)})"


class now(_Portable):  # noqa: N801 - written like the SQL function it is
    """The database's time: `tenantry.now()`, or the function the SQLite connection registered. Tests freeze both."""

    type = UtcDateTime()
    inherit_cache = True
    on_postgresql = "tenantry.now"
    on_sqlite = "tenantry_now"


class plus(_Portable):  # noqa: N801
    """`plus(time, seconds)`: the time that many seconds later (earlier when negative)."""

    type = UtcDateTime()
    inherit_cache = True
    on_postgresql = "tenantry.plus"
    on_sqlite = "tenantry_plus"

    def __init__(self, at: ColumnElement[Any], seconds: Any) -> None:
        super().__init__(at, expression.literal(seconds, Whole()) if isinstance(seconds, int) else seconds)


class window_start(_Portable):  # noqa: N801
    """`window_start(per, at, period_start, period_end)`: when the day or month that holds `at` began.

    The period is the holder's billing period, NULL where there is none; the rules stand in `kernel/windows.py`.
    """

    type = UtcDateTime()
    inherit_cache = True
    on_postgresql = "tenantry.window_start"
    on_sqlite = "tenantry_window_start"

    def __init__(self, per: Any, at: ColumnElement[Any], period_start: Any, period_end: Any) -> None:
        per = expression.literal(per, Words()) if isinstance(per, str) else per
        super().__init__(per, at, period_start, period_end)


class window_end(window_start):  # noqa: N801
    """`window_end(per, at, period_start, period_end)`: when that window ends, which is when the next one begins."""

    inherit_cache = True
    on_postgresql = "tenantry.window_end"
    on_sqlite = "tenantry_window_end"


class day_of(FunctionElement[Any]):  # noqa: N801
    """`day_of(time)`: when the UTC day of a time began."""

    type = UtcDateTime()
    inherit_cache = True


@compiles(day_of)
def _day_of(element: day_of, compiler: SQLCompiler, **kw: Any) -> str:
    at = compiler.process(element.clauses, **kw)
    if compiler.dialect.name == "sqlite":
        return f"(substr({at}, 1, 10) || 'T00:00:00.000000Z')"
    return f"date_trunc('day', {at}, 'UTC')"


class add_partition(FunctionElement[Any]):  # noqa: N801
    """`add_partition(table, time)`: makes the partition of that UTC day; false when there is none to make.

    PostgreSQL's only, as `drop_partition(table, time)`, which drops the oldest that ends by then. Service login only.
    """

    type = Flag()
    inherit_cache = True
    name = "tenantry.add_partition"


class drop_partition(add_partition):  # noqa: N801
    """See `add_partition`."""

    inherit_cache = True
    name = "tenantry.drop_partition"


@compiles(add_partition, "postgresql")
@compiles(drop_partition, "postgresql")
def _partition(element: add_partition, compiler: SQLCompiler, **kw: Any) -> str:
    return f"{element.name}({compiler.process(element.clauses, **kw)})"


class notify(FunctionElement[Any]):  # noqa: N801
    """`notify("channel", payload)`: PostgreSQL's `pg_notify`, told when the transaction commits. SQLite has none."""

    type = Words()
    inherit_cache = True

    def __init__(self, channel: str, payload: ColumnElement[Any]) -> None:
        super().__init__(expression.literal(channel, Words()), payload)


@compiles(notify, "postgresql")
def _notify(element: notify, compiler: SQLCompiler, **kw: Any) -> str:
    return f"pg_notify({compiler.process(element.clauses, **kw)})"


class greatest(_Portable):  # noqa: N801
    """The larger of its arguments; NULL handling differs, so never hand it a NULL."""

    type = Whole()
    inherit_cache = True
    on_postgresql = "greatest"
    on_sqlite = "max"


class least(greatest):  # noqa: N801
    """The smaller of its arguments."""

    inherit_cache = True
    on_postgresql = "least"
    on_sqlite = "min"


class folded(_Portable):  # noqa: N801
    """Text without regard to case; what an index over it serves."""

    type = Words()
    inherit_cache = True
    on_postgresql = "lower"
    on_sqlite = "lower"


class current_user_id(FunctionElement[Any]):  # noqa: N801
    """Who asks, in a policy: bound by the unit in a statement, `tenantry.uid()` in PostgreSQL's row policy."""

    type = Id()
    inherit_cache = True
    bound_as = "_user_id"
    in_policy = "(select tenantry.uid())"


class current_organization_ids(FunctionElement[Any]):  # noqa: N801
    """The organizations of who asks, in a policy; use it inside `any_of`."""

    type = IdList()
    inherit_cache = True
    bound_as = "_organization_ids"
    in_policy = "(select tenantry.organization_ids())::uuid[]"


@compiles(current_user_id)
@compiles(current_organization_ids)
def _identity(
    element: current_user_id | current_organization_ids, compiler: SQLCompiler, *, in_policy: bool = False, **kw: Any
) -> str:
    if in_policy or getattr(compiler, "renders_policy", False):
        return element.in_policy
    return str(compiler.process(bindparam(element.bound_as, type_=element.type), **kw))


class any_of(FunctionElement[bool]):  # noqa: N801
    """`any_of(column, list)`: the column is one of a list that is bound as a single value, however long it is.

    `IN (...)` would make another statement for every length.
    """

    type = Boolean()
    inherit_cache = True

    def __init__(self, column: Any, values: Any) -> None:
        if isinstance(values, str):
            kind: PortableType = IdList() if isinstance(column.type, Id) else TextList()
            values = bindparam(values, type_=kind)
        super().__init__(column, values)

    def self_group(self, against: Any = None) -> "any_of":
        del against  # SQLite would otherwise compare the test with 1
        return self


@compiles(any_of)
def _any_of(element: any_of, compiler: SQLCompiler, **kw: Any) -> str:
    column, values = element.clauses
    left, right = compiler.process(column, **kw), compiler.process(values, **kw)
    if compiler.dialect.name == "sqlite":
        return f"({left} IN (SELECT value FROM json_each({right})))"  # noqa: S608 - compiled parts only
    return f"({left} = ANY ({right}))"


class json_whole(FunctionElement[Any]):  # noqa: N801
    """`json_whole(column, key)`: the whole number under that key of a JSON object, NULL when absent or null."""

    type = Whole()
    inherit_cache = True


@compiles(json_whole)
def _json_whole(element: json_whole, compiler: SQLCompiler, **kw: Any) -> str:
    column, key = (compiler.process(clause, **kw) for clause in element.clauses)
    cast = "INTEGER" if compiler.dialect.name == "sqlite" else "BIGINT"
    return f"CAST({column} ->> {key} AS {cast})"


class entries(FunctionElement[Any]):  # noqa: N801
    """`entries("name")`: the members of a JSON list that is bound as a single value, a row each, to be selected from.

    `entries("asked").rows()` has one column, `value`; `member` reads what is inside.
    """

    type = Json()
    inherit_cache = True

    def __init__(self, name: str) -> None:
        super().__init__(bindparam(name, type_=Json()))

    def rows(self) -> Any:
        return self.table_valued(expression.column("value", Json()), name="entry")


@compiles(entries)
def _entries(element: entries, compiler: SQLCompiler, **kw: Any) -> str:
    name = "json_each" if compiler.dialect.name == "sqlite" else "jsonb_array_elements"
    return f"{name}({compiler.process(element.clauses, **kw)})"


class member(FunctionElement[Any]):  # noqa: N801
    """`member(value, "key", Whole())`: a member of a JSON object as an id, a time, a text, a whole number, or JSON.

    Ids and times are given as `written` has them, so that both databases read them alike.
    """

    inherit_cache = True

    def __init__(self, value: Any, key: str, kind: PortableType) -> None:
        super().__init__(value, expression.literal(key, Words()))
        self.type = kind


@compiles(member)
def _member(element: member, compiler: SQLCompiler, **kw: Any) -> str:
    value, key = (compiler.process(clause, **kw) for clause in element.clauses)
    if isinstance(element.type, Json):
        return f"({value} -> {key})"
    if compiler.dialect.name == "sqlite":
        return f"CAST({value} ->> {key} AS {'INTEGER' if isinstance(element.type, Whole) else 'TEXT'})"
    kind = compiler.dialect.type_compiler_instance.process(element.type)
    return f"CAST({value} ->> {key} AS {kind})"
