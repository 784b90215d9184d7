"""The account behind the stand-in for Stripe: its objects, what happens to them, and the events that tell of it."""

import calendar
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from .stripe_shapes import Document, Refused, Shape, missing, shaped

_DAY = 86_400


class Account:
    """Everything of one account. What tests do to it and what is asked over HTTP take turns.

    `shape` is the shape of answers and of new events. The cards of customers in `declined` are declined.
    """

    def __init__(self, now: Callable[[], datetime], *, is_live: bool = False) -> None:
        self.lock = threading.RLock()
        self.objects: dict[str, Document] = {}
        self.events: list[Document] = []
        self.declined: set[str] = set()
        self.shape: Shape = "new"
        self._clock = now
        self._is_live = is_live

    @property
    def now(self) -> int:
        return int(self._clock().timestamp())

    def make(self, kind: str, prefix: str, **fields: Any) -> Document:
        """A new object; ids count up, so that the order of making is theirs."""
        with self.lock:
            found: Document = {"id": f"{prefix}_{len(self.objects) + 1:06d}", "object": kind, "created": self.now}
            found |= {"livemode": self._is_live, "metadata": {}, **fields}
            self.objects[found["id"]] = found
            return found

    def get(self, kind: str, name: object) -> Document:
        found = self.objects.get(str(name))
        if found is None or found["object"] != kind:
            raise missing(kind, name)
        return found

    def of(self, kind: str) -> list[Document]:
        """Every object of a kind, the newest first."""
        return [one for one in reversed(self.objects.values()) if one["object"] == kind]

    def tell(self, event: str, found: Document, **previous: Any) -> None:
        """Write an event down, with the object as it is now."""
        data = {"object": shaped(found, self.shape)}
        made: Document = {
            "id": f"evt_{len(self.events) + 1:06d}",
            "object": "event",
            "api_version": self.shape,
            "type": event,
        }
        made |= {"created": self.now, "livemode": self._is_live, "pending_webhooks": 1, "account": None}
        self.events.append(made | {"data": data | ({"previous_attributes": previous} if previous else {})})

    def product(self, name: str, **fields: Any) -> Document:
        with self.lock:
            found = self.make("product", "prod", **({"active": True, "name": name, "description": None} | fields))
            self.tell("product.created", found)
            return found

    def price(self, product: str, amount: int | None, *, interval: str | None = "month", **fields: Any) -> Document:
        with self.lock:
            recurring = interval and {"interval": interval, "interval_count": 1, "usage_type": "licensed"}
            values = {"active": True, "currency": "usd", "lookup_key": None, "unit_amount": amount} | fields
            values |= {"recurring": recurring, "type": "recurring" if interval else "one_time"}
            found = self.make("price", "price", product=product, **values)
            self.tell("price.created", found)
            return found

    def subscribe(self, customer: str, price: str, **wanted: Any) -> Document:
        """A subscription with its first invoice. `wanted`: quantity, trial_days, metadata."""
        with self.lock:
            bought, trial = self.get("price", price), int(wanted.get("trial_days") or 0) * _DAY
            is_paid = customer not in self.declined
            status = "trialing" if trial else "active" if is_paid else "incomplete"
            found = self.make(
                "subscription", "sub", customer=customer, metadata=wanted.get("metadata") or {}, status=status,
                cancel_at=None, cancel_at_period_end=False, canceled_at=None, ended_at=None, pause_collection=None,
                trial_end=self.now + trial if trial else None, items={},
            )  # fmt: skip
            item = {"id": f"si_{found['id'][4:]}", "object": "subscription_item", "subscription": found["id"]}
            item |= {"price": bought, "quantity": int(wanted.get("quantity") or 1)}
            item |= {"current_period_start": self.now, "current_period_end": found["trial_end"] or self._next(bought)}
            found["items"] = {"object": "list", "has_more": False, "data": [item]}
            # Stripe does not keep the order of what happens in one second either.
            self._charge(found, "subscription_create", amount=0 if trial else None)
            self.tell("customer.subscription.created", found)
            return found

    def complete(self, session_id: str) -> Document:
        """What the customer does on the checkout page: pay. A declined card leaves the page open."""
        with self.lock:
            session = self.get("checkout.session", session_id)
            hidden = session["_"]
            if session["status"] != "open" or session["customer"] in self.declined:
                raise Refused("Your card was declined.", status=402, code="card_declined")
            if session["mode"] == "subscription":
                made = self.subscribe(session["customer"], **hidden)
                session["subscription"] = made["id"]
            else:
                price = self.get("price", hidden["price"])
                amount = (price["unit_amount"] or 0) * int(hidden["quantity"])
                made = self._pay(session["customer"], amount, price["currency"], metadata=hidden["metadata"])
                session["payment_intent"] = made["id"]
                session |= {"amount_total": amount, "currency": price["currency"]}
            session |= {"status": "complete", "payment_status": "paid", "url": None}
            self.tell("checkout.session.completed", session)
            # Its place among the events of one second is no promise; as a rule it comes before what it made.
            self.events.insert(-1, self.events.pop())
            return made

    def renew(self, subscription_id: str) -> Document:
        """The end of the period has come: it ends as scheduled, is paid anew, or is past due."""
        with self.lock:
            found = self.get("subscription", subscription_id)
            item = found["items"]["data"][0]
            if found["cancel_at"] is not None and found["cancel_at"] <= item["current_period_end"]:
                return self.end(subscription_id)
            item["current_period_start"] = item["current_period_end"]
            item["current_period_end"] = self._next(item["price"], item["current_period_start"])
            found["status"] = "past_due" if found["customer"] in self.declined else "active"
            self._charge(found, "subscription_cycle")
            self.tell("customer.subscription.updated", found, items={})
            return found

    def settle(self, invoice_id: str) -> Document:
        """An invoice that could not be charged is paid after all."""
        with self.lock:
            invoice = self.get("invoice", invoice_id)
            self._collect(invoice)
            parent = invoice["parent"]
            if parent:
                found = self.get("subscription", parent["subscription_details"]["subscription"])
                found["status"] = "active"
                self.tell("customer.subscription.updated", found, status="past_due")
            return invoice

    def end(self, subscription_id: str) -> Document:
        with self.lock:
            found = self.get("subscription", subscription_id)
            found |= {"status": "canceled", "ended_at": self.now, "canceled_at": found["canceled_at"] or self.now}
            self.tell("customer.subscription.deleted", found)
            return found

    def refund(self, intent_id: str, amount: int | None = None) -> Document:
        with self.lock:
            charge = self.get("charge", self.get("payment_intent", intent_id)["latest_charge"])
            left = charge["amount"] - charge["amount_refunded"]
            if not 0 < (amount or left) <= left:
                raise Refused(f"Refund amount is greater than unrefunded amount ({left})", param="amount")
            charge["amount_refunded"] += amount or left
            charge["refunded"] = charge["amount_refunded"] == charge["amount"]
            values = {"charge": charge["id"], "payment_intent": intent_id, "status": "succeeded"}
            found = self.make("refund", "re", amount=amount or left, currency=charge["currency"], **values)
            self.tell("charge.refunded", charge)
            self.tell("refund.created", found)
            return found

    def swap(self, found: Document, price_id: str, quantity: int, *, is_invoiced: bool) -> None:
        """Another price for a subscription; another interval begins a new period."""
        item, price = found["items"]["data"][0], self.get("price", price_id)
        if is_invoiced and found["customer"] in self.declined:
            raise Refused("Your card was declined.", status=402, code="card_declined")
        if price["recurring"] != item["price"]["recurring"]:
            item |= {"current_period_start": self.now, "current_period_end": self._next(price)}
        difference = max(0, (price["unit_amount"] or 0) - (item["price"]["unit_amount"] or 0))
        item |= {"price": price, "quantity": quantity}
        if is_invoiced:
            self._charge(found, "subscription_update", amount=difference)

    def _charge(self, found: Document, reason: str, *, amount: int | None = None) -> None:
        item = found["items"]["data"][0]
        due = (item["price"]["unit_amount"] or 0) * item["quantity"] if amount is None else amount
        period = {"start": item["current_period_start"], "end": item["current_period_end"]}
        price = {"price_details": {"price": item["price"]["id"], "product": item["price"]["product"]}}
        line = {"object": "line_item", "amount": due, "period": period, "pricing": {**price, "type": "price_details"}}
        details = {"subscription": found["id"], "metadata": found["metadata"]}
        customer = self.get("customer", found["customer"])
        invoice = self.make(
            "invoice", "in", customer=found["customer"], customer_email=customer["email"], billing_reason=reason,
            currency=item["price"]["currency"], amount_due=due, amount_paid=0, amount_remaining=due, status="open",
            attempted=False, attempt_count=0, number=f"STANDIN-{len(self.objects):04d}",
            hosted_invoice_url=f"https://invoice.example/{found['id']}", status_transitions={"paid_at": None},
            lines={"object": "list", "has_more": False, "data": [line]},
            parent={"type": "subscription_details", "subscription_details": details}, _={"intent": None},
        )  # fmt: skip
        if found["customer"] in self.declined and due:
            invoice |= {"attempted": True, "attempt_count": 1}
            self.tell("invoice.payment_failed", invoice)
        else:
            self._collect(invoice)

    def _collect(self, invoice: Document) -> None:
        due = invoice["amount_due"]
        invoice |= {"status": "paid", "amount_paid": due, "amount_remaining": 0, "attempted": True}
        invoice["status_transitions"] = {"paid_at": self.now}
        if due:
            invoice["attempt_count"] += 1
            intent = self._pay(invoice["customer"], due, invoice["currency"], invoice=invoice["id"])
            invoice["_"] = {"intent": intent["id"]}
            paid = {"type": "payment_intent", "payment_intent": intent["id"]}
            values = {"invoice": invoice["id"], "payment": paid, "status": "paid", "is_default": True}
            self.tell("invoice_payment.paid", self.make("invoice_payment", "inpay", amount_paid=due, **values))
        self.tell("invoice.payment_succeeded", invoice)
        self.tell("invoice.paid", invoice)

    def _pay(self, customer: str, amount: int, currency: str, **more: Any) -> Document:
        hidden = {"invoice": more.get("invoice")}
        values = {"customer": customer, "amount": amount, "currency": currency, "status": "succeeded", "_": hidden}
        intent = self.make(
            "payment_intent", "pi", amount_received=amount, metadata=more.get("metadata") or {}, **values
        )
        receipt = {"receipt_url": f"https://pay.example/{intent['id']}", "amount_refunded": 0, "refunded": False}
        charge = self.make("charge", "ch", payment_intent=intent["id"], paid=True, **receipt, **values)
        intent["latest_charge"] = charge["id"]
        self.tell("charge.succeeded", charge)
        self.tell("payment_intent.succeeded", intent)
        return intent

    def _next(self, price: Document, start: int | None = None) -> int:
        """The end of the period that begins then: a calendar month or year, clamped to the month's last day."""
        begins = datetime.fromtimestamp(self.now if start is None else start, UTC)
        interval = (price["recurring"] or {}).get("interval", "month")
        if interval in {"day", "week"}:
            return int(begins.timestamp()) + _DAY * (7 if interval == "week" else 1)
        months = begins.month + (12 if interval == "year" else 1) - 1
        year, month = begins.year + months // 12, months % 12 + 1
        day = min(begins.day, calendar.monthrange(year, month)[1])
        return int(begins.replace(year=year, month=month, day=day).timestamp())


__all__ = ["Account"]
