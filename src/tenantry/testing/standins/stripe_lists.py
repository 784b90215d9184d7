"""Lists of the stand-in for Stripe, and what is expanded in an answer."""

from collections.abc import Iterator
from typing import Any

from .stripe_account import Account
from .stripe_shapes import Document, Refused, missing, shaped

_EXPAND_MAX = 4


def expand(found: Document, property_: str, account: Account) -> None:
    """Put the object in the place of its id, at most four levels deep."""
    path = property_.split(".")
    if len(path) > _EXPAND_MAX:
        raise Refused(f"You cannot expand more than {_EXPAND_MAX} levels of a property. Property: {property_}")
    for one in _reached(found, path[:-1], account):
        one[path[-1]] = _expanded(one, path[-1], account)


def page(found: list[Document], paging: Document) -> Document:
    """One page of a list."""
    limit, after = int(paging.get("limit", 10)), paging.get("starting_after")
    if not 1 <= limit <= 100:
        raise Refused("This value must be between 1 and 100.", param="limit")
    start = next((number + 1 for number, one in enumerate(found) if one["id"] == after), 0)
    if after is not None and not start:
        raise missing("object", after)
    return {
        "object": "list",
        "url": "/v1",
        "data": found[start : start + limit],
        "has_more": len(found) > start + limit,
    }


def matches(value: object, wanted: object) -> bool:
    """Whether a field is what a list is asked for."""
    if isinstance(wanted, dict):
        return isinstance(value, dict) and all(matches(value.get(key), one) for key, one in wanted.items())
    return (str(value).lower() if isinstance(value, bool) else value) == wanted


def _reached(found: Document, path: list[str], account: Account) -> Iterator[Document]:
    if not path:
        yield found
        return
    value = found["data"] if path[0] == "data" else _expanded(found, path[0], account)
    if path[0] != "data" and value is not None:
        found[path[0]] = value
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, dict):
            yield from _reached(one, path[1:], account)


def _expanded(one: Document, name: str, account: Account) -> Any:
    if one["object"] == "invoice" and name == "payments":
        return page([pay for pay in account.of("invoice_payment") if pay["invoice"] == one["id"]], {})
    if name not in one:
        raise Refused(f"This property cannot be expanded ({name}).", param="expand")
    value = one[name]
    known = account.objects.get(value) if isinstance(value, str) else None
    return value if known is None else shaped(known, account.shape)
