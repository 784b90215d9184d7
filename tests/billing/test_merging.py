"""What becomes of a row when something is told of it."""

from datetime import timedelta
from uuid import UUID

import msgspec
import pytest

from billing.history import payment
from billing.truth import subscription_of
from tenantry import Billing, Stripe
from tenantry.billing.merging import Told, merged_payment, merged_subscription
from tenantry.testing.kit import START

BILLING = Billing(providers=[Stripe()])
HOUR = timedelta(hours=1)
HOLDER = UUID(int=1)


def read(at):
    return Told("fake", at, at)


TOLD = Told("fake", None, START)


def test_what_was_read_earlier_does_not_overwrite_what_was_read_later():
    late, early = subscription_of(HOLDER, "p", quantity=2), subscription_of(HOLDER, "p", quantity=1)
    row = merged_subscription(None, late, read(START + HOUR), billing=BILLING)
    assert merged_subscription(row, early, read(START), billing=BILLING) is row
    again = merged_subscription(row, early, read(START + 2 * HOUR), billing=BILLING)
    assert again is not None
    assert (again.quantity, again.fetched_at) == (1, START + 2 * HOUR)


@pytest.mark.parametrize(("version", "counts"), [(-HOUR, False), (timedelta(0), False), (HOUR, True), (None, False)])
def test_a_payload_counts_only_where_it_is_newer_for_certain(version, counts):
    told = subscription_of(HOLDER, "p", version=START)
    row = merged_subscription(None, told, TOLD, billing=BILLING)
    other = msgspec.structs.replace(told, quantity=5, version=None if version is None else START + version)
    found = merged_subscription(row, other, TOLD, billing=BILLING)
    assert (found is not None and found.quantity == 5) == counts
    # What it says already is nothing new, whenever it was said.
    same = msgspec.structs.replace(other, quantity=told.quantity)
    assert merged_subscription(row, same, TOLD, billing=BILLING) == row


def test_a_payload_older_than_the_last_reading_does_not_count():
    row = merged_subscription(None, subscription_of(HOLDER, "p"), read(START), billing=BILLING)
    for at, counts in ((START - HOUR, False), (START, False), (START + HOUR, True)):
        told = subscription_of(HOLDER, "p", quantity=5, version=at)
        assert (merged_subscription(row, told, TOLD, billing=BILLING) is not None) == counts


@pytest.mark.parametrize("status", ["canceled", "expired"])
def test_only_reading_opens_what_is_over(status):
    over = subscription_of(HOLDER, "p", status=status, version=START)
    row = merged_subscription(None, over, TOLD, billing=BILLING)
    later = subscription_of(HOLDER, "p", version=START + HOUR)
    assert merged_subscription(row, later, TOLD, billing=BILLING) is None
    opened = merged_subscription(row, later, read(START + HOUR), billing=BILLING)
    assert opened is not None
    assert opened.status == "active"


def test_a_payment_that_was_read_later_stays():
    paid = payment("x", 1)
    row = merged_payment(None, msgspec.structs.replace(paid, refunded=900, status="refunded"), read(START + HOUR))
    assert merged_payment(row, paid, read(START)) is row
    assert merged_payment(row, msgspec.structs.replace(paid, version=START), TOLD) is None
