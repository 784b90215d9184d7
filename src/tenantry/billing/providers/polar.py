"""Polar, who sells in the product's stead, over its API (dated 2026, `/v1`).

Lists and what is made lie under addresses that end with a slash; without it Polar redirects. Polar has no price by
number: prices are those of a product, and checkouts and changes name the product. Nothing says that an event is of a
test: Polar's sandbox is a server of its own.
"""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from tenantry.kernel.clock import Clock

from ..errors import (
    ChangeRefused,
    CustomerUnknown,
    EventMalformed,
    PlanNotForSale,
    ProviderAway,
    SubscriptionNotFound,
)
from ..snapshots import CustomerSnapshot, ExternalId, Hint, ObjectKind, ProductSnapshot, ProviderName, Snapshot
from .base import Cancel, Change, CheckoutPage, NewCustomer, Pause, PlanChange, PortalPage, Resume
from .building import Credentials
from .http import Answer, ProviderApi
from .polar_objects import customer_of, hint_of, snapshots_of, told_of, verify
from .untrusted import at, identifier, objects, page_address, text, uuid_of, whole
from .wishes import Wishes

PAGE_SIZE = 100
PAGES_MAX = 10_000
SANDBOX = "https://sandbox-api.polar.sh"
FOLDERS: Mapping[ObjectKind, str] = {
    "subscription": "subscriptions",
    "payment": "orders",
    "customer": "customers",
    "product": "products",
    "price": "products",
}
# Polar never leaves the difference unsettled: without proration, the other price begins with the next period.
PRORATION = {"prorate": "prorate", "invoice": "invoice", "none": "next_period"}


