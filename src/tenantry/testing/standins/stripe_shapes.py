"""How the stand-in for Stripe writes: parameters in brackets, errors, and its objects in the shapes of three ages."""

import copy
import re
from collections.abc import Iterable
from typing import Any, Literal, TypeAlias

Document: TypeAlias = dict[str, Any]
Shape: TypeAlias = Literal["new", "old", "both"]
"""`new`: since March 2025. `old`: before. `both`: what was sent for a while between them."""
_PERIOD = ("current_period_start", "current_period_end")


class Refused(Exception):
    """An error as Stripe words it."""

    def __init__(self, message: str, *, status: int = 400, code: str | None = None, param: str | None = None) -> None:
        super().__init__(message)
        kind = "card_error" if status == 402 else "invalid_request_error"
        self.status = status
        self.document = {"error": {"type": kind, "code": code, "message": message, "param": param}}


def missing(kind: str, name: object) -> Refused:
    """There is no such object."""
    return Refused(f"No such {kind}: '{name}'", status=404, code="resource_missing", param="id")


def nested(pairs: Iterable[tuple[str, str]]) -> Document:
    """`items[0][price]=x` and `expand[]=y` as objects and lists."""
    root: Document = {}
    for name, value in pairs:
        keys = [one or None for one in re.findall(r"[^\[\]]+|(?<=\[)(?=\])", name)]
        holding: Document = root
        for number, key in enumerate(keys):
            place = str(len(holding)) if key is None else key
            if number == len(keys) - 1:
                holding[place] = value
            else:
                holding = holding.setdefault(place, {})
    return {name: _listed(value) for name, value in root.items()}


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and all(key.isdigit() for key in value):
        return [_listed(value[key]) for key in sorted(value, key=int)]
    return {key: _listed(one) for key, one in value.items()}


def shaped(found: Document, shape: Shape) -> Document:
    """A copy of an object in a shape. It is kept in the new one, with what that leaves out under `_`."""
    one = copy.deepcopy(found)
    hidden = one.pop("_", {})
    match one["object"]:
        case "subscription":
            _shape_subscription(one, shape)
        case "invoice":
            _shape_invoice(one, hidden, shape)
        case "charge" | "payment_intent" if shape != "new":
            one["invoice"] = hidden.get("invoice")
    return one


def _shape_subscription(one: Document, shape: Shape) -> None:
    if shape == "new":
        return
    item = one["items"]["data"][0]
    one |= {key: item[key] for key in _PERIOD}
    one["plan"] = {"id": item["price"]["id"], "object": "plan"}
    if shape == "old":
        for key in _PERIOD:
            del item[key]


def _shape_invoice(one: Document, hidden: Document, shape: Shape) -> None:
    if shape == "new":
        return
    details = one["parent"]["subscription_details"] if one["parent"] else {"subscription": None, "metadata": None}
    one |= {"subscription": details["subscription"], "subscription_details": {"metadata": details["metadata"]}}
    one |= {"payment_intent": hidden["intent"], "paid": one["status"] == "paid"}
    for line in one["lines"]["data"]:
        line["price"] = {"id": line["pricing"]["price_details"]["price"], "object": "price"}
        if shape == "old":
            del line["pricing"]
    if shape == "old":
        del one["parent"]


__all__ = ["Document", "Refused", "Shape", "missing", "nested", "shaped"]
