"""Access and standing: pure functions, at the moments that matter."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.conftest import paid_product
from tenantry.billing.access import RENEWAL_SLACK, access
from tenantry.billing.merging import Told, merged_subscription
from tenantry.billing.rows import Subscription
from tenantry.billing.snapshots import SubscriptionSnapshot
from tenantry.billing.standing import standing
from tenantry.testing.kit import START

PRODUCT = paid_product()
BILLING = PRODUCT.billing
assert BILLING is not None
GRACE = BILLING.grace
MOMENT = timedelta(microseconds=1)


def row(**given: Any) -> Subscription:
    snapshot = SubscriptionSnapshot(
        external_id=given.pop("external_id", "sub_1"),
        **{
            "status": "active",
            "raw_status": "x",
            "period_start": START,
            "period_end": START + timedelta(days=30),
            **{name: value for name, value in given.items() if name != "plan"},
        },
    )
    made = merged_subscription(None, snapshot, Told("fake", START, START), billing=BILLING)
    assert made is not None
    return msgspec.structs.replace(made, plan=given.get("plan", "pro"))


@pytest.mark.parametrize(
    ("given", "ends"),
    [
        ({"status": "trialing", "trial_ends_at": START + timedelta(days=14)}, START + timedelta(days=14)),
        ({"status": "trialing", "trial_ends_at": START + timedelta(days=14), "cancel_at": START + timedelta(days=3)},
         START + timedelta(days=3)),
        ({"status": "active"}, START + timedelta(days=30) + RENEWAL_SLACK),
        # Cancelled for a time: not a moment longer, and Stripe's `cancel_at` need not be the period's end.
        ({"status": "active", "cancel_at": START + timedelta(days=5)}, START + timedelta(days=5)),
        ({"status": "active", "cancel_at": START + timedelta(days=45)}, START + timedelta(days=45)),
        ({"status": "past_due", "past_due_since": START}, START + GRACE),
    ],
)  # fmt: skip
def test_access_ends_to_the_moment(given, ends):
    found = row(**given)
    assert access(found, ends - MOMENT, GRACE)
    assert not access(found, ends, GRACE)
    assert found.access_until == ends


@pytest.mark.parametrize("status", ["incomplete", "unpaid", "paused", "canceled", "expired"])
def test_what_gives_nothing(status):
    assert not access(row(status=status), START, GRACE)


def test_past_due_on_the_first_day_in_grace_and_after_it():
    failed = row(status="past_due", past_due_since=START)
    assert access(failed, START, GRACE).level == "grace"
    assert access(failed, START + GRACE - MOMENT, GRACE).level == "grace"
    assert access(failed, START + GRACE, GRACE).level == "none"
    assert access(failed, START, timedelta(0)).level == "none"


def test_a_yearly_lower_plan_does_not_hide_a_higher_one():
    low = row(external_id="sub_1", plan="pro", period_end=START + timedelta(days=365))
    high = row(external_id="sub_2", plan="business")
    found = standing(PRODUCT, BILLING, [low, high], granted=None, now=START)
    assert (found.plan, found.after, found.until) == ("business", "pro", high.access_until)


def test_what_was_granted_is_a_floor():
    assert standing(PRODUCT, BILLING, [row(plan="pro")], granted="business", now=START).plan == "business"
    assert standing(PRODUCT, BILLING, [row(plan="business")], granted="pro", now=START).plan == "business"
    late = START + timedelta(days=400)
    assert standing(PRODUCT, BILLING, [row(plan="business")], granted="pro", now=late).plan == "pro"
    assert standing(PRODUCT, BILLING, [], granted="gone", now=START).plan == "free"


def test_a_plan_that_is_not_declared_gives_nothing():
    assert standing(PRODUCT, BILLING, [row(plan="platinum"), row(plan=None)], granted=None, now=START).plan == "free"


statuses = st.sampled_from(["incomplete", "trialing", "active", "past_due", "unpaid", "paused", "canceled", "expired"])
days = st.integers(-40, 400).map(lambda number: START + timedelta(days=number))
maybe = st.one_of(st.none(), days)


@st.composite
def rows(draw: st.DrawFn) -> list[Subscription]:
    found = []
    for number in range(draw(st.integers(0, 4))):
        given = {name: draw(maybe) for name in ("trial_ends_at", "cancel_at", "past_due_since")}
        plan = draw(st.sampled_from(["free", "pro", "business", "gone", None]))
        found.append(row(external_id=f"sub_{number}", status=draw(statuses), plan=plan, **given))
    return found


@given(rows(), days, st.sampled_from([None, "pro", "business", "gone"]), st.randoms())
def test_standing_does_not_depend_on_the_order_and_holds_until_it_says(found, now, granted, random):
    first = standing(PRODUCT, BILLING, found, granted=granted, now=now)
    random.shuffle(found)
    assert standing(PRODUCT, BILLING, found, granted=granted, now=now) == first
    best = max(
        (PRODUCT.order[one.plan] for one in found if one.plan in PRODUCT.order and access(one, now, GRACE)), default=0
    )
    assert PRODUCT.order[first.plan] == max(best, PRODUCT.order.get(granted or "", 0))
    if first.until is not None:
        assert standing(PRODUCT, BILLING, found, granted=granted, now=first.until - MOMENT).plan == first.plan
        assert standing(PRODUCT, BILLING, found, granted=granted, now=first.until).plan == first.after
