"""Lemon Squeezy, who sells in the product's stead, over its API (JSON:API, `/v1`).

What is bought is a variant of a product. Whom a checkout was for is told in events only and never when an object is
read. There is no record of events that were missed, and delivery ends after some minutes: what is listed makes up for
it. An event has no id and no time of its own, and comes again under another `webhook_id`: what makes it the same is its
content without what changes with every delivery. A subscription is cancelled with its period and never at once; the
length of a trial is the variant's own.
"""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tenantry.kernel.clock import Clock

from ..errors import (
    ChangeRefused,
    CustomerUnknown,
    EventMalformed,
    PlanNotForSale,
    ProviderAway,
    ProviderUnconfigured,
    SecretUnset,
    SignatureRefused,
    SubscriptionNotFound,
)
from ..snapshots import CustomerSnapshot, ExternalId, Hint, ObjectKind, ProviderName, Snapshot
from .base import Cancel, Change, CheckoutPage, NewCustomer, Pause, PlanChange, PortalPage, Resume
from .building import Credentials
from .lemonsqueezy_objects import (
    customer_of,
    invoice_of,
    is_of,
    number,
    order_of,
    subscription_of,
    version_of,
)
from .lemonsqueezy_reading import LemonSqueezyReading, good, reason, sure
from .untrusted import at, decoded, objects, page_address, text, uuid_of
from .wishes import Wishes

# What the type of an event's object is to us, and what its id begins with.
_ABOUT: Mapping[str, tuple[ObjectKind, str]] = {
    "subscriptions": ("subscription", ""),
    "subscription-invoices": ("payment", "inv_"),
    "orders": ("payment", "ord_"),
    "customers": ("customer", ""),
}


