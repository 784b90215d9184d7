"""The JSON API of the stand-in payment provider. Its nouns are ours, its ids its own.

GET  /v1/{products|prices|customers|subscriptions|payments}        {"items": [...], "next": "..."}; ?after=
GET  /v1/{products|prices|customers|subscriptions|payments}/{id}   with what it refers to in "included"
GET  /v1/events ?undelivered=1 &since= &after=
POST /v1/customers, /v1/checkouts, /v1/portals            with Idempotency-Key, one wish has one answer
POST /v1/subscriptions/{id}/changes                       {"kind": "plan" | "cancel" | "resume" | "pause"}
POST /v1/payments/{id}/refunds                            {"amount": ...}
"""

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tenantry.billing.demo import DEMO_KEY
from tenantry.kernel.addresses import LOOPBACK

from .billing_changes import cancel, change_plan, pause, resume
from .billing_shop import Refused, Shop
from .billing_state import Checkout, Item, Kind, Subscription
from .faults import Fault, Faults

MODES = frozenset({"away", "busy", "slow", "lying"})
PAGE_SIZE = 100
_LIES: tuple[object, ...] = (
    [],
    7,
    None,
    {"items": 7},
    {"items": [7], "next": 7},
    {"id": 7, "items": [{"id": []}]},
    "text",
)
_REFERS: dict[Kind, tuple[Kind, ...]] = {
    "price": ("product",),
    "subscription": ("price", "customer"),
    "payment": ("price", "customer"),
}

Handler = Callable[[Request], Awaitable[Response]]


class NewCustomer(msgspec.Struct):
    """What a customer is made of."""

    holder_id: str
    email: str
    name: str | None = None


class NewCheckout(msgspec.Struct):
    """What a page to pay on is made of."""

    holder_id: str
    customer: str
    price: str
    success_url: str
    cancel_url: str
    quantity: int = 1
    trial_days: int = 0
    coupon: str | None = None


class NewPortal(msgspec.Struct):
    """What a page to see to a subscription on is made of."""

    customer: str
    return_url: str


class Change(msgspec.Struct):
    """What is to become of a subscription."""

    kind: Literal["plan", "cancel", "resume", "pause"]
    price: str = ""
    proration: Literal["prorate", "invoice", "none"] = "prorate"
    at_once: bool = False
    until: datetime | None = None


class Refund(msgspec.Struct):
    """How much is given back; all that is left without an amount."""

    amount: int | None = None


