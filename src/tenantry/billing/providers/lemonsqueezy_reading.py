"""Reading and listing what Lemon Squeezy has, with the objects that belong together put together."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, TypeVar

from ..errors import ProviderAway
from ..snapshots import ExternalId, ObjectKind, PaymentSnapshot, Snapshot
from .building import Credentials
from .http import Answer, ProviderApi
from .lemonsqueezy_objects import (
    customer_of,
    invoice_of,
    is_of,
    number,
    order_of,
    price_of,
    product_of,
    subscription_of,
)
from .untrusted import at, currency, moment, objects, text, whole

PAGES_MAX = 10_000
MEDIA_TYPE = "application/vnd.api+json"
_OF_INVOICES = ("order_id", "variant_id")
_Snapshot = TypeVar("_Snapshot")
_Resource = dict[str, Any]


class LemonSqueezyReading:
    """Asks Lemon Squeezy. What is not as it should be raises `ProviderAway`; what is another store's is absent."""

    def __init__(self, credentials: Credentials) -> None:
        self._has_key = credentials.key is not None
        self._store = credentials.store
        headers = {"authorization": f"Bearer {credentials.key}", "accept": MEDIA_TYPE}
        self._api = ProviderApi("lemonsqueezy", credentials.base_url, headers)
        self._currencies: dict[str, str] = {}

    async def aclose(self) -> None:
        await self._api.aclose()

    async def ask(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, json: object = None
    ) -> Answer:
        """One request with the key, where there is one."""
        if not self._has_key:
            raise ProviderAway(internal="lemonsqueezy: no API key is set")
        headers = {} if json is None else {"content-type": MEDIA_TYPE}
        answer = await self._api.ask(method, path, query=query, json=json, headers=headers)
        if answer.status == 401:
            raise ProviderAway(internal="lemonsqueezy: the API key is refused")
        return answer

    async def document(self, folder: str, external_id: str | None, *, include: str = "") -> _Resource | None:
        """The document of one object; None where there is none, or it is another store's."""
        known = number(external_id)
        if known is None:
            return None
        query = {"include": include} if include else None
        answer = await self.ask("GET", f"/v1/{folder}/{known}", query=query)
        if answer.status in {404, 410}:
            return None
        document = good(answer)
        if number(at(document, "data", "id")) != known or at(document, "data", "type") != folder:
            raise ProviderAway(internal=f"lemonsqueezy: {folder}/{known} answered something else")
        return document if is_of(self._store, document["data"]) else None

    async def read(self, kind: ObjectKind, external_id: ExternalId) -> list[Snapshot]:
        """See `BillingProvider.read`."""
        match kind:
            case "subscription":
                return await self._subscription(external_id)
            case "payment":
                what, _, known = external_id.partition("_")
                if what == "inv":
                    return await self._invoice(known)
                return await self._order(known) if what == "ord" else []
            case "customer":
                document = await self.document("customers", external_id)
                return [] if document is None else [sure(customer_of(document["data"]))]
            case "product":
                document = await self.document("products", external_id, include="variants")
                return await self._products([at(document, "data")], document) if document else []
            case "price":
                document = await self.document("variants", external_id, include="product")
                data = {"included": [at(document, "data")]}
                return await self._products(_included(document, "products"), data) if document else []

    async def listed(self, kind: ObjectKind) -> AsyncIterator[list[Snapshot]]:
        """See `BillingProvider.listed`."""
        match kind:
            case "subscription":
                async for page in self._pages("subscriptions"):
                    yield [sure(subscription_of(one)) for one in page["data"]]
            case "customer":
                async for page in self._pages("customers"):
                    yield [sure(customer_of(one)) for one in page["data"]]
            case "payment":
                async for found in self._payments():
                    yield found
            case _:
                prices = [one async for page in self._pages("prices", of_store=False) for one in page["data"]]
                async for page in self._pages("products", {"include": "variants"}):
                    yield await self._products(page["data"], page, prices)

    async def _subscription(self, external_id: ExternalId) -> list[Snapshot]:
        document = await self.document("subscriptions", external_id, include="customer,product,variant")
        if document is None:
            return []
        parts = await self._products(_included(document, "products")[:1], document)
        return [*parts, *_customers(document), sure(subscription_of(document["data"]))]

    async def _invoice(self, known: str) -> list[Snapshot]:
        document = await self.document("subscription-invoices", known, include="subscription,customer")
        if document is None:
            return []
        of = next(iter(_included(document, "subscriptions")), None)
        return [*_customers(document), sure(invoice_of(document["data"], of=of))]

    async def _order(self, known: str) -> list[Snapshot]:
        """The order, when it is a payment of its own; else the first invoice of what was bought, once there is one."""
        document = await self.document("orders", known, include="customer,subscriptions")
        if document is None:
            return []
        item = at(document, "data", "attributes", "first_order_item")
        bought = _included(document, "subscriptions")
        payments = [one for of in bought for one in await self._first_invoices(of)]
        # The subscription may be about to come: then its invoice will be this payment.
        if not bought and not _renews(item, await self._prices_of(item)):
            payments = [sure(order_of(document["data"], is_own=True))]
        return [*_customers(document), *payments]

    async def _first_invoices(self, of: object) -> list[PaymentSnapshot]:
        query = {"filter[subscription_id]": number(at(of, "id")) or "0"}
        pages = self._pages("subscription-invoices", query)
        found = [sure(invoice_of(one, of=of)) async for page in pages for one in page["data"]]
        return [one for one in found if one.reason == "initial"]

    async def _payments(self) -> AsyncIterator[list[Snapshot]]:
        # Of each only what its invoices are asked about: there may be a hundred thousand.
        subscriptions = {
            number(at(one, "id")): {"attributes": {key: at(one, "attributes", key) for key in _OF_INVOICES}}
            async for page in self._pages("subscriptions")
            for one in page["data"]
        }
        prices = [one async for page in self._pages("prices", of_store=False) for one in page["data"]]
        first = {number(at(one, "attributes", "order_id")) for one in subscriptions.values()}
        async for page in self._pages("subscription-invoices"):
            found = [(one, number(at(one, "attributes", "subscription_id"))) for one in page["data"]]
            yield [sure(invoice_of(one, of=subscriptions.get(of))) for one, of in found]
        async for page in self._pages("orders"):
            alone = [one for one in page["data"] if number(at(one, "id")) not in first]
            own = [one for one in alone if not _renews(at(one, "attributes", "first_order_item"), prices)]
            yield [sure(order_of(one, is_own=True)) for one in own]

    async def _products(
        self, products: list[_Resource], document: object, prices: list[_Resource] | None = None
    ) -> list[Snapshot]:
        """Products, and what of their variants is included, each with its newest price."""
        found: list[Snapshot] = []
        for product in products:
            snapshot = sure(product_of(product))
            found.append(snapshot)
            money = await self._currency(number(at(product, "attributes", "store_id")))
            for variant in _included(document, "variants"):
                if number(at(variant, "attributes", "product_id")) == snapshot.external_id:
                    of = {"variant_id": at(variant, "id")}
                    newest = _newest(prices if prices is not None else await self._prices_of(of), at(variant, "id"))
                    found.append(sure(price_of(variant, product, newest, money)))
        return found

    async def _prices_of(self, item: object) -> list[_Resource]:
        """Every price that the variant of an item ever had."""
        variant = number(at(item, "variant_id"))
        if variant is None:
            return []
        query = {"filter[variant_id]": variant}
        return [one async for page in self._pages("prices", query, of_store=False) for one in page["data"]]

    async def _currency(self, store: str | None) -> str:
        """A store's currency, which never changes."""
        if store is not None and store not in self._currencies:
            document = await self.document("stores", store)
            self._currencies[store] = currency(at(document, "data", "attributes", "currency"))
        return self._currencies.get(store or "", "USD")

    async def _pages(
        self, folder: str, query: Mapping[str, str] | None = None, *, of_store: bool = True
    ) -> AsyncIterator[dict[str, list[_Resource]]]:
        store = {"filter[store_id]": self._store} if of_store and self._store else {}
        before: object = None
        for page in range(1, PAGES_MAX):
            asked = {**store, **(query or {}), "page[size]": "100", "page[number]": str(page)}
            document = good(await self.ask("GET", f"/v1/{folder}", query=asked))
            data, last = at(document, "data"), whole(at(document, "meta", "page", "lastPage"))
            if not isinstance(data, list) or last is None:
                raise ProviderAway(internal=f"lemonsqueezy: {folder} answered no list")
            yield {"data": objects(data), "included": objects(at(document, "included"))}
            if not data or page >= last:
                return
            if data == before:
                break
            before = data
        raise ProviderAway(internal=f"lemonsqueezy: {folder} does not end")


