"""A payment provider of a page: it keeps the Protocol and its own state, and fails where a test says so.

The real ones and the stand-in have their own tests; here the flows are asked what they make of any of them.
"""

import asyncio
from datetime import timedelta
from itertools import count

import msgspec

from tenantry.billing.errors import ChangeRefused, ProviderAway, SecretUnset
from tenantry.billing.providers import Cancel, CheckoutPage, Pause, PlanChange, PortalPage, Resume
from tenantry.billing.snapshots import (
    CustomerSnapshot,
    ExternalId,
    PaymentSnapshot,
    PriceSnapshot,
    ProductSnapshot,
    SubscriptionSnapshot,
)
from tenantry.kernel.database import refuse_while_open

MONTH = timedelta(days=30)


class Till:
    """`asked`: what it was asked, in order. `away`: the methods that do not answer. `slow`: seconds before an answer.

    `refused`: what it says to every change. `nonsense`: the address it gives for every page.
    `knows_by_customer`: whether it tells of the subscriptions when a customer is read.
    """

    def __init__(self, clock, name="fake"):
        self.name = name
        self.clock = clock
        self.products, self.prices, self.customers, self.subscriptions, self.payments = {}, {}, {}, {}, {}
        self.pages, self.keys = {}, {}
        self.asked, self.away, self.refused, self.nonsense = [], set(), "", None
        self.slow, self.knows_by_customer = 0.0, True
        self._numbers = count(1)

    def sell(self, lookup, amount, interval="month", *, details=None, product=None, interval_count=1):
        """Put something up for sale; answers the price's id."""
        number = next(self._numbers)
        of = product or f"prod_{number}"
        self.products.setdefault(of, ProductSnapshot(external_id=ExternalId(of), name=f"Product {number}"))
        self.prices[f"price_{number}"] = PriceSnapshot(
            external_id=ExternalId(f"price_{number}"), product=ExternalId(of), lookup=lookup, amount=amount,
            currency="USD", interval=interval, interval_count=interval_count, details=details or {},
        )  # fmt: skip
        return f"price_{number}"

    def pay(self, url, **changes):
        """Somebody pays on a page of ours; answers the subscription's id."""
        page, now = self.pages[url], self.clock.now()
        external_id = ExternalId(f"sub_{next(self._numbers)}")
        trial_ends = now + timedelta(days=page.trial_days) if page.trial_days else None
        self.subscriptions[external_id] = SubscriptionSnapshot(
            external_id=external_id, customer=page.customer, price=page.price, raw_status="paid",
            status="trialing" if trial_ends else "active", period_start=now, period_end=trial_ends or now + MONTH,
            trial_ends_at=trial_ends, holder_id=page.holder_id,
        )  # fmt: skip
        self.move(external_id, **changes)
        return external_id

    def pay_once(self, url):
        """Somebody pays on a page of ours for what has no period; answers the payment's id."""
        page, number = self.pages[url], next(self._numbers)
        self.payments[f"in_{number}"] = PaymentSnapshot(
            external_id=ExternalId(f"in_{number}"), customer=page.customer, price=page.price, holder_id=page.holder_id,
            status="paid", reason="once", amount=self.prices[page.price].amount, paid_at=self.clock.now(),
        )  # fmt: skip
        return f"in_{number}"

    def move(self, external_id, **changes):
        """Something happens at the provider, of which nobody is told yet."""
        self.subscriptions[external_id] = msgspec.structs.replace(self.subscriptions[external_id], **changes)

    def bill(self, external_id, **given):
        """An invoice of a subscription; answers its id."""
        of, number = self.subscriptions[external_id], next(self._numbers)
        given = {"status": "paid", "reason": "initial", "amount": 900, "paid_at": self.clock.now(), **given}
        self.payments[f"in_{number}"] = PaymentSnapshot(
            external_id=ExternalId(f"in_{number}"), customer=of.customer, subscription=external_id, price=of.price,
            holder_id=of.holder_id, currency="USD", number=f"A-{number}", **given,
        )  # fmt: skip
        return f"in_{number}"

    async def _answer(self, method, *about):
        refuse_while_open(f"the till was asked: {method}")
        self.asked.append((method, *about))
        await asyncio.sleep(self.slow)
        if method in self.away:
            raise ProviderAway(internal="the till is closed")

    def hint(self, body, headers, *, now):
        raise SecretUnset

    def told(self, body):
        return []

    async def read(self, kind, external_id):
        await self._answer("read", kind, external_id)
        if kind == "subscription":
            return self._whole(external_id) if external_id in self.subscriptions else []
        if kind == "customer":
            own = [one for one, snapshot in self.subscriptions.items() if snapshot.customer == external_id]
            known = [one for one in self.customers.values() if one.external_id == external_id]
            return [*known, *(part for one in own if self.knows_by_customer for part in self._whole(one))]
        return []

    async def listed(self, kind):
        await self._answer("listed", kind)
        if kind == "product":
            yield [*self.products.values(), *self.prices.values()]
        elif kind == "payment":
            yield list(self.payments.values())
        elif kind == "subscription":
            for external_id in reversed(self.subscriptions):
                yield self._whole(external_id)

    async def missed(self, since):
        for hint in ():
            yield hint

    async def customer(self, wanted):
        await self._answer("customer", wanted.key)
        number = next(self._numbers)
        made = CustomerSnapshot(external_id=ExternalId(f"cus_{number}"), email=wanted.email, holder_id=wanted.holder_id)
        return self.customers.setdefault(wanted.key, made)

    async def page(self, wanted):
        await self._answer("page", type(wanted).__name__)
        if self.nonsense is not None:
            return self.nonsense
        if isinstance(wanted, PortalPage):
            return f"https://till.example/portal/{wanted.customer}"
        if wanted.coupon == "nonsense":
            raise ChangeRefused("There is no such coupon.")
        if wanted.key not in self.keys:
            url = f"https://till.example/pay/{next(self._numbers)}"
            self.keys[wanted.key], self.pages[url] = url, wanted
        return self.keys[wanted.key]

    async def change(self, subscription, change):
        await self._answer("change", subscription, change)
        if self.refused:
            raise ChangeRefused(self.refused)
        was, now = self.subscriptions[subscription], self.clock.now()
        match change:
            case PlanChange(price=price):
                self.move(subscription, price=price)
            case Cancel(at_once=True):
                self.move(subscription, status="canceled", ended_at=now)
            case Cancel():
                self.move(subscription, cancel_at=was.period_end)
            case Resume():
                self.move(subscription, cancel_at=None, status="active" if was.status == "paused" else was.status)
            case Pause(until=until):
                self.move(subscription, status="paused", resumes_at=until)
        return self._whole(subscription)

    def _whole(self, external_id):
        one = self.subscriptions[external_id]
        price = self.prices[one.price]
        return [self.products[price.product], price, one]

    async def aclose(self):
        pass

    @property
    def checkouts(self):
        """The pages that were opened, newest last."""
        return [one for one in self.pages.values() if isinstance(one, CheckoutPage)]

    def count(self, method):
        """How often it was asked something."""
        return sum(one[0] == method for one in self.asked)
