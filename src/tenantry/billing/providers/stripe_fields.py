"""Reading single fields of Stripe's documents. Nothing is trusted: what has the wrong type or size is as if absent."""

from datetime import UTC, datetime
from typing import Any, TypeAlias, TypeVar
from uuid import UUID

from ..snapshots import ExternalId

Document: TypeAlias = dict[str, Any]
AMOUNT_MAX = 10**15
"""Far above every payment, and far below what a database's integer holds."""
_TIME_MAX = 253_402_300_799  # the end of the year 9999
_TEXT_CHARACTERS_MAX = 5000
_T = TypeVar("_T")


def table(value: object) -> Document:
    """The value if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def rows(value: object) -> list[Document]:
    """The JSON objects of one of Stripe's lists."""
    data = table(value).get("data")
    return [one for one in data if isinstance(one, dict)] if isinstance(data, list) else []


def text(value: object, *, characters_max: int = _TEXT_CHARACTERS_MAX) -> str | None:
    """Text that a database can hold, cut to size; None when it is empty."""
    if not isinstance(value, str):
        return None
    # NUL and lone surrogates are legal in JSON and in no database.
    return value[:characters_max].replace("\0", "").encode("utf-8", "ignore").decode() or None


def id_of(value: object) -> ExternalId | None:
    """The id of an object, whether Stripe wrote the id alone or expanded the object."""
    found = value.get("id") if isinstance(value, dict) else value
    if not isinstance(found, str) or not 1 <= len(found) <= 255 or not found.isprintable():
        return None
    return ExternalId(found)


def whole(value: object, *, most: int = AMOUNT_MAX) -> int | None:
    """A number from zero to `most`."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        return None
    return value


def when(value: object) -> datetime | None:
    """A time, from Stripe's whole seconds since 1970."""
    seconds = whole(value, most=_TIME_MAX)
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def currency_of(value: object) -> str | None:
    """A currency in capital letters."""
    return value.upper() if isinstance(value, str) and len(value) == 3 and value.isascii() and value.isalpha() else None


def details_of(metadata: object) -> dict[str, str]:
    """Metadata as text."""
    pairs = [(text(name, characters_max=255), text(value)) for name, value in table(metadata).items()]
    return {name: value or "" for name, value in pairs if name is not None}


def holder_of(*metadata: object) -> UUID | None:
    """Whom our checkout or our customer was made for: the first metadata that says it."""
    for one in metadata:
        try:
            return UUID(table(one).get("holder_id"))
        except (TypeError, ValueError, AttributeError):
            continue
    return None


def first(*values: _T | None) -> _T | None:
    """The first value that is there. Stripe moved many fields, and writes null where one has gone."""
    return next((one for one in values if one is not None), None)
