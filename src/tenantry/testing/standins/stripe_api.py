"""The endpoints of the stand-in for Stripe."""

import json
import re
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from .binance_faults import spoil
from .faults import Faults
from .stripe_account import Account
from .stripe_lists import expand, matches, page
from .stripe_shapes import Document, Refused, missing, nested, shaped

STRIPE_KEY = "sk_test_of_the_stand_in"
_MODES = {"slow", "drip", "hang", "drop", "lying", "redirect", "429", "500"}
_ABOUT = """This is a stand-in for Stripe's API, for demos and tests on this machine. It is not Stripe, takes no money
and is not for production.
"""
# What each list is a list of, and what may be sent to make or change one of them.
_KINDS = {
    "products": "product", "prices": "price", "customers": "customer", "subscriptions": "subscription",
    "invoices": "invoice", "invoice_payments": "invoice_payment", "payment_intents": "payment_intent",
    "charges": "charge", "refunds": "refund", "promotion_codes": "promotion_code", "coupons": "coupon",
    "checkout/sessions": "checkout.session", "billing_portal/sessions": "billing_portal.session",
}  # fmt: skip
_FIELDS = {
    "products": "name description active metadata",
    "prices": "product unit_amount currency recurring lookup_key active metadata",
    "customers": "email name metadata",
    "subscriptions": "items cancel_at cancel_at_period_end pause_collection proration_behavior payment_behavior "
    "customer metadata trial_period_days billing_cycle_anchor",
    "checkout/sessions": "mode customer client_reference_id line_items success_url cancel_url metadata discounts "
    "subscription_data payment_intent_data allow_promotion_codes",
    "billing_portal/sessions": "customer return_url",
    "refunds": "payment_intent amount",
}


