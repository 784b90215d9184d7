"""A stand-in for Lemon Squeezy, with Lemon Squeezy's habits: for tests on this machine.

JSON:API; ids are text in `id` and numbers in attributes; times are whole seconds, and a subscription's does not move
when its item does; whom a checkout was for stands in events only; a purchase is told as an order and as an invoice;
what is deleted is cancelled with its period; every change of a price makes a new one. Events have no id, and come again
under another `webhook_id` with addresses signed anew. From Lemon Squeezy's documentation of its API and webhooks.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from .deliveries import SellerStandIn
from .lemonsqueezy_world import LEMONSQUEEZY_KEY, LEMONSQUEEZY_SECRET, PRICES, STORE, LemonSqueezyWorld

__all__ = ["LEMONSQUEEZY_KEY", "LEMONSQUEEZY_SECRET", "STORE", "start_lemonsqueezy"]
_Resource = dict[str, Any]


def start_lemonsqueezy(
    port: int = 0,
    *,
    prices: Mapping[str, int] = PRICES,
    secret: str = LEMONSQUEEZY_SECRET,
    now: Callable[[], datetime] | None = None,
) -> SellerStandIn:
    """Start it; LEMONSQUEEZY_KEY is its only key, STORE its only store.

    `prices`: cents a month by the slug of a variant; once, where it ends so. Acts: `pay` (checkout, email of who pays
    under another one), `renew`, `fail`, `recover`, `end`, `touch` with a quantity (subscription), `refund` (order or
    invoice, amount), `reprice` (variant, cents).
    """
    return SellerStandIn(_LemonSqueezy(prices, secret, now or (lambda: datetime.now(UTC))), port)


class _LemonSqueezy(LemonSqueezyWorld):
    def routes(self) -> list[Route]:
        return [
            Route("/checkout/{id}", self._page, methods=["GET", "POST"]),
            Route("/v1/{kind}", self._list, methods=["GET"]),
            Route("/v1/{kind}", self._make, methods=["POST"]),
            Route("/v1/{kind}/{id}", self._one, methods=["GET", "PATCH", "DELETE"]),
        ]

    async def _page(self, request: Request) -> Response:
        checkout = self.kept["checkouts"].get(request.path_params["id"])
        if checkout is None:
            return PlainTextResponse("no such checkout", 404)
        if request.method == "GET":
            return PlainTextResponse("POST here to pay.")
        self.pay(checkout["id"])
        return RedirectResponse(checkout["attributes"]["product_options"]["redirect_url"], 303)

    async def _list(self, request: Request) -> Response:
        if refused := self.refusal(request):
            return refused
        query, found = request.query_params, list(self.kept[request.path_params["kind"]].values())
        for key, value in query.items():
            if key.startswith("filter["):
                name = key.removeprefix("filter[").removesuffix("]")
                found = [one for one in found if str(one["attributes"].get(name)) == value]
        size, page = min(int(query.get("page[size]", 10)), 100), int(query.get("page[number]", 1))
        shown = found[(page - 1) * size : page * size]
        last = max(1, -(-len(found) // size))
        more = [other for one in shown for other in self._included(one, query.get("include", ""))]
        meta = {"page": {"currentPage": page, "lastPage": last, "perPage": size, "total": len(found)}}
        return JSONResponse({"meta": meta, "data": shown, "included": more})

    async def _make(self, request: Request) -> Response:
        if refused := self.refusal(request):
            return refused
        if request.headers.get("content-type") != "application/vnd.api+json":
            return _error(415, "Content type must be JSON:API.")
        wanted = (await request.json())["data"]
        if wanted["relationships"]["store"]["data"]["id"] != STORE:
            return _error(422, "The store is invalid.")
        if request.path_params["kind"] == "customers":
            email = wanted["attributes"]["email"]
            if any(one["attributes"]["email"] == email for one in self.kept["customers"].values()):
                return _error(422, "The email has already been taken.")
            made = self.new("customers", **wanted["attributes"], urls={"customer_portal": None})
            return JSONResponse({"data": made}, 201)
        variant = wanted["relationships"]["variant"]["data"]["id"]
        if variant not in self.kept["variants"]:
            return _error(422, "The variant is invalid.")
        if wanted["attributes"]["checkout_data"].get("discount_code", "SAVE10") != "SAVE10":
            return _error(422, "The discount code is invalid.")
        made = self.new("checkouts", variant_id=int(variant), **wanted["attributes"])
        made["attributes"]["url"] = f"{self.url}/checkout/{made['id']}"
        return JSONResponse({"data": made}, 201)

    async def _one(self, request: Request) -> Response:
        if refused := self.refusal(request):
            return refused
        found = self.kept.get(request.path_params["kind"], {}).get(request.path_params["id"])
        if found is None:
            return _error(404, "The specified resource does not exist.")
        if request.method == "GET":
            included = self._included(found, request.query_params.get("include", ""))
            return JSONResponse({"data": found, **({"included": included} if included else {})})
        if found["attributes"]["status"] == "expired":
            return _error(422, "The subscription is expired.")
        if request.method == "DELETE":
            ends = found["attributes"]["renews_at"]
            self.changed(found["id"], "subscription_cancelled", status="cancelled", cancelled=True, ends_at=ends)
            return JSONResponse({"data": found})
        return self._update(found, (await request.json())["data"]["attributes"])

    def _update(self, found: _Resource, wanted: _Resource) -> Response:
        match wanted:
            case {"variant_id": variant}:
                if not isinstance(variant, int) or str(variant) not in self.kept["variants"]:
                    return _error(422, "The variant is invalid.")
                self.changed(found["id"], "subscription_plan_changed", variant_id=variant)
            case {"cancelled": False}:
                self.changed(found["id"], "subscription_resumed", status="active", cancelled=False, ends_at=None)
            case {"pause": None}:
                self.changed(found["id"], "subscription_unpaused", status="active", pause=None)
            case {"pause": {"mode": "void" | "free"} as pause}:
                self.changed(found["id"], "subscription_paused", status="paused", pause=pause)
            case _:
                return _error(422, "No such change.")
        return JSONResponse({"data": found})

    def _included(self, of: _Resource, include: str) -> list[_Resource]:
        """What belongs to an object: its one `customer`, or its many `variants`."""
        found = []
        for name in filter(None, include.split(",")):
            single = self.kept.get(f"{name}s", {}).get(str(of["attributes"].get(f"{name}_id")))
            key = f"{of['type'].removesuffix('s')}_id"
            many = [one for one in self.kept.get(name, {}).values() if str(one["attributes"].get(key)) == of["id"]]
            found += [single] if single else many
        return found


def _error(status: int, detail: str) -> Response:
    return JSONResponse({"errors": [{"status": str(status), "detail": detail}]}, status)