class Api:
    """The endpoints, and the fault in force."""

    def __init__(self, shop: Shop) -> None:
        self.page_size = PAGE_SIZE
        self._shop = shop
        self._faults = Faults(MODES)

    def routes(self) -> list[Route]:
        kinds = [
            route
            for kind in get_args(Kind)
            for route in (
                Route(f"/v1/{kind}s", self._asked(self._listed(kind))),
                Route(f"/v1/{kind}s/{{id}}", self._asked(self._read(kind))),
            )
        ]
        return [
            Route("/v1/customers", self._asked(self._new_customer), methods=["POST"]),
            Route("/v1/checkouts", self._asked(self._new_checkout), methods=["POST"]),
            Route("/v1/portals", self._asked(self._new_portal), methods=["POST"]),
            Route("/v1/subscriptions/{id}/changes", self._asked(self._change), methods=["POST"]),
            Route("/v1/payments/{id}/refunds", self._asked(self._refund), methods=["POST"]),
            Route("/v1/events", self._asked(self._events)),
            *kinds,
            *self._faults.routes(),
        ]

    def _asked(self, answer: Callable[[Request, bytes], Response]) -> Handler:
        """Who may ask, what is asked to go wrong, and refusals."""

        async def handle(request: Request) -> Response:
            fault = self._faults.take(*MODES)
            if fault is not None and (spoilt := await _spoilt(fault)) is not None:
                return spoilt
            key = request.headers.get("authorization", "").removeprefix("Bearer ")
            if not hmac.compare_digest(key.encode(), DEMO_KEY.encode()):
                return _json({"error": "This key is not known."}, 401)
            body = await request.body()
            try:
                with self._shop.turn():
                    return answer(request, body)
            except Refused as refused:
                return _json({"error": str(refused)}, 409)
            except msgspec.MsgspecError as error:
                return _json({"error": str(error)}, 422)
            except KeyError:
                return _json({"error": "There is no such object."}, 404)

        return handle

    def _listed(self, kind: Kind) -> Callable[[Request, bytes], Response]:
        def answer(request: Request, _body: bytes) -> Response:
            return self._page(request, self._shop.books.of(kind))

        return answer

    def _read(self, kind: Kind) -> Callable[[Request, bytes], Response]:
        def answer(request: Request, _body: bytes) -> Response:
            return self._whole(kind, self._shop.books.of(kind)[request.path_params["id"]])

        return answer

    def _new_customer(self, request: Request, body: bytes) -> Response:
        wanted = msgspec.json.decode(body, type=NewCustomer)
        made = self._shop.customer(holder_id=wanted.holder_id, email=wanted.email, name=wanted.name)
        return self._whole("customer", made)

    def _new_checkout(self, request: Request, body: bytes) -> Response:
        wanted = msgspec.json.decode(body, type=NewCheckout)
        _must_be_near(wanted.success_url, wanted.cancel_url)

        def opened() -> str:
            new = msgspec.structs.asdict(wanted)
            return self._shop.checkout(Checkout(id="", expires_at=self._shop.now(), **new)).id

        return _json({"url": f"{self._shop.url}/checkouts/{self._once(request, opened)}"})

    def _new_portal(self, request: Request, body: bytes) -> Response:
        wanted = msgspec.json.decode(body, type=NewPortal)
        _must_be_near(wanted.return_url)
        made = self._shop.portal(customer=wanted.customer, return_url=wanted.return_url)
        return _json({"url": f"{self._shop.url}/portals/{made.id}"})

    def _change(self, request: Request, body: bytes) -> Response:
        subscription = self._shop.books.subscriptions[request.path_params["id"]]
        change_as_asked(self._shop, subscription, msgspec.json.decode(body, type=Change))
        return self._whole("subscription", subscription)

    def _refund(self, request: Request, body: bytes) -> Response:
        payment = self._shop.books.payments[request.path_params["id"]]
        self._shop.refund(payment, msgspec.json.decode(body or b"{}", type=Refund).amount)
        return self._whole("payment", payment)

    def _events(self, request: Request, _body: bytes) -> Response:
        since = msgspec.convert(request.query_params.get("since", "1970-01-01T00:00:00Z"), datetime, strict=False)
        found = {one.id: one for one in self._shop.books.events.values() if one.occurred_at >= since}
        if "undelivered" in request.query_params:
            found = {key: one for key, one in found.items() if one.status in {"lost", "failed"}}
        return self._page(request, found)

    def _page(self, request: Request, found: dict[str, Any]) -> Response:
        ids, after = list(found), request.query_params.get("after")
        start = ids.index(after) + 1 if after in found else 0
        taken = ids[start : start + self.page_size]
        is_more = start + self.page_size < len(ids)
        return _json({"items": [found[one] for one in taken], "next": taken[-1] if is_more else None})

    def _whole(self, kind: Kind, item: Item) -> Response:
        """The object, and before it what it refers to, in an order in which they can be written."""
        return _json({"item": item, "included": [{"kind": one, "item": two} for one, two in self._around(kind, item)]})

    def _around(self, kind: Kind, item: Item) -> list[tuple[Kind, Item]]:
        found: list[tuple[Kind, Item]] = []
        for other in _REFERS.get(kind, ()):
            it = self._shop.books.of(other)[getattr(item, other)]
            found += [*self._around(other, it), (other, it)]
        return found

    def _once(self, request: Request, make: Callable[[], str]) -> str:
        key = request.headers.get("idempotency-key")
        if key is None:
            return make()
        kept = self._shop.books.keys
        if key not in kept:
            kept[key] = make()
        return kept[key]


def change_as_asked(shop: Shop, subscription: Subscription, wanted: Change) -> None:
    """Do one of the four changes."""
    match wanted.kind:
        case "plan":
            change_plan(shop, subscription, price=wanted.price, proration=wanted.proration)
        case "cancel":
            cancel(shop, subscription, at_once=wanted.at_once)
        case "resume":
            resume(shop, subscription)
        case "pause":
            pause(shop, subscription, until=wanted.until)


def _must_be_near(*addresses: str) -> None:
    """Browsers are sent back to this machine only: a stand-in is nobody's open redirect."""
    for address in addresses:
        parts = urlsplit(address)
        if parts.scheme not in {"http", "https"} or parts.hostname not in LOOPBACK:
            raise Refused("A stand-in leads back to loopback addresses only.")


async def _spoilt(fault: Fault) -> Response | None:
    if fault.mode == "slow":
        await asyncio.sleep(fault.seconds)
        return None
    if fault.mode == "busy":
        return Response("busy", 429, {"retry-after": fault.retry_after or "1"})
    if fault.mode == "lying":
        return _lie(fault.kind)
    return Response("<h1>Internal error</h1>", 500, media_type="text/html")


def _lie(kind: str) -> Response:
    if kind == "deep":
        return Response(b"[" * 50_000, media_type="application/json")
    if kind == "html":
        return Response("<h1>Down for maintenance</h1>", media_type="text/html")
    return _json(_LIES[int(kind) % len(_LIES)] if kind.isdigit() else _LIES[0])


def _json(document: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(document), status, {"cache-control": "no-store"}, "application/json")
