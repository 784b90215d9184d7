"""The declarative base of every table, and the columns that all of them share.

Mapped classes are tables and named in the plural (`Users`); what a statement returns is a row struct (`User`).
"""

from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column

from ..policies import Policy
from ..sql import now
from .types import Flag, Id, PortableType, UtcDateTime

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """The base of every table. A subclass declares `__policy__`; constraints are named by one convention."""

    metadata = MetaData(naming_convention=NAMING)
    __policy__: Policy
    __append_only__: bool = False
    # What the database fills in comes back with the INSERT: a session cannot load it when it is first looked at.
    __mapper_args__: Any = {"eager_defaults": True}

    @classmethod
    def __init_subclass__(cls, **kw: Any) -> None:
        super().__init_subclass__(**kw)
        table = cls.__dict__.get("__table__")
        if table is not None:
            table.kwargs["sqlite_strict"] = True
            table.info["policy"] = cls.__dict__.get("__policy__")
            table.info["append_only"] = cls.__append_only__
            for flag in [one for one in table.c if isinstance(one.type, Flag)]:
                table.append_constraint(CheckConstraint(f"{flag.name} IN (true, false)", name=f"{flag.name}_flag"))


def id_column() -> Mapped[UUID]:
    """The primary key: an UUIDv7 that the caller makes (`new_id`), never the database."""
    return mapped_column(Id(), primary_key=True)


class Created:
    """Adds `created_at`, stamped by the database when the statement gives none."""

    @declared_attr
    @classmethod
    def created_at(cls) -> Mapped[Any]:
        return mapped_column(UtcDateTime(), nullable=False, server_default=now(), sort_order=90)


class Touched(Created):
    """Adds `created_at` and `updated_at`; a trigger keeps both right in both databases."""

    @declared_attr
    @classmethod
    def updated_at(cls) -> Mapped[Any]:
        return mapped_column(UtcDateTime(), nullable=False, server_default=now(), sort_order=91)


def column(kind: PortableType, *args: Any, **kw: Any) -> Mapped[Any]:
    """A column that must be given (NOT NULL) unless `nullable=True` is said."""
    kw.setdefault("nullable", False)
    return mapped_column(kind, *args, **kw)


def length_between(name: str, low: int, high: int, *, column: str | None = None) -> CheckConstraint:
    """`low <= length(column) <= high` in characters; NULL passes where the column allows it."""
    return CheckConstraint(f"length({column or name}) BETWEEN {low} AND {high}", name=f"{name}_length")


def one_of(name: str, *values: str) -> CheckConstraint:
    """The column holds one of these words."""
    words = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{name} IN ({words})", name=f"{name}_known")
