"""A stand-in payment provider: a real server with an API, pages to pay on and signed events, for demos and tests.

No money moves. What it tells the application it can also repeat, hold back, shuffle, delay and lose.
"""

import random
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from starlette.applications import Starlette
from starlette.types import ASGIApp

from tenantry import product as declared

from .billing_api import Api
from .billing_changes import cancel, fail_payments
from .billing_events import Postman, Sent, Waiting
from .billing_goods import goods_of
from .billing_pages import Pages
from .billing_shop import Shop
from .billing_state import Interval, Payment, Subscription, Told, read_books
from .billing_terms import catalogue_of
from .billing_time import happen, let_pass
from .server import StandIn

_WAIT_SECONDS = 10.0


def start_billing(
    product: declared.Product,
    *,
    told: str | None = None,
    port: int = 0,
    file: Path | None = None,
    now: Callable[[], datetime] | None = None,
) -> "BillingStandIn":
    """Start it on loopback, with the product's plans for sale; its address goes into `TENANTRY_DEMO_BILLING`.

    `told`: the address of the application's webhook, such as `http://127.0.0.1:8000/webhooks/fake`; events are carried
    there, again and again while it does not answer 2xx. Without it a test takes them (`take()`) and carries them.
    `file`: where it keeps its books from one start to the next, and its port when that is free; without it they end
    with it. `now`: its clock, to which renewals happen.
    Modes of `fault(mode, ...)`, all of its API: `away` (500), `busy` (429, retry_after), `slow` (seconds), `lying`
    (kind: html, deep, or a number for JSON of another shape).
    """
    clock = now or (lambda: datetime.now(UTC))
    books = read_books(file)
    shop = Shop(books, clock, file=file)
    products, prices = catalogue_of(product)
    # What is not declared any more is not for sale any more; who has it keeps it.
    for sold in books.products.values():
        sold.is_active = False
    for priced in books.prices.values():
        priced.is_active = False
    books.products |= {one.id: one for one in products}
    books.prices |= {one.id: one for one in prices}
    if port == 0 and books.port:
        try:
            return BillingStandIn(shop, told=told, port=books.port)
        except OSError:
            pass
    return BillingStandIn(shop, told=told, port=port)