def good(answer: Answer) -> _Resource:
    """The document of an answer that is no refusal. Raises `ProviderAway`."""
    if not answer.is_good or not isinstance(answer.document, dict):
        raise ProviderAway(internal=f"lemonsqueezy: status {answer.status}, {reason(answer)}")
    return answer.document


def reason(answer: Answer) -> str:
    """What Lemon Squeezy says of a refusal."""
    first = next(iter(objects(at(answer.document, "errors"))), {})
    return text(first.get("detail")) or text(first.get("title")) or "no reason given"


def sure(snapshot: _Snapshot | None) -> _Snapshot:
    """A snapshot that was made. Raises `ProviderAway` where it could not be."""
    if snapshot is None:
        raise ProviderAway(internal="lemonsqueezy: an object that cannot be read")
    return snapshot


def _customers(document: object) -> list[Snapshot]:
    return [sure(customer_of(one)) for one in _included(document, "customers")[:1]]


def _included(document: object, kind: str) -> list[_Resource]:
    return [one for one in objects(at(document, "included")) if at(one, "type") == kind]


def _newest(prices: list[_Resource], variant: object) -> _Resource | None:
    """The price that a variant has now: every change made a new one."""
    own = [one for one in prices if number(at(one, "attributes", "variant_id")) == number(variant)]

    def since(price: _Resource) -> tuple[str, int]:
        made = moment(at(price, "attributes", "created_at"))
        return made.isoformat() if made else "", int(number(at(price, "id")) or 0)

    return max(own, key=since, default=None)


def _renews(item: object, prices: list[_Resource]) -> bool:
    """Whether what was bought renews: what its price says, which stays when the variant gets another one."""
    known = number(at(item, "price_id"))
    own = [one for one in prices if known is not None and number(at(one, "id")) == known]
    price = own[0] if own else _newest(prices, at(item, "variant_id"))
    return bool(at(price, "attributes", "category") == "subscription")
