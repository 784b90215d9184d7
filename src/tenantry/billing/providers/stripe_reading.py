"""Reading Stripe's objects: one with what it refers to, or all of a kind."""

from collections.abc import AsyncIterator, Callable
from typing import Any, Protocol, TypeAlias

from ..errors import ProviderAway
from ..snapshots import CustomerSnapshot, ExternalId, ObjectKind, PaymentSnapshot, Snapshot
from .stripe_fields import Document, id_of, rows, table, whole
from .stripe_normal import customer_of, priced, product_of, subscription_with_all
from .stripe_payments import (
    WAITING,
    behind_charge,
    charge_payment,
    intent_payment,
    invoice_intents,
    invoice_payment,
)

EXPAND_SUBSCRIPTION = ["customer", "items.data.price.product"]
_PAGE = 100
_INTENTS_MAX = 10


class Asks(Protocol):
    """Asks Stripe: `ask(*path, **parameters)`, None when there is no such object."""

    async def __call__(self, *path: str, **parameters: Any) -> Document | None: ...


async def read(ask: Asks, kind: ObjectKind, external_id: ExternalId) -> list[Snapshot]:
    """The object as it is now, after what it refers to; [] when there is none."""
    if id_of(external_id) is None:
        return []
    if kind == "payment":
        return await _payment(ask, external_id)
    path, expand, normal = _OBJECTS[kind]
    found = await ask(path, external_id, expand=expand)
    if found is None:
        return []
    if found.get("object") != kind:
        raise ProviderAway(internal=f"stripe: another object than a {kind} is answered")
    return _must_be(normal(found))


async def listed(ask: Asks, kind: ObjectKind) -> AsyncIterator[list[Snapshot]]:
    """Everything of a kind, a hundred at a time."""
    if kind == "payment":
        async for snapshots in _payments(ask):
            yield snapshots
        return
    for path, parameters, normal in _LISTS[kind]:
        async for page in pages(ask, path, **parameters):
            yield [one for row in page for one in normal(row)]


async def pages(ask: Asks, *path: str, **parameters: Any) -> AsyncIterator[list[Document]]:
    """The pages of one of Stripe's lists. Each begins after the last object of the one before."""
    seen: set[str] = set()
    after: str | None = None
    while True:
        page = await ask(*path, limit=_PAGE, starting_after=after, **parameters)
        if page is None or not isinstance(page.get("data"), list):
            raise ProviderAway(internal=f"stripe: {path[0]} is answered by no list")
        found = rows(page)
        yield found
        if page.get("has_more") is not True:
            return
        after = id_of(found[-1]) if found else None
        if after is None or after in seen:
            raise ProviderAway(internal=f"stripe: the list of {path[0]} does not go on")
        seen.add(after)


async def _payment(ask: Asks, external_id: ExternalId) -> list[Snapshot]:
    """From whatever Stripe calls a part of it (its prefix tells) to the invoice, or else to the intent."""
    match external_id.partition("_")[0]:
        case "in":
            return await _invoice(ask, external_id)
        case "pi":
            return await _intent(ask, external_id)
        case "inpay":
            found = await ask("invoice_payments", external_id)
            invoice = id_of(table(found).get("invoice"))
            return [] if invoice is None else await _invoice(ask, invoice)
        case "re" | "pyr":
            found = table(await ask("refunds", external_id))
            intent, charge = id_of(found.get("payment_intent")), id_of(found.get("charge"))
            if intent is not None:
                return await _intent(ask, intent)
            return [] if charge is None else await _charge(ask, charge)
        case "ch" | "py":
            return await _charge(ask, external_id)
    return []


async def _charge(ask: Asks, external_id: ExternalId) -> list[Snapshot]:
    found = await ask("charges", external_id)
    if found is None:
        return []
    intent = id_of(found.get("payment_intent"))
    if intent is not None:
        return await _intent(ask, intent)
    return _must_be(_some(charge_payment(found, external_id=behind_charge(found) or external_id)))


