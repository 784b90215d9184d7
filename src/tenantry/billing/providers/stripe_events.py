"""What an event of Stripe's is about, and what its payload alone tells."""

from datetime import datetime
from typing import Any

import msgspec

from ..errors import EventMalformed
from ..snapshots import ExternalId, Hint, ObjectKind, Snapshot
from .stripe_fields import Document, first, id_of, table, text, when
from .stripe_normal import customer_of, price_of, product_of, subscription_with_all
from .stripe_payments import behind_charge, charge_payment, intent_payment, invoice_payment, session_payment

_KINDS: dict[str, ObjectKind] = {
    "subscription": "subscription",
    "customer": "customer",
    "product": "product",
    "price": "price",
    "invoice": "payment",
    "charge": "payment",
    "payment_intent": "payment",
    "refund": "payment",
}


def event_of(body: bytes) -> Document:
    """A signed body as an event. Raises `EventMalformed`, with the reason."""
    try:
        event = msgspec.json.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise EventMalformed("The body is no JSON.") from None
    if not isinstance(event, dict):
        raise EventMalformed("The body is no JSON object.")
    if event.get("object") == "v2.core.event":
        raise EventMalformed("This is a thin event; the endpoint needs snapshot events.")
    if not is_event(event):
        raise EventMalformed("An event has an id, a type and an object.")
    return event


def is_event(document: Document) -> bool:
    """Whether it has what every event has."""
    is_named = id_of(document) is not None and bool(_event_name(document))
    return (
        is_named and document.get("object") == "event" and isinstance(table(document.get("data")).get("object"), dict)
    )


def hint_of(event: Document) -> Hint:
    """What an event is about. Without an object that billing keeps, or from a connected account: nothing of ours."""
    found: Document = event["data"]["object"]
    kind, object_id = (None, None) if event.get("account") is not None else _named(found)
    is_ours = kind is not None and object_id is not None
    return Hint(
        dedupe_key=id_of(event) or "",
        event=_event_name(event),
        object_kind=kind if is_ours else None,
        object_id=object_id if is_ours else None,
        occurred_at=when(event.get("created")),
        is_live=event.get("livemode") is True,
    )


def snapshots_of(event: Document) -> list[Snapshot]:
    """What the payload tells of its object; [] when too little of it."""
    found: Document = event["data"]["object"]
    version = when(event.get("created"))
    if event.get("account") is not None:
        return []
    if found.get("object") == "subscription":
        return _versioned(subscription_with_all(found), version)
    one = _single(found, _event_name(event), version)
    return [] if one is None else [one]


def _single(found: Document, name: str, version: datetime | None) -> Snapshot | None:
    match found.get("object"):
        case "customer":
            return customer_of(found)
        case "product":
            return product_of(_gone(found) if name == "product.deleted" else found)
        case "price":
            return price_of(_gone(found) if name == "price.deleted" else found)
        case "invoice":
            is_waiting = name == "invoice.payment_action_required"
            return invoice_payment(found, is_waiting=is_waiting, version=version)
        case "checkout.session":
            return session_payment(found, version=version)
        case "charge":
            return charge_payment(found, external_id=behind_charge(found), version=version)
        case "payment_intent":
            return intent_payment(found, external_id=_behind_intent(found), version=version)
    return None


def _named(found: Document) -> tuple[ObjectKind | None, ExternalId | None]:
    word = found.get("object")
    match word:
        case "checkout.session":
            subscription = id_of(found.get("subscription"))
            if subscription is not None:
                return "subscription", subscription
            return "payment", first(id_of(found.get("invoice")), id_of(found.get("payment_intent")))
        case "invoice_payment":
            return "payment", id_of(found.get("invoice"))
        case "dispute":
            return "payment", first(id_of(found.get("payment_intent")), id_of(found.get("charge")))
    return _KINDS.get(word) if isinstance(word, str) else None, id_of(found)


def _versioned(snapshots: list[Snapshot], version: datetime | None) -> list[Snapshot]:
    changes: dict[str, Any] = {"version": version}
    return [msgspec.structs.replace(one, **changes) if hasattr(one, "version") else one for one in snapshots]


def _behind_intent(found: Document) -> ExternalId | None:
    return first(id_of(found["invoice"]), id_of(found)) if "invoice" in found else None


def _gone(found: Document) -> Document:
    return {**found, "deleted": True}


def _event_name(event: Document) -> str:
    return text(event.get("type"), characters_max=255) or ""