class LemonSqueezyProvider:
    """See `BillingProvider`. Payments are known as `inv_…` (invoices of subscriptions) and `ord_…` (orders)."""

    name: ProviderName = "lemonsqueezy"

    def __init__(self, credentials: Credentials, clock: Clock) -> None:
        self._secrets = credentials.webhook_secrets
        self._store = credentials.store
        self._api = LemonSqueezyReading(credentials)
        self._wishes = Wishes(clock)

    async def aclose(self) -> None:
        await self._api.aclose()

    def hint(self, body: bytes, headers: Mapping[str, str], *, now: datetime) -> Hint:
        _verify(body, headers, self._secrets)
        return _hint(body, self._store)

    def told(self, body: bytes) -> list[Snapshot]:
        return _told(body, self._store)

    async def read(self, kind: ObjectKind, external_id: ExternalId) -> list[Snapshot]:
        return await self._api.read(kind, external_id)

    def listed(self, kind: ObjectKind) -> AsyncIterator[list[Snapshot]]:
        return self._api.listed(kind)

    async def missed(self, since: datetime) -> AsyncIterator[Hint]:
        """Nothing: Lemon Squeezy keeps no record."""
        none: tuple[Hint, ...] = ()
        for one in none:
            yield one

    async def customer(self, wanted: NewCustomer) -> CustomerSnapshot:
        """Made, or the one of that address: there is one an address and store, so it has to be proven."""
        data = {
            "type": "customers",
            "attributes": {"name": wanted.name or wanted.email, "email": wanted.email},
            "relationships": {"store": {"data": {"type": "stores", "id": self._own_store()}}},
        }
        answer = await self._api.ask("POST", "/v1/customers", json={"data": data})
        if answer.status not in {409, 422}:
            return sure(customer_of(at(good(answer), "data")))
        query = {"filter[store_id]": self._own_store(), "filter[email]": wanted.email}
        known = objects(at(good(await self._api.ask("GET", "/v1/customers", query=query)), "data"))
        same = [one for one in known if str(at(one, "attributes", "email")).casefold() == wanted.email.casefold()]
        if not same:
            raise ChangeRefused(internal=f"lemonsqueezy: no customer could be made, {reason(answer)}")
        return sure(customer_of(same[0]))

    async def page(self, wanted: CheckoutPage | PortalPage) -> str:
        if isinstance(wanted, CheckoutPage):
            return await self._wishes.page(wanted.key, lambda: self._checkout(wanted))
        document = await self._api.document("customers", wanted.customer)
        # Signed, and good for a day: it is fetched when it is asked for, and there is none before a purchase.
        found = at(document, "data", "attributes", "urls", "customer_portal")
        if found is None:
            raise CustomerUnknown(internal="lemonsqueezy: the customer has no portal")
        return _address(found)

    async def change(self, subscription: ExternalId, change: Change) -> list[Snapshot]:
        known = number(subscription)
        if known is None:
            raise SubscriptionNotFound(internal="lemonsqueezy: that is no id of Lemon Squeezy's")
        path = f"/v1/subscriptions/{known}"
        if isinstance(change, Cancel):
            # Also at once: it takes no more money, and its end is told as it is.
            answer = await self._api.ask("DELETE", path)
        else:
            attributes = await self._attributes(known, change)
            if attributes is None:
                return await self.read("subscription", known)
            data = {"type": "subscriptions", "id": known, "attributes": attributes}
            answer = await self._api.ask("PATCH", path, json={"data": data})
        if answer.status == 404:
            raise SubscriptionNotFound(internal="lemonsqueezy: there is no such subscription")
        if not answer.is_good:
            raise ChangeRefused(internal=f"lemonsqueezy: {answer.status}, {reason(answer)}")
        found = sure(subscription_of(at(good(answer), "data")))
        if found.external_id != known:
            raise ProviderAway(internal="lemonsqueezy: it answered with another subscription")
        if isinstance(change, PlanChange) and found.price != change.price:
            # So it is with PayPal: only the customer can change it, in the portal.
            raise ChangeRefused(internal="lemonsqueezy: the subscription stays with its variant")
        return [found]

    async def _attributes(self, known: ExternalId, change: PlanChange | Pause | Resume) -> dict[str, Any] | None:
        match change:
            case PlanChange():
                variant = number(change.price)
                if variant is None:
                    raise PlanNotForSale(internal=f"lemonsqueezy: {change.price} is no variant")
                wanted = {"invoice_immediately": "invoice", "disable_prorations": "none"}
                return {"variant_id": int(variant), **{key: change.proration == one for key, one in wanted.items()}}
            case Pause():
                until = None if change.until is None else change.until.astimezone(UTC).isoformat()
                return {"pause": {"mode": "void", "resumes_at": until}}
        document = await self._api.document("subscriptions", known)
        if document is None:
            raise SubscriptionNotFound(internal="lemonsqueezy: there is no such subscription")
        status = at(document, "data", "attributes", "status")
        if status == "expired":
            raise ChangeRefused(internal="lemonsqueezy: what has ended cannot be resumed")
        if status == "cancelled":
            return {"cancelled": False}
        return None if at(document, "data", "attributes", "pause") is None else {"pause": None}

    async def _checkout(self, wanted: CheckoutPage) -> str:
        variant, store = number(wanted.price), self._own_store()
        if variant is None:
            raise PlanNotForSale(internal=f"lemonsqueezy: {wanted.price} is no variant")
        buyer: dict[str, Any] = {"custom": {"holder_id": str(wanted.holder_id)}}
        # Who pays under another address becomes another customer there.
        document = await self._api.document("customers", wanted.customer)
        if email := text(at(document, "data", "attributes", "email")):
            buyer["email"] = email
        if wanted.coupon:
            buyer["discount_code"] = wanted.coupon
        if wanted.quantity > 1:
            buyer["variant_quantities"] = [{"variant_id": int(variant), "quantity": wanted.quantity}]
        data = {
            "type": "checkouts",
            "attributes": {
                "product_options": {"redirect_url": wanted.success_url, "enabled_variants": [int(variant)]},
                "checkout_options": {"skip_trial": wanted.trial_days < 1},
                "checkout_data": buyer,
            },
            "relationships": {
                "store": {"data": {"type": "stores", "id": store}},
                "variant": {"data": {"type": "variants", "id": variant}},
            },
        }
        answer = await self._api.ask("POST", "/v1/checkouts", json={"data": data})
        if answer.status in {403, 404, 409, 422}:
            raise ChangeRefused(internal=f"lemonsqueezy: no checkout, {reason(answer)}")
        return _address(at(good(answer), "data", "attributes", "url"))

    def _own_store(self) -> str:
        if not self._store:
            raise ProviderUnconfigured(internal="lemonsqueezy: the declaration names no store")
        return self._store


