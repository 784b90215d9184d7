"""What others' JSON says, taken for what it should be or for nothing: no value of it raises, whatever it is.

Text that a database refuses (NUL, half a surrogate pair), numbers beyond 64 bits, times without a zone and addresses
that are no web pages count as absent.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec

from ..errors import EventMalformed
from ..snapshots import RECEIVED, ExternalId, PaymentStatus

TEXT_MAX = 2000
_WHOLE_MAX = 2**63 - 1


def decoded(body: bytes) -> dict[str, Any]:
    """The object that a verified event is. Raises `EventMalformed` when it is none."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise EventMalformed(internal="no JSON") from None
    if not isinstance(document, dict):
        raise EventMalformed(internal="no JSON object")
    return document


def at(value: object, *path: str) -> Any:
    """What lies at a path of keys; None where something on the way is missing, or no object."""
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def objects(value: object) -> list[dict[str, Any]]:
    """The objects of a list; [] for what is no list."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def text(value: object) -> str | None:
    """Text that is not empty, at most 2 000 characters of it."""
    if not isinstance(value, str) or not value or "\0" in value or not _is_writable(value):
        return None
    return value[:TEXT_MAX]


def whole(value: object) -> int | None:
    """A whole number that is not negative."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value <= _WHOLE_MAX else None


def moment(value: object) -> datetime | None:
    """A time in ISO 8601 with a zone, in UTC."""
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        found = datetime.fromisoformat(value)
        return found.astimezone(UTC) if found.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def identifier(value: object) -> ExternalId | None:
    """An id, which some give as a number: printable ASCII without spaces, at most 200 characters."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _WHOLE_MAX:
        value = str(value)
    if not isinstance(value, str) or not 1 <= len(value) <= 200 or not value.isascii() or not value.isprintable():
        return None
    return None if " " in value else ExternalId(value)


def uuid_of(*values: object) -> UUID | None:
    """The first that is a UUID in its usual form."""
    for value in values:
        if isinstance(value, str) and len(value) == 36:
            try:
                return UUID(value)
            except ValueError:
                continue
    return None


def currency(value: object) -> str:
    """A currency in capital letters; USD where there is none."""
    is_one = isinstance(value, str) and len(value) == 3 and value.isascii() and value.isalpha()
    return str(value).upper() if is_one else "USD"


def page_address(value: object) -> str | None:
    """The address of a web page: what a browser may be sent to."""
    found = text(value)
    if found is None or not found.isascii() or not found.isprintable() or " " in found:
        return None
    return found if found.startswith(("https://", "http://")) else None


def details(value: object) -> dict[str, str]:
    """Metadata, its values as text; what is nested is left out."""
    found = {}
    for key, one in value.items() if isinstance(value, dict) else ():
        said = str(one).lower() if isinstance(one, bool) else str(one) if isinstance(one, float) else None
        said = said or (str(one) if whole(one) is not None else text(one))
        if text(key) and said:
            found[key] = said
    return found


def settled(status: PaymentStatus | None, amount: int, refunded: int) -> tuple[PaymentStatus | None, int]:
    """A payment's state and what was given back of it, so that the two agree and it never exceeds the amount."""
    given = min(amount, refunded)
    if status == "refunded" and not given:
        given = amount
    if status in RECEIVED and given:
        return ("refunded" if given == amount else "partially_refunded"), given
    return status, given


def latest(moments: Iterable[datetime | None]) -> datetime | None:
    """The latest of those that are known."""
    return max((one for one in moments if one is not None), default=None)


def _is_writable(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