class Api:
    """The endpoints. One request at a time acts upon the account."""

    def __init__(self, account: Account, url: str) -> None:
        self._account, self._url = account, url
        self._faults = Faults(_MODES)
        self._kept: dict[str, tuple[Document, Response]] = {}

    def app(self) -> Starlette:
        about = Route("/", lambda _: PlainTextResponse(_ABOUT))
        v1 = Route("/v1/{path:path}", self._answer, methods=["GET", "POST", "DELETE"])
        return Starlette(routes=[about, v1, *self._faults.routes()])

    async def _answer(self, request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {STRIPE_KEY}":
            error = {"type": "invalid_request_error", "message": "Invalid API Key provided: sk_****"}
            return JSONResponse({"error": error}, 401)
        raw = (await request.body()).decode() if request.method == "POST" else request.url.query
        asked = nested(parse_qsl(raw, keep_blank_values=True)) | {"_": (request.method, request.path_params["path"])}
        fault, key = self._faults.take(*_MODES), request.headers.get("idempotency-key")
        if fault is not None and request.method != "GET":
            # What goes wrong changes nothing; else a test could not tell what it left behind.
            return await spoil(fault, request, {}, {})
        answer = await run_in_threadpool(self._once, asked, key)
        return answer if fault is None else await spoil(fault, request, json.loads(bytes(answer.body)), {})

    def _once(self, asked: Document, key: str | None) -> Response:
        with self._account.lock:
            if key is None or key not in self._kept:
                answer = self._tried(dict(asked))
                if key is not None and answer.status_code < 500:
                    self._kept[key] = asked, answer
                return answer
            before, answer = self._kept[key]
            if before == asked:
                return answer
            error = {"type": "idempotency_error", "message": "Keys for idempotent requests can only be used with the "
                     "same parameters they were first used with."}  # fmt: skip
            return JSONResponse({"error": error}, 400)

    def _tried(self, asked: Document) -> Response:
        method, path = asked.pop("_")
        wanted = asked.pop("expand", [])
        try:
            found = self._done(method, path, asked)
            for one in wanted:
                expand(found, one, self._account)
        except Refused as refused:
            return JSONResponse(refused.document, refused.status)
        return JSONResponse(found)

    def _done(self, method: str, path: str, asked: Document) -> Document:
        name, _, more = path.removesuffix("/").partition("/")
        if name in {"checkout", "billing_portal"}:
            name, _, more = f"{name}/{more}".partition("/sessions")
            name, more = f"{name}/sessions", more.removeprefix("/")
        if name == "events":
            return self._events(asked)
        kind = _KINDS.get(name)
        if kind is None:
            raise Refused(f"Unrecognized request URL ({method}: /v1/{path}).", status=404)
        if method == "GET":
            return self._list(name, kind, more, asked) if more in {"", "search"} else self._shown(kind, more)
        if method == "POST":
            _known(name, asked)
            return self._shown(kind, self._posted(name, kind, more, asked)["id"])
        self._account.end(self._live(more)["id"])
        return self._shown(kind, more)

    def _shown(self, kind: str, object_id: str) -> Document:
        return shaped(self._account.get(kind, object_id), self._account.shape)

    def _posted(self, name: str, kind: str, more: str, asked: Document) -> Document:
        account = self._account
        if name == "subscriptions" and more:
            found = self._live(more.removesuffix("/resume"))
            found["status"] = "active" if more.endswith("/resume") else found["status"]
            return self._change(found, asked)
        if more:
            found = account.get(kind, more)
            found |= asked
            account.tell(f"{kind}.updated", found)
            return found
        match name:
            case "products":
                return account.product(**asked)
            case "prices":
                amount, recurring = int(asked.pop("unit_amount", 0)), asked.pop("recurring", {})
                return account.price(asked.pop("product"), amount, interval=recurring.get("interval"), **asked)
            case "customers":
                found = account.make("customer", "cus", **({"email": None, "name": None} | asked))
                account.tell("customer.created", found)
                return found
            case "subscriptions":
                trial = asked.get("trial_period_days")
                wanted = {"trial_days": trial, "metadata": asked.get("metadata"), **asked["items"][0]}
                return account.subscribe(account.get("customer", asked["customer"])["id"], **wanted)
            case "refunds":
                return account.refund(asked["payment_intent"], int(asked.get("amount", 0)) or None)
            case "checkout/sessions":
                return self._checkout(asked)
        account.get("customer", asked["customer"])
        found = account.make(kind, "bps", **asked)
        return found | {"url": found.setdefault("url", f"{self._url}/portal/{found['id']}")}

    def _checkout(self, asked: Document) -> Document:
        account, line = self._account, asked["line_items"][0]
        price = account.get("price", line["price"])
        if (asked["mode"] == "payment") != (price["recurring"] is None):
            raise Refused(f"The price does not go with mode `{asked['mode']}`.", param="line_items")
        if "discounts" in asked and "allow_promotion_codes" in asked:
            raise Refused("You may only specify one of these parameters: allow_promotion_codes, discounts.")
        for one in asked.get("discounts", []):
            account.get(*next(iter(one.items())))
        account.get("customer", asked["customer"])
        data = asked.get("subscription_data") or asked.get("payment_intent_data") or {}
        hidden = {**line, "quantity": line.get("quantity", "1"), "metadata": data.get("metadata", {})}
        if "trial_period_days" in data:
            hidden["trial_days"] = int(data["trial_period_days"])
        kept = {key: asked.get(key) for key in ("mode", "customer", "client_reference_id", "success_url")}
        kept |= {"status": "open", "payment_status": "unpaid", "subscription": None, "payment_intent": None}
        found = account.make("checkout.session", "cs_test", **kept, metadata=asked.get("metadata", {}), _=hidden)
        found["url"] = f"{self._url}/c/pay/{found['id']}"
        return found

    def _live(self, object_id: str) -> Document:
        found = self._account.get("subscription", object_id)
        if found["status"] in {"canceled", "incomplete_expired"}:
            raise Refused("A canceled subscription can only update its cancellation_details and metadata.")
        return found

    def _change(self, found: Document, asked: Document) -> Document:
        if {"cancel_at", "cancel_at_period_end"} <= asked.keys():
            raise Refused("You may only specify one of these parameters: cancel_at, cancel_at_period_end.")
        item = found["items"]["data"][0]
        for wanted in asked.get("items", []):
            if wanted["id"] != item["id"]:
                raise missing("subscription_item", wanted["id"])
            is_invoiced = asked.get("proration_behavior") == "always_invoice"
            self._account.swap(found, wanted["price"], int(wanted.get("quantity", 1)), is_invoiced=is_invoiced)
        if "cancel_at_period_end" in asked:
            is_ending = asked["cancel_at_period_end"] == "true"
            found |= {"cancel_at_period_end": is_ending, "cancel_at": item["current_period_end"] if is_ending else None}
        if "cancel_at" in asked:
            found |= {"cancel_at": int(asked["cancel_at"]) if asked["cancel_at"] else None}
        if "pause_collection" in asked:
            pause = asked["pause_collection"] or None
            resumes_at = pause and pause.get("resumes_at")
            found["pause_collection"] = pause and pause | {"resumes_at": int(resumes_at) if resumes_at else None}
        self._account.tell("customer.subscription.updated", found, **{key: None for key in asked if key in found})
        return found

    def _events(self, asked: Document) -> Document:
        since = int(asked.pop("created", {}).get("gte", 0))
        wanted = asked.pop("delivery_success", None)
        found = [
            one
            for one in reversed(self._account.events)
            if one["created"] >= since and wanted in {None, "false" if one["pending_webhooks"] else "true"}
        ]
        return page(found, asked)

    def _list(self, name: str, kind: str, more: str, asked: Document) -> Document:
        found = self._account.of(kind)
        if more == "search":
            pair = re.fullmatch(r"metadata\['(\w+)'\]:'([^']*)'", asked.pop("query", ""))
            found = [one for one in found if pair and one["metadata"].get(pair[1]) == pair[2]]
        paging: Document = {key: asked.pop(key) for key in ("limit", "starting_after") if key in asked}
        if name == "subscriptions" and asked.pop("status", None) != "all":
            found = [one for one in found if one["status"] != "canceled"]
        for field, value in asked.items():
            found = [one for one in found if matches(one.get(field), value)]
        return page([shaped(one, self._account.shape) for one in found], paging)


def _known(name: str, asked: Document) -> None:
    for one in asked.keys() - set(_FIELDS.get(name, "").split()):
        raise Refused(f"Received unknown parameter: {one}", code="parameter_unknown", param=one)


__all__ = ["STRIPE_KEY", "Api"]