def _verify(body: bytes, headers: Mapping[str, str], secrets: Sequence[str]) -> None:
    """Raise `SignatureRefused` unless one of the secrets signed this body; `SecretUnset` when there is none.

    There is no time in what is signed: who has seen an event can send it for ever, and only being the same stops it.
    """
    keys = [one.encode() for one in secrets if one]
    if not keys:
        raise SecretUnset
    given = headers.get("x-signature", "").encode(errors="replace")
    right = [hmac.new(key, body, hashlib.sha256).hexdigest().encode() for key in keys]
    # Every one is compared, so that the time taken tells nothing.
    found = [hmac.compare_digest(one, given) for one in right]
    if not any(found):
        raise SignatureRefused(internal="lemonsqueezy: no signature holds")


def _hint(body: bytes, store: str) -> Hint:
    """What an event is about. What is of another store than ours, where ours is known, is not for us.

    Which event it is stands in the body; the header that says so is not signed. Raises `EventMalformed`.
    """
    document = decoded(body)
    data, event = document.get("data"), text(at(document, "meta", "event_name"))
    if event is None or not isinstance(data, dict):
        raise EventMalformed(internal="lemonsqueezy: the event has no name or no object")
    kind, prefix = _ABOUT.get(str(data.get("type")), (None, ""))
    external_id = number(data.get("id"))
    if kind is not None and external_id is None:
        raise EventMalformed(internal="lemonsqueezy: the event names no object")
    is_ours = kind is not None and is_of(store, data)
    return Hint(
        dedupe_key=_content(document),
        event=event[:100],
        object_kind=kind if is_ours else None,
        object_id=ExternalId(f"{prefix}{external_id}") if is_ours else None,
        occurred_at=version_of(data),
        is_live=not (at(document, "meta", "test_mode") or at(data, "attributes", "test_mode")),
    )


def _told(body: bytes, store: str) -> list[Snapshot]:
    """What an event's payload says of its object. It alone says for whom our checkout was."""
    try:
        document = decoded(body)
    except EventMalformed:
        return []
    data, custom = document.get("data"), at(document, "meta", "custom_data", "holder_id")
    version, holder_id = version_of(data), uuid_of(custom)
    if version is None or not is_of(store, data):
        return []
    found: Snapshot | None = None
    match at(data, "type"):
        case "subscriptions":
            found = subscription_of(data, holder_id=holder_id, version=version)
        case "subscription-invoices":
            found = invoice_of(data, holder_id=holder_id, version=version)
        case "orders":
            found = order_of(data, is_own=False, holder_id=holder_id, version=version)
        case "customers":
            found = customer_of(data)
    return [] if found is None else [found]


def _address(value: object) -> str:
    found = page_address(value)
    if found is None:
        raise ProviderAway(internal="lemonsqueezy: a page without an address")
    return found


def _content(document: Mapping[str, Any]) -> str:
    """What two deliveries of one event share: signed addresses and `webhook_id` are new in each."""
    data = dict(document["data"])
    if isinstance(data.get("attributes"), dict):
        data["attributes"] = {key: value for key, value in data["attributes"].items() if key != "urls"}
    meta = document["meta"]
    same = [meta.get("event_name"), meta.get("custom_data"), data]
    try:
        return hashlib.sha256(json.dumps(same, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    except (ValueError, RecursionError):
        raise EventMalformed(internal="lemonsqueezy: the event cannot be written") from None
