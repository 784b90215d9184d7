"""What can be done at the stand-in payment provider, by people, programs and time. No HTTP here."""

import re
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from .billing_events import Outbox
from .billing_state import (
    Books,
    Checkout,
    Customer,
    Interval,
    Item,
    Kind,
    Payment,
    Portal,
    Price,
    Product,
    Subscription,
    Told,
    keep_books,
)
from .billing_terms import off, period_end

_PAGE_LIFE = timedelta(hours=24)


class Refused(Exception):
    """What cannot be done, and why, in a sentence."""


class Shop:
    """The books and what happens in them. Everything is called inside `turn()`, by whatever thread.

    `url`: where its pages are. `due()` is called at each turn for what time brings, `changed()` when something is told.
    """

    def __init__(self, books: Books, now: Callable[[], datetime], *, file: Path | None = None) -> None:
        self.url = ""
        self.books = books
        self.now = now
        self.outbox = Outbox(books, now)
        self.due: Callable[[], None] = lambda: None
        self.changed: Callable[[], None] = lambda: None
        self._file = file
        self._lock = threading.RLock()
        self._is_dirty = False

    @contextmanager
    def turn(self) -> Iterator[None]:
        """One at a time. What is due by the clock has happened; what happens inside is kept in the file."""
        with self._lock:
            self.due()
            try:
                yield
            finally:
                if self._is_dirty and self._file is not None:
                    keep_books(self.books, self._file)
                self._is_dirty = False

    def keep(self) -> None:
        """Something happened that is to be kept."""
        self._is_dirty = True

    def touch(self) -> None:
        """Something happened that is to be kept, and perhaps told."""
        self.keep()
        self.changed()

    def tell(self, event: str, kind: Kind, item: Item) -> None:
        """An event about an object, as the object is now."""
        told_id, occurred_at = f"evt_{secrets.token_hex(12)}", self.now()
        body = {
            "id": told_id,
            "event": event,
            "kind": kind,
            "object_id": item.id,
            "occurred_at": occurred_at,
            "object": item,
        }
        told = Told(
            id=told_id,
            event=event,
            kind=kind,
            object_id=item.id,
            occurred_at=occurred_at,
            body=msgspec.json.encode(body).decode(),
        )
        self.outbox.add(told)
        self.touch()

    def customer(self, *, holder_id: str | None, email: str | None, name: str | None = None) -> Customer:
        """The customer of this holder; made, when there is none."""
        for one in self.books.customers.values():
            if holder_id is not None and one.holder_id == holder_id and not one.is_deleted:
                return one
        made = Customer(id=_id("cus"), holder_id=holder_id, email=email, name=name, created_at=self.now())
        self.books.customers[made.id] = made
        self.tell("customer.created", "customer", made)
        return made

    def sell(
        self, name: str, amount: int, *, interval: Interval | None, currency: str, details: dict[str, str]
    ) -> Price:
        """A product with one price, made here and declared nowhere."""
        word = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
        product = Product(id=f"prod_{word}", name=name, details=details)
        price = Price(id=f"price_{word}", product=product.id, amount=amount, currency=currency, interval=interval)
        self.books.products[product.id], self.books.prices[price.id] = product, price
        self.tell("product.created", "product", product)
        self.tell("price.created", "price", price)
        return price

    def checkout(self, wanted: Checkout) -> Checkout:
        """Open a page to pay on."""
        price, customer = self.books.prices.get(wanted.price), self.books.customers.get(wanted.customer)
        if price is None or not price.is_active:
            raise Refused("This price is not for sale.")
        if customer is None or customer.is_deleted:
            raise Refused("This customer is not known.")
        if wanted.quantity < 1 or wanted.trial_days < 0:
            raise Refused("There must be something to buy.")
        made = msgspec.structs.replace(wanted, id=_id("che"), expires_at=self.now() + _PAGE_LIFE)
        self.books.checkouts[made.id] = made
        self.touch()
        return made

    def portal(self, *, customer: str, return_url: str) -> Portal:
        """Open a page to see to a subscription on."""
        if customer not in self.books.customers:
            raise Refused("This customer is not known.")
        made = Portal(id=_id("por"), customer=customer, return_url=return_url, expires_at=self.now() + _PAGE_LIFE)
        self.books.portals[made.id] = made
        self.touch()
        return made

    def pay(self, checkout: Checkout, *, is_declined: bool = False) -> Subscription | None:
        """Pay on the page. A declined card makes a failed payment and nothing else; the page stays open."""
        if checkout.subscription or checkout.payment:
            raise Refused("This was paid for already.")
        price = self.books.prices[checkout.price]
        if is_declined:
            self._buy(checkout, None, is_paid=False)
            raise Refused("The card was declined.")
        if price.interval is None:
            checkout.payment = self._buy(checkout, None, is_paid=True).id
            return None
        made = self._subscribed(checkout, price)
        checkout.subscription = made.id
        self.tell("subscription.started", "subscription", made)
        if made.status == "active":
            checkout.payment = self._buy(checkout, made, is_paid=True).id
        self.tell("checkout.completed", "subscription", made)
        return made

    def charge(self, subscription: Subscription, amount: int, reason: str, *, is_paid: bool) -> Payment:
        """A payment of a subscription, made or failed."""
        price = self.books.prices[subscription.price]
        made = self._payment(subscription.customer, price, amount, reason)
        made.subscription, made.holder_id = subscription.id, subscription.holder_id
        made.period_start, made.period_end = subscription.period_start, subscription.period_end
        return self.settle(made, is_paid=is_paid)

    def settle(self, payment: Payment, *, is_paid: bool) -> Payment:
        """A payment is made, or failed."""
        payment.status = "paid" if is_paid else "failed"
        payment.paid_at = self.now() if is_paid else None
        self.books.payments[payment.id] = payment
        self.tell(f"payment.{payment.status}", "payment", payment)
        return payment

    def refund(self, payment: Payment, amount: int | None = None) -> None:
        """Give back so much of a payment, all that is left without an amount."""
        left = payment.amount - payment.refunded if payment.status in {"paid", "partially_refunded"} else 0
        amount = left if amount is None else amount
        if not 0 < amount <= left:
            raise Refused("There is not so much to give back.")
        payment.refunded += amount
        payment.status = "refunded" if payment.refunded == payment.amount else "partially_refunded"
        self.tell("payment.refunded", "payment", payment)

    def _buy(self, checkout: Checkout, subscription: Subscription | None, *, is_paid: bool) -> Payment:
        price = self.books.prices[checkout.price]
        full = price.amount * checkout.quantity
        amount = full - off(checkout.coupon, full)
        if subscription is not None:
            return self.charge(subscription, amount, "initial", is_paid=is_paid)
        made = self._payment(checkout.customer, price, amount, "initial" if price.interval else "once")
        made.holder_id = checkout.holder_id
        return self.settle(made, is_paid=is_paid)

    def _payment(self, customer: str, price: Price, amount: int, reason: str) -> Payment:
        made = _id("pay")
        return Payment(
            id=made,
            number=f"T-{len(self.books.payments) + 1:05}",
            customer=customer,
            subscription=None,
            price=price.id,
            status="pending",
            reason=reason,
            amount=amount,
            currency=price.currency,
            receipt_url=f"{self.url}/receipts/{made}",
            email=self.books.customers[customer].email,
            created_at=self.now(),
        )

    def _subscribed(self, checkout: Checkout, price: Price) -> Subscription:
        now = self.now()
        trial_end = now + timedelta(days=checkout.trial_days) if checkout.trial_days else None
        made = Subscription(
            id=_id("sub"),
            customer=checkout.customer,
            price=price.id,
            status="trialing" if trial_end else "active",
            quantity=checkout.quantity,
            period_start=now,
            period_end=trial_end or period_end(now, now, price),
            trial_ends_at=trial_end,
            holder_id=checkout.holder_id,
            email=self.books.customers[checkout.customer].email,
            created_at=now,
            anchor=now,
            coupon=checkout.coupon if trial_end else None,
        )
        self.books.subscriptions[made.id] = made
        return made


def _id(kind: str) -> str:
    # By chance, since the application's database may know the ids of an earlier start.
    return f"{kind}_{secrets.token_hex(12)}"