class PolarProvider:
    """See `BillingProvider`."""

    name: ProviderName = "polar"

    def __init__(self, credentials: Credentials, clock: Clock) -> None:
        self._secrets = credentials.webhook_secrets
        self._has_key = credentials.key is not None
        self._is_live = credentials.base_url.rstrip("/") != SANDBOX
        self._api = ProviderApi(
            self.name,
            credentials.base_url,
            {"authorization": f"Bearer {credentials.key}", "accept": "application/json"},
        )
        self._wishes = Wishes(clock)
        # A price never moves to another product.
        self._products: dict[ExternalId, ExternalId] = {}

    async def aclose(self) -> None:
        await self._api.aclose()

    def hint(self, body: bytes, headers: Mapping[str, str], *, now: datetime) -> Hint:
        return hint_of(body, verify(body, headers, self._secrets, now), is_live=self._is_live)

    def told(self, body: bytes) -> list[Snapshot]:
        return told_of(body)

    async def read(self, kind: ObjectKind, external_id: ExternalId) -> list[Snapshot]:
        if kind == "price":
            product = await self._product_of(external_id)
            return [] if product is None else await self.read("product", product)
        if uuid_of(external_id) is None:
            return []
        answer = await self._ask("GET", f"/v1/{FOLDERS[kind]}/{external_id}")
        if answer.status in {404, 410, 422}:
            return []
        return _understood(kind, _good(answer), external_id)

    async def listed(self, kind: ObjectKind) -> AsyncIterator[list[Snapshot]]:
        async for items in self._pages(f"/v1/{FOLDERS[kind]}/", {}):
            yield [one for item in items for one in _understood(kind, item)]

    async def missed(self, since: datetime) -> AsyncIterator[Hint]:
        """Every event of which an attempt failed since then and which has not come through; once each."""
        told: set[str] = set()
        query = {"succeeded": "false", "start_timestamp": since.astimezone(UTC).isoformat()}
        async for items in self._pages("/v1/webhooks/deliveries", query):
            for event in (at(one, "webhook_event") for one in items):
                event_id, payload = identifier(at(event, "id")), at(event, "payload")
                # Archived events have no payload; those formatted for a chat are no events.
                if at(event, "succeeded") is True or event_id is None or event_id in told or text(payload) is None:
                    continue
                told.add(event_id)
                try:
                    yield hint_of(payload.encode(), event_id, is_live=self._is_live)
                except EventMalformed:
                    continue

    async def customer(self, wanted: NewCustomer) -> CustomerSnapshot:
        """Made with the holder's id in the first call: Polar takes another one never again.

        An address that Polar knows already without an id of ours becomes this holder's, so it has to be proven. One
        that is another holder's raises `ChangeRefused`: Polar has one customer an address.
        """
        holder = str(wanted.holder_id)
        new = {"email": wanted.email, "name": wanted.name, "external_id": holder, "metadata": {"holder_id": holder}}
        answer = await self._ask("POST", "/v1/customers/", json=new)
        if answer.status not in {409, 422}:
            return _customer(_good(answer))
        found = await self._ask("GET", f"/v1/customers/external/{holder}")
        if found.status != 404:
            return _customer(_good(found))
        listed = await self._ask("GET", "/v1/customers/", query={"email": wanted.email, "limit": "1"})
        known = objects(at(_good(listed), "items"))
        is_same = bool(known) and str(known[0].get("email")).casefold() == wanted.email.casefold()
        if not is_same or known[0].get("external_id") is not None:
            raise ChangeRefused(internal=f"polar: no customer could be made, {_reason(answer)}")
        path = f"/v1/customers/{_customer(known[0]).external_id}"
        return _customer(_good(await self._ask("PATCH", path, json={"external_id": holder})))

    async def page(self, wanted: CheckoutPage | PortalPage) -> str:
        if isinstance(wanted, CheckoutPage):
            return await self._wishes.page(wanted.key, lambda: self._checkout(wanted))
        session = {"customer_id": wanted.customer, "return_url": wanted.return_url}
        answer = await self._ask("POST", "/v1/customer-sessions/", json=session)
        if answer.status in {404, 422}:
            raise CustomerUnknown(internal=f"polar: {_reason(answer)}")
        return _address(at(_good(answer), "customer_portal_url"))

    async def change(self, subscription: ExternalId, change: Change) -> list[Snapshot]:
        if uuid_of(subscription) is None:
            raise SubscriptionNotFound(internal="polar: that is no id of Polar's")
        path, document = f"/v1/subscriptions/{subscription}", None
        for body in await self._bodies(path, change):
            answer = await self._ask("PATCH", path, json=body)
            if answer.status == 404:
                raise SubscriptionNotFound(internal=f"polar: {_reason(answer)}")
            if not answer.is_good:
                raise ChangeRefused(internal=f"polar: {answer.status}, {_reason(answer)}")
            document = _good(answer)
        if document is None:
            return await self.read("subscription", subscription)
        return _understood("subscription", document, subscription)

    async def _bodies(self, path: str, change: Change) -> list[dict[str, Any]]:
        match change:
            case PlanChange():
                product = await self._product_of(change.price)
                if product is None:
                    raise PlanNotForSale(internal=f"polar: no product has the price {change.price}")
                return [{"product_id": product, "proration_behavior": PRORATION[change.proration]}]
            case Cancel(at_once=True):
                return [{"revoke": True}]
            case Cancel():
                return [{"cancel_at_period_end": True}]
            case Pause():
                until = None if change.until is None else change.until.astimezone(UTC).isoformat()
                return [{"pause_at_period_end": True, "resumes_at": until}]
            case Resume():
                answer = await self._ask("GET", path)
                if answer.status in {404, 422}:
                    raise SubscriptionNotFound(internal=f"polar: {_reason(answer)}")
                document = _good(answer)
                _understood("subscription", document, ExternalId(path.rpartition("/")[2]))
                return _resuming(document)

    async def _checkout(self, wanted: CheckoutPage) -> str:
        product = await self._product_of(wanted.price)
        if product is None:
            raise PlanNotForSale(internal=f"polar: no product has the price {wanted.price}")
        checkout = {
            "products": [product],
            "customer_id": wanted.customer,
            "metadata": {"holder_id": str(wanted.holder_id)},
            "success_url": wanted.success_url,
            "return_url": wanted.cancel_url,
            # Whether there is one is decided here, and not by what the product offers to everybody.
            "allow_trial": wanted.trial_days > 0,
        }
        if wanted.trial_days > 0:
            checkout |= {"trial_interval": "day", "trial_interval_count": wanted.trial_days}
        if wanted.quantity > 1:
            checkout["seats"] = wanted.quantity
        if wanted.coupon:
            checkout["discount_id"] = await self._discount(wanted.coupon)
        answer = await self._ask("POST", "/v1/checkouts/", json=checkout)
        if answer.status in {403, 404, 409, 422}:
            raise ChangeRefused(internal=f"polar: no checkout, {_reason(answer)}")
        return _address(at(_good(answer), "url"))

    async def _discount(self, code: str) -> str:
        """The id of a discount by its code: Polar takes no codes from programs."""
        if uuid_of(code) is not None:
            return code
        async for items in self._pages("/v1/discounts/", {"query": code}):
            for one in items:
                found = identifier(one.get("id"))
                if found and str(one.get("code")).casefold() == code.casefold():
                    return found
        raise ChangeRefused(internal=f"polar: there is no discount with the code {code[:50]!r}")

    async def _product_of(self, price: ExternalId) -> ExternalId | None:
        if price not in self._products:
            async for items in self._pages("/v1/products/", {}):
                for item in items:
                    ids = [identifier(one.get("id")) for one in objects(item.get("prices"))]
                    product = identifier(item.get("id"))
                    self._products |= {one: product for one in ids if one and product}
        return self._products.get(price)

    async def _pages(self, path: str, query: Mapping[str, str]) -> AsyncIterator[list[dict[str, Any]]]:
        before: object = None
        for number in range(1, PAGES_MAX):
            asked = {**query, "limit": str(PAGE_SIZE), "page": str(number)}
            document = _good(await self._ask("GET", path, query=asked))
            items, last = at(document, "items"), whole(at(document, "pagination", "max_page"))
            if not isinstance(items, list) or last is None:
                raise ProviderAway(internal=f"polar: {path} answered no list")
            yield objects(items)
            if not items or number >= last:
                return
            if items == before:
                break
            before = items
        raise ProviderAway(internal=f"polar: {path} does not end")

    async def _ask(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, json: object = None
    ) -> Answer:
        if not self._has_key:
            raise ProviderAway(internal="polar: no access token is set")
        answer = await self._api.ask(method, path, query=query, json=json)
        if answer.status == 401:
            raise ProviderAway(internal="polar: the access token is refused")
        return answer


