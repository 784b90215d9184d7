"""What every table keeps, read from the models."""

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, MetaData, PrimaryKeyConstraint, Table, UniqueConstraint
from sqlalchemy.schema import Constraint

from tenantry.kernel.database import Base
from tenantry.kernel.database.types import IdList, PortableType, TextList, UtcDateTime, Words
from tenantry.kernel.policies import Policy

from .tree import PACKAGE, Finding

OWNERS = ("holder_id", "user_id", "organization_id", "workspace_id")
WORD_COLUMNS = ("kind", "status", "state", "role", "type", "purpose", "tier", "visibility", "source")
TIME_ENDINGS = ("_at", "_until", "_start", "_end", "expires")
_PREFIXES: list[tuple[type[Constraint], str]] = [
    (PrimaryKeyConstraint, "pk"),
    (UniqueConstraint, "uq"),
    (CheckConstraint, "ck"),
    (ForeignKeyConstraint, "fk"),
]
NAME_BYTES = 63  # PostgreSQL cuts longer ones


def all_tables() -> list[Table]:
    """Every table of the package, all models loaded, in the order they are made."""
    for path in [*PACKAGE.rglob("models.py"), PACKAGE / "kernel" / "audit.py"]:
        import_module(".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts))
    return Base.metadata.sorted_tables


def rooms_of_tables() -> dict[str, str]:
    """Which room each table belongs to."""
    return {
        str(mapper.local_table.name): mapper.class_.__module__.split(".")[1]  # type: ignore[attr-defined]
        for mapper in Base.registry.mappers
        # Other tests map tables of their own, with metadata of their own, or take them out again.
        if Base.metadata.tables.get(mapper.local_table.name) is mapper.local_table  # type: ignore[attr-defined]
    }


def unexplained(rooms: Mapping[str, str], readme_of: Callable[[str], str]) -> Iterator[Finding]:
    """Tables that the README of their room does not name."""
    for table, room in rooms.items():
        if f"`{table}`" not in readme_of(room):
            yield Finding(table, 1, f"the README of {room} does not name it")


def open_or_loose(tables: list[Table]) -> Iterator[Finding]:
    """Tables without a policy, or not STRICT on SQLite."""
    for table in tables:
        if not isinstance(table.info.get("policy"), Policy):
            yield _of(table, "declares no __policy__")
        if not table.kwargs.get("sqlite_strict"):
            yield _of(table, "is not STRICT on SQLite")


def foreign_types(tables: list[Table]) -> Iterator[Finding]:
    """Columns whose type is not one of ours, times that are no UtcDateTime, defaults that Python would make."""
    for table in tables:
        for column in table.columns:
            if not isinstance(column.type, PortableType) or isinstance(column.type, IdList | TextList):
                yield _of(table, f"{column.type!r} is not a column type of ours", column.name)
            elif column.name.endswith(TIME_ENDINGS) and not isinstance(column.type, UtcDateTime):
                yield _of(table, f"is a time and should be UtcDateTime, not {column.type!r}", column.name)
            if column.default is not None or column.onupdate is not None:
                yield _of(table, "a default of Python's does not run in a compiled statement", column.name)


def open_words(tables: list[Table]) -> Iterator[Finding]:
    """Columns that hold one of a few words, without a CHECK that knows them."""
    for table in tables:
        known = " ".join(str(one.sqltext) for one in table.constraints if isinstance(one, CheckConstraint))
        for column in table.columns:
            few = column.name in WORD_COLUMNS or column.name.endswith(tuple(f"_{word}" for word in WORD_COLUMNS))
            refers = any(column.foreign_keys)
            if few and isinstance(column.type, Words) and not refers and f"{column.name} IN (" not in known:
                yield _of(table, "holds one of a few words; which, no CHECK says", column.name)


def loose_keys(tables: list[Table]) -> Iterator[Finding]:
    """Foreign keys without ON DELETE, or whose column leads no index: deleting a parent would read the whole table."""
    for table in tables:
        led = _leading(table)
        for key in table.foreign_key_constraints:
            names = [column.name for column in key.columns]
            if key.ondelete is None:
                yield _of(table, "its foreign key does not say what ON DELETE does", names[-1])
            if not any(set(index[: len(names)]) == set(names) for index in led):
                yield _of(table, "its foreign key leads no index", names[-1])


def loose_owners(tables: list[Table]) -> Iterator[Finding]:
    """Owners that may be NULL, and children that could refer to another owner's parent."""
    for table in tables:
        for owner in _owner_columns(table):
            if table.columns[owner].nullable:
                yield _of(table, "an owner is NOT NULL", owner)
        for key in table.foreign_key_constraints:
            parent = key.referred_table
            for owner in set(_owner_columns(parent)).intersection(_owner_columns(table)):
                pairs = {(one.parent.name, one.column.name) for one in key.elements}
                if (owner, owner) not in pairs:
                    last = key.elements[-1].parent.name
                    yield _of(table, f"refers to {parent.name} without {owner}: it may be another owner's row", last)


def parents_without_pair(tables: list[Table]) -> Iterator[Finding]:
    """Owned tables with an id that others refer to, without UNIQUE (owner, id)."""
    for table in tables:
        referred = any(key.referred_table is table for other in tables for key in other.foreign_key_constraints)
        uniques = [
            [one.name for one in unique.columns]
            for unique in table.constraints
            if isinstance(unique, UniqueConstraint | PrimaryKeyConstraint)
        ]
        for owner in _owner_columns(table):
            if referred and "id" in table.columns and [owner, "id"] not in uniques:
                yield _of(table, f"is referred to, and has no UNIQUE ({owner}, id)", owner)


def odd_names(metadata: MetaData) -> Iterator[Finding]:
    """Constraints and indexes that the naming convention did not name, or PostgreSQL would cut."""
    for table in metadata.tables.values():
        named = [(one.name, _prefix(one)) for one in table.constraints]
        named += [(one.name, "uq" if one.unique else "ix") for one in table.indexes]
        for name, prefix in named:
            if not name or not str(name).startswith(f"{prefix}_{table.name}"):
                yield _of(table, f"{name} should begin with {prefix}_{table.name}")
            elif len(str(name).encode()) > NAME_BYTES:
                yield _of(table, f"{name} is longer than {NAME_BYTES} bytes")


def _prefix(constraint: Constraint) -> str:
    return next(prefix for kind, prefix in _PREFIXES if isinstance(constraint, kind))


def _owner_columns(table: Table) -> list[str]:
    return [name for name in OWNERS if name in table.columns and table.columns[name].foreign_keys]


def _leading(table: Table) -> list[list[str]]:
    """The columns of each index, unique constraint and primary key, in order."""
    found = [[getattr(one, "name", "") for one in index.columns] for index in table.indexes]
    keys = [one for one in table.constraints if isinstance(one, UniqueConstraint | PrimaryKeyConstraint)]
    return [*found, *([one.name for one in key.columns] for key in keys)]


def _of(table: Table, what: str, column: str = "") -> Finding:
    return Finding(f"{table.name}.{column}" if column else table.name, 1, what)