class BillingStandIn(StandIn):
    """A running one, and what can be done there in tests: by the buyer, by time, by bad luck. Any thread may."""

    def __init__(self, shop: Shop, *, told: str | None, port: int) -> None:
        self._shop = shop
        self._api = Api(shop)
        super().__init__(self._build, port=port)
        self._postman = Postman(told, due=self._sealed, told=self._noted) if told else None
        if self._postman:
            shop.changed = self._postman.wake

    @property
    def events(self) -> list[Told]:
        """Everything that happened, the oldest first."""
        with self._shop.turn():
            return list(self._shop.books.events.values())

    def page_size(self, size: int) -> None:
        """How many of a list are answered at once, from now on."""
        self._api.page_size = size

    def pay(self, address: str, *, is_declined: bool = False) -> str:
        """Pay on a checkout page; answers the id of the subscription, or of what was paid once. Raises `Refused`."""
        with self._shop.turn():
            checkout = self._shop.books.checkouts[address.rsplit("/", 1)[-1]]
            made = self._shop.pay(checkout, is_declined=is_declined)
            return made.id if made else checkout.payment or ""

    def sell(
        self,
        name: str,
        amount: int,
        *,
        interval: Interval | None = None,
        currency: str = "USD",
        details: Mapping[str, str] | None = None,
    ) -> str:
        """Sell a product that nobody declared, without an interval paid once; answers its price's id."""
        with self._shop.turn():
            return self._shop.sell(name, amount, interval=interval, currency=currency, details=dict(details or {})).id

    def sell_goods(self, product: declared.Product) -> None:
        """Sell what a product takes from its provider's shop: its plans without prices, and credits."""
        for good in goods_of(product):
            self.sell(good.name, good.amount, interval=good.interval, details=good.details)

    def fail_payments(self, subscription: str, count: int = 1) -> None:
        """The next `count` payments of it fail."""
        with self._shop.turn():
            fail_payments(self._shop, self._subscription(subscription), count)

    def let_pass(self, subscription: str) -> None:
        """As if its period ended now."""
        with self._shop.turn():
            let_pass(self._shop, self._subscription(subscription))

    def cancel(self, subscription: str, *, at_once: bool = False) -> None:
        """Cancel it, as its buyer."""
        with self._shop.turn():
            cancel(self._shop, self._subscription(subscription), at_once=at_once)

    def refund(self, payment: str, amount: int | None = None) -> None:
        """Give back so much of a payment, all of it without an amount."""
        with self._shop.turn():
            self._shop.refund(self._shop.books.payments[payment], amount)

    def payments(self, subscription: str) -> list[Payment]:
        """The payments of a subscription, the oldest first."""
        with self._shop.turn():
            return [one for one in self._shop.books.payments.values() if one.subscription == subscription]

    def repeat(self, times: int) -> None:
        """From now on each event is sent so many times more."""
        with self._shop.turn():
            self._shop.outbox.chaos.repeat = times

    def lose(self, count: int = -1) -> None:
        """The next `count` events are never sent, all of them without a count."""
        with self._shop.turn():
            self._shop.outbox.chaos.lose = count

    def delay(self, seconds: float) -> None:
        """From now on each event is sent so much later."""
        with self._shop.turn():
            self._shop.outbox.chaos.delay = seconds

    def hold(self) -> None:
        """From now on events wait until they are let go."""
        with self._shop.turn():
            self._shop.outbox.chaos.is_holding = True

    def release(self, *, shuffled: int | None = None) -> None:
        """Let go what is held, in order or shuffled by a seed."""
        with self._shop.turn():
            order = None if shuffled is None else random.Random(shuffled)  # noqa: S311 - no secret
            self._shop.outbox.release(order=order)
            self._shop.touch()

    def resend(self, event_id: str) -> None:
        """Send an event once more, lost ones too. An id that is not known is a KeyError."""
        with self._shop.turn():
            self._shop.outbox.resend(event_id)
            self._shop.touch()

    def take(self) -> list[Sent]:
        """What is to be sent now, for a test that carries it itself."""
        with self._shop.turn():
            found = self._sealed()
            for one, _ in found:
                self._noted(one, is_taken=True)
            return [sent for _, sent in found]

    def wait(self) -> None:
        """Until everything that is not held back has arrived; a TimeoutError after ten seconds."""
        deadline = time.monotonic() + _WAIT_SECONDS
        while time.monotonic() < deadline:
            with self._shop.turn():
                if self._shop.outbox.is_empty():
                    return
            time.sleep(0.01)
        raise TimeoutError("the events did not arrive")

    def clear(self) -> None:
        """Behave well again, tell everything as it should be told, and count from zero."""
        super().clear()
        with self._shop.turn():
            self._shop.outbox.calm()

    def stop(self) -> None:
        """End the server and its threads. More than once is allowed."""
        if self._postman:
            self._postman.stop()
        super().stop()

    def _build(self, url: str) -> ASGIApp:
        shop = self._shop
        shop.url = url
        shop.books.port = self.port
        for payment in shop.books.payments.values():
            payment.receipt_url = f"{url}/receipts/{payment.id}"
        shop.due = partial(happen, shop)
        return Starlette(routes=[*self._api.routes(), *Pages(shop).routes()])

    def _subscription(self, external_id: str) -> Subscription:
        return self._shop.books.subscriptions[external_id]

    def _sealed(self) -> list[tuple[Waiting, Sent]]:
        with self._shop.turn():
            return [(one, self._shop.outbox.sealed(one)) for one in self._shop.outbox.due()]

    def _noted(self, one: Waiting, *, is_taken: bool) -> None:
        with self._shop.turn():
            self._shop.outbox.told(one, is_taken=is_taken)
            self._shop.keep()