def _understood(kind: ObjectKind, document: object, wanted: ExternalId | None = None) -> list[Snapshot]:
    found = snapshots_of(kind, document)
    ids = [one.external_id for one in found if kind not in {"product", "price"} or isinstance(one, ProductSnapshot)]
    if not ids or (wanted is not None and _plain(ids[-1]) != _plain(wanted)):
        raise ProviderAway(internal=f"polar: a {kind} that cannot be read")
    return found


def _plain(external_id: str | None) -> UUID | None:
    return uuid_of(external_id)


def _customer(document: object) -> CustomerSnapshot:
    found = customer_of(document)
    if found is None:
        raise ProviderAway(internal="polar: a customer that cannot be read")
    return found


def _resuming(document: object) -> list[dict[str, Any]]:
    if at(document, "status") in {"canceled", "incomplete_expired"}:
        raise ChangeRefused(internal="polar: what has ended cannot be resumed")
    if at(document, "status") == "paused":
        return [{"resume": True}]
    scheduled = [key for key in ("cancel_at_period_end", "pause_at_period_end") if at(document, key) is True]
    return [{key: False} for key in scheduled]


def _good(answer: Answer) -> Any:
    if not answer.is_good or not isinstance(answer.document, dict):
        raise ProviderAway(internal=f"polar: status {answer.status}, {_reason(answer)}")
    return answer.document


def _address(value: object) -> str:
    found = page_address(value)
    if found is None:
        raise ProviderAway(internal="polar: a page without an address")
    return found


def _reason(answer: Answer) -> str:
    said = at(answer.document, "detail") or at(answer.document, "error")
    first = objects(said)
    return (text(first[0].get("msg")) if first else text(said)) or "no reason given"
