"""A stand-in for Polar, with Polar's habits: for tests on this machine.

Lists lie under addresses that end with a slash, and others are sent on; ids are UUIDs; an address belongs to one
customer, whose `external_id` is set once; `modified_at` stays null; `subscription.active` comes for trials too, and
`subscription.canceled` for what goes on until its period ends. Events are signed with the bytes of the whole secret.
From Polar's public server code (subscriptions, orders, checkouts, customers, products, webhooks) and its documentation.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from .deliveries import SellerStandIn
from .polar_world import POLAR_KEY, POLAR_SECRET, PRICES, PolarWorld, polar_id

__all__ = ["POLAR_KEY", "POLAR_SECRET", "polar_id", "start_polar"]
_Object = dict[str, Any]


def start_polar(
    port: int = 0,
    *,
    prices: Mapping[str, int] = PRICES,
    secret: str = POLAR_SECRET,
    now: Callable[[], datetime] | None = None,
) -> SellerStandIn:
    """Start it; POLAR_KEY is its only token. `prices`: cents a month by the word that a price is found under.

    Acts: `pay` (checkout), `renew`, `fail`, `recover`, `end` (subscription), `refund` (order, amount), `archive`
    (product), `stranger` (email: a customer made elsewhere), `miss` (event: its delivery failed), `lose` (all to come).
    """
    return SellerStandIn(_Polar(prices, secret, now or (lambda: datetime.now(UTC))), port)


class _Polar(PolarWorld):
    def routes(self) -> list[Route]:
        return [
            Route("/checkout/{id}", self._page, methods=["GET", "POST"]),
            Route("/v1/webhooks/deliveries", self._deliveries),
            Route("/v1/customers/external/{external_id}", self._external),
            Route("/v1/{kind}/", self._list, methods=["GET"]),
            Route("/v1/{kind}/", self._make, methods=["POST"]),
            Route("/v1/{kind}/{id}", self._one, methods=["GET", "PATCH"]),
        ]

    async def _page(self, request: Request) -> Response:
        checkout = self.kept["checkouts"].get(request.path_params["id"])
        if checkout is None:
            return PlainTextResponse("no such checkout", 404)
        if request.method == "GET":
            return PlainTextResponse("POST here to pay.")
        if checkout["status"] == "open":
            self.pay(checkout["id"])
        return RedirectResponse(checkout["success_url"].replace("{CHECKOUT_ID}", checkout["id"]), 303)

    async def _list(self, request: Request) -> Response:
        kind, query = request.path_params["kind"], request.query_params
        if refused := self.refusal(request):
            return refused
        found = [self.whole(one) for one in self.kept[kind].values()]
        for key, value in query.items():
            if key in {"email", "customer_id", "product_id", "status"}:
                found = [one for one in found if one.get(key) == value]
        if word := query.get("query"):
            found = [one for one in found if word.casefold() in str(one.get("code", "")).casefold()]
        return _page_of(found, query)

    async def _make(self, request: Request) -> Response:
        if refused := self.refusal(request):
            return refused
        wanted = await request.json()
        match request.path_params["kind"]:
            case "customers":
                return self._customer(wanted)
            case "checkouts":
                return self._checkout(wanted)
            case "customer-sessions":
                if wanted.get("customer_id") not in self.kept["customers"]:
                    return _invalid("customer_id", "Customer does not exist.")
                address = f"{self.url}/portal?customer_session_token=polar_cst_{wanted['customer_id']}"
                return JSONResponse({"customer_portal_url": address, "token": "polar_cst_x"}, 201)
        return JSONResponse({"detail": "Method Not Allowed"}, 405)

    def _customer(self, wanted: _Object) -> Response:
        same = [one for one in self.kept["customers"].values() if one["email"] == wanted["email"]]
        external_id = wanted.get("external_id")
        taken = [one for one in self.kept["customers"].values() if external_id and one["external_id"] == external_id]
        if taken or same:
            field = "external_id" if taken else "email"
            return _invalid(field, f"A customer with this {field} already exists.")
        fields = {"name": None, "external_id": None, "metadata": {}, "deleted_at": None, **wanted}
        made = self.new(**fields)
        self.kept["customers"][made["id"]] = made
        self.tell("customer.created", made)
        return JSONResponse(made, 201)

    def _checkout(self, wanted: _Object) -> Response:
        product = self.kept["products"].get(next(iter(wanted.get("products", [])), ""))
        if product is None or product["is_archived"]:
            return _invalid("products", "Product does not exist.")
        if wanted.get("customer_id") not in self.kept["customers"]:
            return _invalid("customer_id", "Customer does not exist.")
        if wanted.get("discount_id", polar_id("SAVE10")) not in self.kept["discounts"]:
            return _invalid("discount_id", "Discount does not exist.")
        made = self.new(status="open", **wanted)
        made["url"] = f"{self.url}/checkout/{made['id']}"
        self.kept["checkouts"][made["id"]] = made
        return JSONResponse(made, 201)

    async def _one(self, request: Request) -> Response:
        kind, external_id = request.path_params["kind"], request.path_params["id"]
        if refused := self.refusal(request):
            return refused
        found = self.kept.get(kind, {}).get(external_id)
        if found is None:
            return _missing()
        if request.method == "GET":
            return JSONResponse(self.whole(found))
        wanted = await request.json()
        if kind == "customers":
            if found["external_id"] not in {None, wanted["external_id"]}:
                return _invalid("external_id", "Customer external ID cannot be updated.")
            found |= wanted
            return JSONResponse(found)
        return self._update(found, wanted)

    def _update(self, found: _Object, wanted: _Object) -> Response:
        """One of the changes that a subscription takes; each has keys of its own."""
        if found["status"] == "canceled" or (found["cancel_at_period_end"] and "product_id" in wanted):
            return JSONResponse({"error": "AlreadyCanceledSubscription", "detail": "This is canceled already."}, 403)
        at, known = self.now().isoformat(), found["id"]
        match wanted:
            case {"product_id": product}:
                if product not in self.kept["products"]:
                    return _invalid("product_id", "Product does not exist.")
                # `next_period` waits; it is told as what is to come.
                is_later = wanted.get("proration_behavior") == "next_period"
                waiting = {"pending_update": {"product_id": product}}
                self.changed(known, **(waiting if is_later else self.selling(product)))
            case {"revoke": True}:
                self.changed(known, "subscription.revoked", status="canceled", canceled_at=at, ended_at=at)
            case {"cancel_at_period_end": True}:
                ends = found["current_period_end"]
                fields = {"cancel_at_period_end": True, "canceled_at": at, "ends_at": ends}
                self.changed(known, "subscription.canceled", **fields)
            case {"cancel_at_period_end": False}:
                fields = {"cancel_at_period_end": False, "canceled_at": None, "ends_at": None}
                self.changed(known, "subscription.uncanceled", **fields)
            case {"pause_at_period_end": is_wanted}:
                self.changed(known, pause_at_period_end=is_wanted, resumes_at=wanted.get("resumes_at"))
            case {"resume": True} if found["status"] == "paused":
                self.changed(known, status="active", paused_at=None, resumes_at=None)
            case _:
                return _invalid("body", "No such change.")
        return JSONResponse(self.whole(found))

    async def _external(self, request: Request) -> Response:
        if refused := self.refusal(request):
            return refused
        wanted = request.path_params["external_id"]
        found = [one for one in self.kept["customers"].values() if one["external_id"] == wanted]
        return JSONResponse(found[0]) if found else _missing()

    async def _deliveries(self, request: Request) -> Response:
        """Attempts, so that an event may stand here more than once."""
        if refused := self.refusal(request):
            return refused
        found = []
        since = datetime.fromisoformat(request.query_params.get("start_timestamp", "0001-01-01T00:00:00+00:00"))
        for number in self.missed:
            if datetime.fromisoformat(self.told[number][1]["timestamp"]) < since:
                continue
            event, body = self.told[number][0], self.signed(number).body.decode()
            of = {"id": self.ids[number], "type": event, "payload": body, "succeeded": False, "is_archived": False}
            found += [self.new(succeeded=False, http_code=500, webhook_event=of) for _ in range(2)]
        return _page_of(found, request.query_params)


def _page_of(found: list[_Object], query: Mapping[str, str]) -> Response:
    size, page = min(int(query.get("limit", 10)), 100), int(query.get("page", 1))
    pages = -(-len(found) // size)
    items = found[(page - 1) * size : page * size]
    return JSONResponse({"items": items, "pagination": {"total_count": len(found), "max_page": pages}})


def _invalid(field: str, message: str) -> Response:
    detail = [{"type": "value_error", "loc": ["body", field], "msg": message}]
    return JSONResponse({"error": "RequestValidationError", "detail": detail}, 422)


def _missing() -> Response:
    return JSONResponse({"error": "ResourceNotFound", "detail": "Not found"}, 404)
