"""What a subscription is worth in a month, and what it was: pure functions."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby
from typing import Literal
from uuid import UUID

import msgspec

from ..snapshots import Interval

PER_YEAR: dict[Interval, int] = {"day": 365, "week": 52, "month": 12, "year": 1}
PAYING = frozenset({"active", "past_due"})
"""What counts as recurring: paid for, or tried again. In trial, paused, unpaid and incomplete is nothing."""


class Term(msgspec.Struct, frozen=True, kw_only=True):
    """From `since` on a subscription has cost this. Without a `currency` it has cost nothing.

    `amount_minor` None: it is charged by use. `origin`: what was seen of the subscription, or one of its payments.
    """

    provider: str
    subscription_external_id: str
    since: datetime
    origin: Literal["state", "payment"]
    customer: str | None
    price_id: UUID | None
    amount_minor: int | None
    currency: str | None
    interval: Interval | None
    interval_count: int
    quantity: int
    holder_id: UUID | None = None

    @property
    def payer(self) -> str:
        """Who pays: the holder, across providers; else the provider's customer, or the purchase itself."""
        if self.holder_id is not None:
            return str(self.holder_id)
        return f"{self.provider}:{self.customer or self.subscription_external_id}"

    @property
    def monthly(self) -> int:
        """Minor units a month."""
        if self.currency is None or self.amount_minor is None or self.interval is None:
            return 0
        return monthly(self.amount_minor, self.interval, self.interval_count, self.quantity)


def monthly(amount: int, interval: Interval, interval_count: int = 1, quantity: int = 1) -> int:
    """A price as minor units a month: a year is 12 months, 52 weeks, 365 days. Halves are rounded up, once."""
    numerator, denominator = amount * quantity * PER_YEAR[interval], 12 * interval_count
    return (2 * numerator + denominator) // (2 * denominator)


def histories(terms: Iterable[Term]) -> Iterable[Sequence[Term]]:
    """The terms of each subscription in order, from terms ordered by provider, subscription and time.

    What was seen of a subscription goes before what a payment tells: payments count only for the time before. They do
    not say a quantity, so it is the one that was seen first.
    """
    for _, group in groupby(terms, key=lambda one: (one.provider, one.subscription_external_id)):
        of = list(group)
        seen = next((one for one in of if one.origin == "state"), None)
        if seen is None:
            yield of
            continue
        first = next((one for one in of if one.origin == "state" and one.currency is not None), seen)
        quantity = first.quantity
        before = [
            msgspec.structs.replace(one, quantity=quantity)
            for one in of
            if one.origin == "payment" and one.since < seen.since
        ]
        yield [*before, *(one for one in of if one.origin == "state")]


def at_each(terms: Sequence[Term], times: Sequence[datetime]) -> list[Term | None]:
    """Which term was in force right before each of the times, both in order; None before the first."""
    found: list[Term | None] = []
    position = 0
    for time in times:
        while position < len(terms) and terms[position].since < time:
            position += 1
        found.append(terms[position - 1] if position else None)
    return found
