"""Column types that mean the same on SQLite (STRICT tables) and on PostgreSQL.

Each type says how a value is written and read on each database in two plain functions, so that a compiled statement
can call them without SQLAlchemy's processors in between. SQLite keeps ids and times as text a person can read; both
sort as they should (UUIDv7 and fixed-width UTC).
"""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from operator import index
from typing import Any, cast
from uuid import UUID

import msgspec
from sqlalchemy import BigInteger, Boolean, DateTime, Integer, LargeBinary, Text
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

Convert = Callable[[Any], Any]
ConvertAll = Callable[[Sequence[Any]], Sequence[Any]]

_json_decode = msgspec.json.decode
_json_encode = msgspec.json.Encoder().encode
_ESCAPED_NUL = re.compile(rb"(?<!\\)(\\\\)*\\u0000")


# msgspec reads and writes an UUID in C, three times faster than the class itself, and a list of them in one go.
_UUIDS, _UUIDS_AND_NONE = list[UUID], list[UUID | None]


def _read_uuid(text: str) -> UUID:
    return msgspec.convert(text, UUID)


def _read_uuids(texts: Sequence[str | None]) -> Sequence[UUID | None]:
    return msgspec.convert(texts, _UUIDS_AND_NONE if None in texts else _UUIDS)


def _write_uuid(value: object) -> str:
    # msgspec would take anything: a number, a text, a list.
    if not isinstance(value, UUID):
        msg = f"an id is an UUID, not a {type(value).__name__}"
        raise TypeError(msg)
    return cast("str", msgspec.to_builtins(value))


def read_each(read: Convert) -> ConvertAll:
    """The reader of many values of a column, of which some may be None."""
    return partial(_read_each, read)


def _read_each(read: Convert, values: Sequence[Any]) -> list[Any]:
    # Without a None all of it stays in C.
    if None in values:
        return [None if value is None else read(value) for value in values]
    return list(map(read, values))


def write_time(at: datetime) -> str:
    """A time as SQLite keeps it: `2026-01-31T12:00:00.000000Z`, always UTC, always 27 characters."""
    if at.tzinfo is None:
        msg = "a time without a zone cannot be stored; use an aware UTC datetime"
        raise ValueError(msg)
    utc = at.astimezone(UTC)
    if utc.microsecond and type(utc) is datetime:
        # Ten times faster, and every look at the clock in SQL comes by here; but it leaves microseconds of 0 out.
        return cast("str", msgspec.to_builtins(utc))
    return utc.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _aware(at: datetime) -> datetime:
    if at.tzinfo is None:
        msg = "a time without a zone cannot be stored; use an aware UTC datetime"
        raise ValueError(msg)
    return at


class UnstorableText(ValueError):
    """Text that a database cannot keep: it holds the character NUL or half a surrogate. Refused on both alike."""


def _write_json(value: Any) -> str:
    return encode_json(value).decode()


def encode_json(value: Any) -> bytes:
    """JSON as both databases keep it; raises `UnstorableText` for a NUL or half a surrogate anywhere inside."""
    try:
        encoded = _json_encode(value)
    except UnicodeEncodeError as error:
        raise UnstorableText from error
    if b"\\u0000" in encoded and _ESCAPED_NUL.search(encoded):
        raise UnstorableText
    return encoded


def _write_text(text: str) -> str:
    if "\0" in text:
        raise UnstorableText
    return text


