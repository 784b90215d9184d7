"""What happens at a stand-in for Polar: objects, what changes them, and the events that tell of it."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4, uuid5

from .deliveries import Seller, SignedEvent

POLAR_KEY = "polar_oat_not_for_production"
POLAR_SECRET = "polar_whs_not_for_production"  # noqa: S105 - good for nothing but a stand-in on loopback
PRICES: Mapping[str, int] = {"pro_monthly": 2000, "team_monthly": 5000}
_SPACE = UUID("5f1d2a5e-0b5c-4a0f-9d53-1d3f6c1f0a11")
_Object = dict[str, Any]


def polar_id(name: str) -> str:
    """The id of the product or price (`price:` before it) that is found under this word."""
    return str(uuid5(_SPACE, name))


class PolarWorld(Seller):
    """`kept` are its objects by kind and id, `ids` those of the events told. What ends with `once` is paid once."""

    def __init__(self, prices: Mapping[str, int], secret: str, now: Callable[[], datetime]) -> None:
        acts: dict[str, Callable[..., _Object]] = {
            "pay": self.pay,
            "renew": self._renew,
            "fail": self._fail,
            "recover": self._recover,
            "end": self._end,
            "refund": self._refund,
            "archive": self._archive,
            "stranger": self._stranger,
            "miss": self._miss,
            "lose": self._lose,
        }
        super().__init__(acts, POLAR_KEY)
        self.now = now
        self._secret = secret
        self.ids: list[str] = []
        self.missed: list[int] = []
        self._is_losing = False
        products = [self._product(word, cents) for word, cents in prices.items()]
        self.kept: dict[str, dict[str, _Object]] = {
            "products": {one["id"]: one for one in products},
            "discounts": {polar_id("SAVE10"): {"id": polar_id("SAVE10"), "code": "SAVE10", "name": "Ten off"}},
            **{name: {} for name in ("customers", "subscriptions", "orders", "checkouts")},
        }

    def signed(self, number: int, *, again: bool = False) -> SignedEvent:
        event, document = self.told[number]
        body = json.dumps(document, separators=(",", ":")).encode()
        sent = str(int(self.now().timestamp()))
        signed = hmac.digest(self._secret.encode(), f"{self.ids[number]}.{sent}.".encode() + body, hashlib.sha256)
        headers = {
            "webhook-id": self.ids[number],
            "webhook-timestamp": sent,
            "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
        }
        return SignedEvent(event, headers, body)

    def tell(self, event: str, data: _Object) -> None:
        self.ids.append(str(uuid4()))
        # Two events never share a microsecond, as Polar has it.
        at = self.now() + timedelta(microseconds=len(self.told))
        copy = json.loads(json.dumps(self.whole(data)))
        if self._is_losing:
            self.missed.append(len(self.told))
        self.told.append((event, {"type": event, "timestamp": at.isoformat(), "data": copy}))

    def whole(self, data: _Object) -> _Object:
        """An object with those it refers to."""
        if "customer_id" not in data:
            return data
        product = self.kept["products"].get(data.get("product_id", ""))
        # An order's product comes without its prices.
        named = product if product is None or "billing_reason" not in data else {**product, "prices": []}
        return {**data, "customer": self.kept["customers"][data["customer_id"]], "product": named}

    def selling(self, product: str) -> _Object:
        """What a subscription says of the product that it is for."""
        prices = self.kept["products"][product]["prices"]
        return {"product_id": product, "prices": prices, "amount": prices[0]["price_amount"]}

    def _product(self, word: str, cents: int) -> _Object:
        renews = not word.endswith("once")
        price = {
            "id": polar_id(f"price:{word}"),
            "amount_type": "fixed",
            "price_amount": cents,
            "price_currency": "usd",
            "is_archived": False,
            "product_id": polar_id(word),
            "type": "recurring" if renews else "one_time",
        }
        return self.new(
            polar_id(word),
            name=word.partition("_")[0].title(),
            description=None,
            is_archived=False,
            is_recurring=renews,
            recurring_interval="month" if renews else None,
            recurring_interval_count=1 if renews else None,
            metadata={"lookup": word},
            prices=[price],
        )

    def new(self, known: str | None = None, **fields: Any) -> _Object:
        made = self.now().isoformat()
        return {"id": known or str(uuid4()), "created_at": made, "modified_at": None, **fields}

    def _order(self, subscription: _Object, reason: str, cents: int) -> _Object:
        order = self.new(
            status="paid",
            paid=True,
            total_amount=cents,
            tax_amount=0,
            refunded_amount=0,
            refunded_tax_amount=0,
            currency="usd",
            billing_reason=reason,
            invoice_number=f"POLAR-{len(self.kept['orders']) + 1:04}",
            customer_id=subscription["customer_id"],
            product_id=subscription["product_id"],
            subscription_id=subscription["id"],
            metadata=subscription["metadata"],
            items=[{"product_price_id": subscription["prices"][0]["id"]}],
        )
        self.kept["orders"][order["id"]] = order
        self.tell("order.created", order)
        self.tell("order.paid", order)
        return order

    def pay(self, checkout: str) -> _Object:
        page = self.kept["checkouts"][checkout]
        if page["status"] != "open":
            raise ValueError("this checkout is not open")
        page["status"] = "succeeded"
        product, trial = self.kept["products"][page["products"][0]], page.get("trial_interval_count", 0)
        if not product["is_recurring"]:
            bought = {"customer_id": page["customer_id"], "product_id": product["id"], "prices": product["prices"]}
            bought |= {"id": None, "metadata": page.get("metadata", {})}
            return {"order": self._order(bought, "purchase", product["prices"][0]["price_amount"])["id"]}
        began = self.now()
        ends = began + timedelta(days=trial or 30)
        subscription = self.new(
            status="trialing" if trial else "active",
            amount=product["prices"][0]["price_amount"],
            currency="usd",
            current_period_start=began.isoformat(),
            current_period_end=ends.isoformat(),
            trial_start=began.isoformat() if trial else None,
            trial_end=ends.isoformat() if trial else None,
            cancel_at_period_end=False,
            pause_at_period_end=False,
            **dict.fromkeys(("canceled_at", "ends_at", "ended_at", "past_due_at", "paused_at", "resumes_at")),
            seats=page.get("seats"),
            customer_id=page["customer_id"],
            product_id=product["id"],
            checkout_id=checkout,
            metadata=page.get("metadata", {}),
            prices=product["prices"],
        )
        self.kept["subscriptions"][subscription["id"]] = subscription
        for event in ("subscription.created", "subscription.active", "subscription.updated"):
            self.tell(event, subscription)
        order = self._order(subscription, "subscription_create", 0 if trial else subscription["amount"])
        return {"subscription": subscription["id"], "order": order["id"]}

    def changed(self, subscription: str, *events: str, **fields: Any) -> _Object:
        found = self.kept["subscriptions"][subscription]
        found |= fields
        for event in (*events, "subscription.updated"):
            self.tell(event, found)
        return found

    def _renew(self, subscription: str) -> _Object:
        found = self.kept["subscriptions"][subscription]
        if found["pause_at_period_end"]:
            return self._end(subscription)
        began = datetime.fromisoformat(found["current_period_end"])
        period: _Object = {"current_period_start": began.isoformat(), "current_period_end": _later(began)}
        if waiting := found.get("pending_update"):
            period |= {**self.selling(waiting["product_id"]), "pending_update": None}
        found = self.changed(subscription, "subscription.cycled", status="active", **period)
        return {"order": self._order(found, "subscription_cycle", found["amount"])["id"]}

    def _fail(self, subscription: str) -> _Object:
        self.changed(subscription, "subscription.past_due", status="past_due", past_due_at=self.now().isoformat())
        return {}

    def _recover(self, subscription: str) -> _Object:
        found = self.changed(subscription, "subscription.active", status="active", past_due_at=None)
        return {"order": self._order(found, "subscription_cycle", found["amount"])["id"]}

    def _end(self, subscription: str) -> _Object:
        """Its period ends: with a pause, where one was scheduled."""
        at = self.now().isoformat()
        if self.kept["subscriptions"][subscription]["pause_at_period_end"]:
            self.changed(subscription, "subscription.paused", status="paused", paused_at=at, pause_at_period_end=False)
        else:
            self.changed(subscription, "subscription.revoked", status="canceled", ended_at=at)
        return {}

    def _refund(self, order: str, amount: int) -> _Object:
        found = self.kept["orders"][order]
        found["refunded_amount"] += amount
        is_all = found["refunded_amount"] >= found["total_amount"]
        found["status"] = "refunded" if is_all else "partially_refunded"
        self.tell("refund.created", self.new(order_id=order, amount=amount, status="succeeded"))
        self.tell("order.updated", found)
        self.tell("order.refunded", found)
        return {}

    def _archive(self, product: str) -> _Object:
        self.kept["products"][product]["is_archived"] = True
        self.tell("product.updated", self.kept["products"][product])
        return {}

    def _stranger(self, email: str, external_id: str | None = None) -> _Object:
        made = self.new(email=email, name=None, external_id=external_id, metadata={}, deleted_at=None)
        self.kept["customers"][made["id"]] = made
        self.tell("customer.created", made)
        return {"customer": made["id"]}

    def _miss(self, event: int) -> _Object:
        self.missed.append(event)
        return {"id": self.ids[event]}

    def _lose(self) -> _Object:
        """From now on nothing arrives."""
        self._is_losing = True
        return {}


def _later(began: datetime) -> str:
    return (began + timedelta(days=30)).isoformat()