async def _intent(ask: Asks, external_id: ExternalId) -> list[Snapshot]:
    asked = {"type": "payment_intent", "payment_intent": external_id}
    for one in rows(await ask("invoice_payments", payment=asked, limit=1)):
        invoice = id_of(one.get("invoice"))
        if invoice is not None:
            return await _invoice(ask, invoice)
    found = await ask("payment_intents", external_id, expand=["customer", "latest_charge"])
    return [] if found is None else _must_be(_with_customer(found, intent_payment(found, external_id=external_id)))


async def _invoice(ask: Asks, external_id: ExternalId) -> list[Snapshot]:
    found = await ask("invoices", external_id, expand=["customer", "payments"])
    if found is None:
        return []
    refunded, is_waiting = 0, False
    for intent_id in invoice_intents(found)[:_INTENTS_MAX]:
        intent = table(await ask("payment_intents", intent_id, expand=["latest_charge"]))
        refunded += whole(table(intent.get("latest_charge")).get("amount_refunded")) or 0
        is_waiting = is_waiting or intent.get("status") in WAITING
    return _must_be(_with_customer(found, invoice_payment(found, refunded=refunded, is_waiting=is_waiting)))


async def _payments(ask: Asks) -> AsyncIterator[list[Snapshot]]:
    # An invoice does not say what was given back, and asking for each one's charge would be a question a payment.
    refunded: dict[ExternalId, int] = {}
    async for page in pages(ask, "refunds"):
        for one in page:
            intent = id_of(one.get("payment_intent"))
            if intent is not None and one.get("status") not in {"failed", "canceled"}:
                refunded[intent] = refunded.get(intent, 0) + (whole(one.get("amount")) or 0)
    invoiced: set[ExternalId] = set()
    async for page in pages(ask, "invoices", expand=["data.customer", "data.payments"]):
        snapshots: list[Snapshot] = []
        for row in page:
            intents = invoice_intents(row)
            invoiced.update(intents)
            total = sum(refunded.get(one, 0) for one in intents)
            snapshots += _with_customer(row, invoice_payment(row, refunded=total))
        yield snapshots
    async for page in pages(ask, "payment_intents", expand=["data.customer", "data.latest_charge"]):
        once = [row for row in page if row.get("status") == "succeeded" and id_of(row) not in invoiced]
        yield [one for row in once for one in _with_customer(row, intent_payment(row, external_id=id_of(row)))]


def _with_customer(found: Document, payment: PaymentSnapshot | None) -> list[Snapshot]:
    if payment is None:
        return []
    customer: CustomerSnapshot | None = customer_of(found.get("customer"))
    return [payment] if customer is None else [customer, payment]


def _some(one: Snapshot | None) -> list[Snapshot]:
    return [] if one is None else [one]


def _must_be(snapshots: list[Snapshot]) -> list[Snapshot]:
    if not snapshots:
        raise ProviderAway(internal="stripe: an object is answered that cannot be read")
    return snapshots


_Normal: TypeAlias = Callable[[Document], list[Snapshot]]
_OBJECTS: dict[ObjectKind, tuple[str, list[str] | None, _Normal]] = {
    "subscription": ("subscriptions", EXPAND_SUBSCRIPTION, subscription_with_all),
    "customer": ("customers", None, lambda found: _some(customer_of(found))),
    "product": ("products", None, lambda found: _some(product_of(found))),
    "price": ("prices", ["product"], priced),
}
_PRICES = ("prices", {"expand": ["data.product"]}, priced)
_LISTS: dict[ObjectKind, list[tuple[str, dict[str, Any], _Normal]]] = {
    # A price's product lies too deep to be expanded in a list; products have their own.
    "subscription": [("subscriptions", {"status": "all", "expand": ["data.customer"]}, subscription_with_all)],
    "customer": [("customers", {}, lambda row: _some(customer_of(row)))],
    "product": [("products", {}, lambda row: _some(product_of(row))), _PRICES],
    "price": [_PRICES],
}

__all__ = ["EXPAND_SUBSCRIPTION", "Asks", "listed", "pages", "read"]