class PortableType(TypeDecorator[Any]):
    """A column type with one reader and one writer per database; `None` stands for "as it is"."""

    impl: type[TypeEngine[Any]] = Text
    cache_ok = True
    on_postgresql: TypeEngine[Any] = Text()
    on_sqlite: TypeEngine[Any] = Text()
    writers: dict[str, Convert] = {}
    readers: dict[str, Convert] = {}
    column_readers: dict[str, ConvertAll] = {}
    """Where there is a quicker way to read many values, None among them, than one by one."""
    read_as: dict[str, Any] = {}
    """Where msgspec reads the same: the type it reads, several columns of a record in one go."""

    def __init_subclass__(cls, **kw: Any) -> None:
        # SQLAlchemy asks each class by itself whether its statements may be cached.
        cls.cache_ok = True
        for quicker in ("column_readers", "read_as"):
            if "readers" in cls.__dict__ and quicker not in cls.__dict__:
                # What is inherited would read otherwise than `readers`.
                setattr(cls, quicker, {})
        super().__init_subclass__(**kw)

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        # Not `type_descriptor`: the asyncpg dialect would turn TEXT into VARCHAR.
        return self.on_sqlite if dialect.name == "sqlite" else self.on_postgresql

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        write = self.writers.get(dialect.name)
        return value if value is None or write is None else write(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        read = self.readers.get(dialect.name)
        return value if value is None or read is None else read(value)

    def coerce_compared_value(self, op: Any, value: Any) -> TypeEngine[Any]:
        return self


class Id(PortableType):
    """An UUID; `uuid` on PostgreSQL, canonical text on SQLite."""

    on_postgresql = postgresql.UUID(as_uuid=True)
    writers = {"sqlite": _write_uuid}
    readers = {"sqlite": _read_uuid}
    column_readers = {"sqlite": _read_uuids}
    read_as = {"sqlite": UUID}


class IdList(PortableType):
    """Many ids bound as one value: `uuid[]` on PostgreSQL, a JSON array of text on SQLite. Never a column."""

    on_postgresql = postgresql.ARRAY(postgresql.UUID(as_uuid=True))
    writers = {"sqlite": lambda ids: _write_json([_write_uuid(one) for one in ids]), "postgresql": list}


class TextList(PortableType):
    """Many texts bound as one value: `text[]` on PostgreSQL, a JSON array on SQLite. Never a column."""

    on_postgresql = postgresql.ARRAY(Text())
    writers = {"sqlite": lambda texts: _write_json(list(texts)), "postgresql": list}


class UtcDateTime(PortableType):
    """An aware UTC time; `timestamptz` on PostgreSQL, fixed-width text on SQLite."""

    on_postgresql = DateTime(timezone=True)
    writers = {"sqlite": write_time, "postgresql": _aware}
    readers = {"sqlite": datetime.fromisoformat}
    read_as = {"sqlite": datetime}


class Json(PortableType):
    """Any JSON value; `jsonb` on PostgreSQL, text on SQLite. Both are read and written by msgspec.

    NaN and infinities become null. A whole float from 2**53 on comes back from PostgreSQL as an int.
    """

    on_postgresql = postgresql.JSONB(none_as_null=True)
    writers = {"sqlite": _write_json}
    readers = {"sqlite": _json_decode}

    def bind_processor(self, dialect: Dialect) -> Any:
        # The connection's own jsonb codec encodes; SQLAlchemy's would encode a second time.
        return None if dialect.name == "postgresql" else super().bind_processor(dialect)

    def result_processor(self, dialect: Dialect, coltype: Any) -> Any:
        return None if dialect.name == "postgresql" else super().result_processor(dialect, coltype)


class Flag(PortableType):
    """True or false; `boolean` on PostgreSQL, 0 or 1 on SQLite (the table adds the CHECK)."""

    impl = Boolean
    # So that `.is_(True)` names the constant; PostgreSQL takes no parameter behind IS.
    coerce_to_is_types = (type(None), bool)
    on_postgresql = Boolean()
    on_sqlite = Integer()
    writers = {"sqlite": int}
    readers = {"sqlite": bool}


class Whole(PortableType):
    """A whole number of 64 bits."""

    impl = BigInteger
    on_postgresql = BigInteger()
    on_sqlite = Integer()
    # SQLite would make a number of "1" and of 1.0, PostgreSQL's driver refuses both.
    writers = {"sqlite": index}


class Bytes(PortableType):
    """Raw bytes: hashes, never secrets in the clear."""

    impl = LargeBinary
    on_postgresql = LargeBinary()
    on_sqlite = LargeBinary()


class Words(PortableType):
    """Text of any length; the length rule stands as a CHECK on the table. NUL is refused (`UnstorableText`)."""

    writers = {"sqlite": _write_text, "postgresql": _write_text}
