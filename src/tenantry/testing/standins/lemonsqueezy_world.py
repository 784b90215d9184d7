"""What happens at a stand-in for Lemon Squeezy: objects, what changes them, and the events that tell of it."""

import hashlib
import hmac
import itertools
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from .deliveries import Seller, SignedEvent

LEMONSQUEEZY_KEY = "ls_key_not_for_production"
LEMONSQUEEZY_SECRET = "ls_secret_not_for_production"  # noqa: S105 - good for nothing but a stand-in on loopback
STORE = "51385"
PRICES: Mapping[str, int] = {"pro-monthly": 2000, "team-monthly": 5000, "credits-once": 900}
KINDS = (
    "stores", "products", "variants", "prices", "customers", "orders", "subscriptions", "subscription-invoices",
    "checkouts",
)  # fmt: skip
_Resource = dict[str, Any]


class LemonSqueezyWorld(Seller):
    """`kept` are its objects by kind and id. Words that end with `once` are found under what is paid once."""

    def __init__(self, prices: Mapping[str, int], secret: str, now: Callable[[], datetime]) -> None:
        acts: dict[str, Callable[..., dict[str, Any]]] = {
            "pay": self.pay,
            "renew": self._renew,
            "fail": self._fail,
            "recover": self._recover,
            "end": self._end,
            "refund": self._refund,
            "reprice": self._reprice,
            "touch": self._touch,
        }
        super().__init__(acts, LEMONSQUEEZY_KEY)
        self._now = now
        self._secret = secret
        self._numbers = itertools.count(1000)
        self._custom: dict[str, Any] = {}
        self.kept: dict[str, dict[str, _Resource]] = {kind: {} for kind in KINDS}
        self.new("stores", STORE, name="Stand-in", currency="USD")
        for word, cents in prices.items():
            name = word.partition("-")[0].title()
            product = self.new("products", name=name, slug=word, description=None, status="published")
            variant = self.new("variants", product_id=int(product["id"]), name="Default", slug=word, status="pending")
            self._reprice(variant["id"], cents)

    def signed(self, number: int, *, again: bool = False) -> SignedEvent:
        event, told = self.told[number]
        document = json.loads(json.dumps(told))
        # By hand it comes again under another id, and with addresses signed anew.
        document["meta"]["webhook_id"] = str(uuid4()) if again else f"webhook-{number}"
        document["data"]["attributes"]["urls"] = {"customer_portal": f"{self.url}/billing?signature={uuid4().hex}"}
        body = json.dumps(document, separators=(",", ":")).encode()
        signature = hmac.new(self._secret.encode(), body, hashlib.sha256).hexdigest()
        return SignedEvent(event, {"x-event-name": event, "x-signature": signature}, body)

    def tell(self, event: str, resource: _Resource) -> None:
        meta = {"event_name": event, "custom_data": self._custom.get(resource["id"]), "test_mode": False}
        data = json.loads(json.dumps(resource))
        self.told.append((event, {"meta": meta, "data": data}))

    def new(self, kind: str, known: str | None = None, **attributes: Any) -> _Resource:
        at = self._moment()
        external_id = known or str(next(self._numbers))
        times = {"created_at": at, "updated_at": at, "test_mode": False}
        of = {} if kind in {"stores", "variants", "prices"} else {"store_id": int(STORE)}
        made: _Resource = {"type": kind, "id": external_id, "attributes": {**of, **attributes, **times}}
        self.kept[kind][external_id] = made
        return made

    def changed(self, subscription: str, *events: str, **attributes: Any) -> _Resource:
        found = self.kept["subscriptions"][subscription]
        found["attributes"] |= {**attributes, "updated_at": self._moment()}
        for event in (*events, "subscription_updated"):
            self.tell(event, found)
        return found

    def pay(self, checkout: str, email: str | None = None) -> dict[str, Any]:
        """Pay; `email`, under another address than the one that was filled in."""
        page = self.kept["checkouts"][checkout]["attributes"]
        variant = self.kept["variants"][str(page["variant_id"])]
        price = self._prices_of(variant["id"])[-1]
        buyer, renews = page["checkout_data"], price["attributes"]["category"] == "subscription"
        is_trial = renews and not page["checkout_options"].get("skip_trial")
        who = self._buyer(email or buyer.get("email") or "buyer@example.com")
        total = 0 if is_trial else price["attributes"]["unit_price"]
        item = {"variant_id": int(variant["id"]), "price_id": int(price["id"]), "price": total}
        number = len(self.kept["orders"]) + 1
        order = self.new("orders", **who, **_money(total), order_number=number, first_order_item=item)
        self._custom[order["id"]] = buyer.get("custom")
        self.tell("order_created", order)
        if not renews:
            return {"order": order["id"]}
        return {"order": order["id"], **self._subscribe(order, variant, price, is_trial=is_trial)}

    def _subscribe(self, order: _Resource, variant: _Resource, price: _Resource, *, is_trial: bool) -> dict[str, Any]:
        renews_at = self._moment(days=14 if is_trial else 30)
        item = {"price_id": int(price["id"]), "quantity": 1, "updated_at": self._moment()}
        made = self.new(
            "subscriptions",
            **{key: order["attributes"][key] for key in ("customer_id", "user_email", "user_name")},
            order_id=int(order["id"]),
            product_id=variant["attributes"]["product_id"],
            variant_id=int(variant["id"]),
            status="on_trial" if is_trial else "active",
            pause=None,
            cancelled=False,
            trial_ends_at=renews_at if is_trial else None,
            renews_at=renews_at,
            ends_at=None,
            first_subscription_item=item,
        )
        self._custom[made["id"]] = self._custom[order["id"]]
        self.tell("subscription_created", made)
        if is_trial:
            return {"subscription": made["id"]}
        invoice = self._invoice(made, "initial")
        return {"subscription": made["id"], "invoice": invoice["id"]}

    def _invoice(self, of: _Resource, why: str) -> _Resource:
        price = self._prices_of(str(of["attributes"]["variant_id"]))[-1]
        who = {key: of["attributes"][key] for key in ("customer_id", "user_email", "user_name")}
        total = price["attributes"]["unit_price"]
        made = self.new(
            "subscription-invoices", **who, **_money(total), subscription_id=int(of["id"]), billing_reason=why
        )
        self._custom[made["id"]] = self._custom.get(of["id"])
        self.tell("subscription_payment_success", made)
        return made

    def _renew(self, subscription: str) -> dict[str, Any]:
        found = self.changed(subscription, status="active", renews_at=self._moment(days=30))
        return {"invoice": self._invoice(found, "renewal")["id"]}

    def _fail(self, subscription: str) -> dict[str, Any]:
        self.changed(subscription, status="past_due")
        return {}

    def _recover(self, subscription: str) -> dict[str, Any]:
        found = self.changed(subscription, status="active", renews_at=self._moment(days=30))
        invoice = self._invoice(found, "renewal")
        self.tell("subscription_payment_recovered", invoice)
        return {"invoice": invoice["id"]}

    def _end(self, subscription: str) -> dict[str, Any]:
        found = self.kept["subscriptions"][subscription]["attributes"]
        self.changed(subscription, "subscription_expired", status="expired", ends_at=found["ends_at"] or self._moment())
        return {}

    def _refund(self, amount: int, order: str | None = None, invoice: str | None = None) -> dict[str, Any]:
        """Of an order, also of the invoice that is the same money: both are told."""
        own = [one["id"] for one in self.kept["subscriptions"].values() if str(one["attributes"]["order_id"]) == order]
        for one in list(self.kept["subscription-invoices"].values()):
            first = one["attributes"]["billing_reason"] == "initial"
            if one["id"] == invoice or (first and str(one["attributes"]["subscription_id"]) in own):
                self._refunded(one, amount, "partial_refunded", "subscription_payment_refunded")
        if order is not None:
            self._refunded(self.kept["orders"][order], amount, "partial_refund", "order_refunded")
        return {}

    def _refunded(self, found: _Resource, amount: int, part: str, event: str) -> None:
        said = found["attributes"]
        said["refunded_amount"] += amount
        is_all = said["refunded_amount"] >= said["total"]
        said |= {"refunded": is_all, "status": "refunded" if is_all else part, "updated_at": self._moment()}
        self.tell(event, found)

    def _reprice(self, variant: str, cents: int) -> dict[str, Any]:
        """Another price for a variant: the old one stays as it is."""
        once = self.kept["variants"][variant]["attributes"]["slug"].endswith("once")
        unit = None if once else "month"
        made = self.new(
            "prices",
            variant_id=int(variant),
            category="one_time" if once else "subscription",
            scheme="standard",
            unit_price=cents,
            renewal_interval_unit=unit,
            renewal_interval_quantity=None if once else 1,
        )
        return {"price": made["id"]}

    def _touch(self, subscription: str, quantity: int) -> dict[str, Any]:
        """Another quantity: the item's time moves, and the subscription's own does not."""
        found = self.kept["subscriptions"][subscription]
        found["attributes"]["first_subscription_item"] |= {"quantity": quantity, "updated_at": self._moment()}
        self.tell("subscription_updated", found)
        return {}

    def _prices_of(self, variant: str) -> list[_Resource]:
        return [one for one in self.kept["prices"].values() if str(one["attributes"]["variant_id"]) == variant]

    def _buyer(self, email: str) -> dict[str, Any]:
        known = [one for one in self.kept["customers"].values() if one["attributes"]["email"] == email]
        customer = known[0] if known else self.new("customers", email=email, name="Buyer")
        customer["attributes"]["urls"] = {"customer_portal": f"{self.url}/billing?user={customer['id']}&signature=x"}
        return {"customer_id": int(customer["id"]), "user_email": email, "user_name": "Buyer"}

    def _moment(self, *, days: int = 0) -> str:
        # Whole seconds, as Lemon Squeezy has them.
        return f"{(self._now() + timedelta(days=days)).astimezone(UTC):%Y-%m-%dT%H:%M:%S}.000000Z"


def _money(total: int) -> dict[str, Any]:
    return {"currency": "USD", "total": total, "status": "paid", "refunded": False, "refunded_amount": 0}
