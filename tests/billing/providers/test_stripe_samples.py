"""Every payload of Stripe's that others recorded, in every shape of the last years, comes out as what it is."""

import contextlib
import copy
import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tenantry.billing.errors import EventMalformed
from tenantry.billing.providers.building import Credentials
from tenantry.billing.providers.stripe import StripeProvider
from tenantry.billing.providers.stripe_events import event_of, hint_of, snapshots_of
from tenantry.billing.providers.stripe_normal import subscription_with_all
from tenantry.billing.snapshots import Snapshot
from tenantry.kernel.clock import FrozenClock

from .stripe_samples import NO_SAMPLES, SAMPLES, as_event, names, sample

NOW = datetime(2026, 11, 18, 12, tzinfo=UTC)
Expected = tuple[str | None, str | None, dict[str, Any] | None]

MONTHLY = {"status": "active", "raw_status": "active", "quantity": 1, "cancel_at": None, "ended_at": None}
FREE_PRICE = "price_1IDQm5JDPojXS6LNM31hxKzp"
ZEROS = "000000000000000000000000"
IGNORED: Expected = (None, None, None)
EXPECTED: dict[str, Expected] = {
    "data.pay_edited.charge.updated": (
        "payment", "ch_1234",
        {"external_id": None, "intent": "pi_1234", "status": "paid", "amount": 24900, "currency": "USD"},
    ),
    "data.pay_edited.invoice.payment_failed": (
        "payment", "in_1234",
        {"status": "failed", "reason": "renewal", "amount": 24900, "subscription": "sub_1234", "price": "price_1234",
         "paid_at": None, "period_end": datetime(2026, 4, 23, 18, 45, 6, tzinfo=UTC)},
    ),
    "data.pay_edited.invoice.updated": ("payment", "in_1T4AIkGWAy8DppqhJAdbjaWb", None),
    "data.pay_edited.subscription.updated": (
        "subscription", "sub_00000000000000",
        {"status": "canceled", "quantity": 2, "ended_at": datetime(2017, 2, 23, 17, 47, 49, tzinfo=UTC)},
    ),
    "error.card_declined": IGNORED,
    "event.legacy.charge.dispute.created": ("payment", "pi_1IqtG9JDPojXS6LNOGnYrIqq", None),
    "event.legacy.charge.refunded": (
        "payment", "ch_3Kl36gJDPojXS6LN0DCM4A8l",
        {"external_id": "in_1KJdKkJDPojXS6LNSwSWkZSN", "status": "refunded", "amount": 2500, "refunded": 2500},
    ),
    "event.legacy.charge.succeeded": (
        "payment", "ch_3KtQThJDPojXS6LN0YmgbxGj",
        {"external_id": "in_1KJdKkJDPojXS6LNSwSWkZSN", "status": "paid", "amount": 3000, "refunded": 0},
    ),
    "event.legacy.customer.deleted": ("customer", "cus_IhGfebO16cMIGN", {"is_deleted": True, "email": None}),
    "event.legacy.customer.subscription.created": (
        "subscription", "sub_JdIzvfy6o5GZRd",
        {**MONTHLY, "price": FREE_PRICE, "customer": "cus_IhGfebO16cMIGN",
         "period_end": datetime(2021, 7, 8, 10, 41, 58, tzinfo=UTC)},
    ),
    "event.legacy.customer.subscription.deleted": (
        "subscription", "sub_JdIzvfy6o5GZRd",
        {"status": "canceled", "ended_at": datetime(2021, 6, 8, 10, 45, 2, tzinfo=UTC), "cancel_at": None},
    ),
    "event.legacy.customer.subscription.updated": (
        "subscription", "sub_JLEPMp81LApOJl",
        {**MONTHLY, "period_start": datetime(2021, 4, 21, 4, 45, 44, tzinfo=UTC),
         "version": datetime(2021, 4, 29, 14, 33, 40, tzinfo=UTC)},
    ),
    "event.legacy.customer.updated": ("customer", "cus_IhGfebO16cMIGN", {"is_deleted": False}),
    "event.legacy.entitlements.active_entitlement_summary.updated": IGNORED,
    "event.legacy.invoice.finalized": (
        "payment", "in_1KJdKkJDPojXS6LNSwSWkZSN",
        {"status": "pending", "reason": "renewal", "amount": 0, "subscription": "sub_K4J0aB2bmSyb6b"},
    ),
    "event.legacy.invoice.paid": (
        "payment", "in_1KJqKBJDPojXS6LNJbvLUgEy",
        {"status": "paid", "reason": "renewal", "amount": 0, "subscription": "sub_JsuPyCPhXWfZar",
         "price": FREE_PRICE, "number": "60229DE7-0007", "paid_at": datetime(2022, 1, 20, 3, 25, 10, tzinfo=UTC)},
    ),
    "event.legacy.invoice.voided": ("payment", "in_1KJqKBJDPojXS6LNJbvLUgEy", {"status": "void", "paid_at": None}),
    "event.legacy.invoice_payment.paid": ("payment", "in_103Q0w2eZvKYlo2C5PYwf6Wf", None),
    "event.legacy.price.created": (
        "price", "price_1J02UOJDPojXS6LNDao8fiaO",
        {"amount": 400, "currency": "USD", "interval": "month", "is_active": False, "product": "prod_IsRLOp58Z7V4XN"},
    ),
    "event.legacy.price.deleted": ("price", "price_1J02UOJDPojXS6LNDao8fiaO", {"is_active": False}),
    "event.legacy.price.updated": (
        "price", FREE_PRICE, {"amount": 2500, "is_active": True, "details": {"meta": "test"}}
    ),
    "event.legacy.product.created": ("product", "prod_JdJ6Wt7rsz4EPJ", {"name": "fake product", "is_active": True}),
    "event.legacy.product.deleted": ("product", "prod_JdJ6Wt7rsz4EPJ", {"is_active": False}),
    "event.legacy.product.updated": ("product", "prod_IsRLOp58Z7V4XN", {"name": "Pro tier", "description": "Test"}),
    "event.legacy.refund.created": ("payment", "re_1Nispe2eZvKYlo2Cd31jOCgZ", None),
    "event.legacy2020.charge.dispute.created": ("payment", f"ch_{ZEROS}", None),
    "event.legacy2020.charge.refunded": (
        "payment", f"ch_{ZEROS}", {"external_id": f"ch_{ZEROS}", "status": "refunded", "amount": 100, "refunded": 100}
    ),
    "event.legacy2020.checkout.session.completed": (
        "payment", f"pi_{ZEROS}",
        {"external_id": f"pi_{ZEROS}", "status": "paid", "amount": 3000, "email": "stripe@example.com"},
    ),
    "event.legacy2020.customer.created": ("customer", "cus_00000000000000", {"is_deleted": False}),
    "event.legacy2020.customer.subscription.created": (
        "subscription", f"sub_{ZEROS}", {**MONTHLY, "period_end": datetime(2022, 4, 26, 18, 41, 50, tzinfo=UTC)}
    ),
    "event.legacy2020.customer.subscription.deleted": (
        "subscription", f"sub_{ZEROS}",
        {"status": "canceled", "ended_at": datetime(2022, 3, 26, 18, 41, 37, tzinfo=UTC)},
    ),
    "event.legacy2020.customer.subscription.trial_will_end": (
        "subscription", "su_00000000000000",
        {"status": "trialing", "trial_ends_at": datetime(2013, 10, 9, 1, 5, 30, tzinfo=UTC),
         "price": "fkx0AFo_00000000000000"},
    ),
    "event.legacy2020.customer.subscription.updated": (
        "subscription", f"sub_{ZEROS}", {**MONTHLY, "period_start": datetime(2022, 3, 26, 18, 41, 45, tzinfo=UTC)}
    ),
    "event.legacy2020.invoice.paid": (
        "payment", f"in_{ZEROS}", {"status": "paid", "reason": "once", "amount": 2000, "intent": f"pi_{ZEROS}"}
    ),
    "event.legacy2020.invoice.payment_action_required": (
        "payment", f"in_{ZEROS}", {"status": "pending", "amount": 2000, "paid_at": None}
    ),
    "event.legacy2020.invoice.payment_failed": ("payment", f"in_{ZEROS}", {"status": "failed", "amount": 2000}),
    "event.legacy2020.invoice.payment_succeeded": (
        "payment", f"in_{ZEROS}", {"status": "paid", "paid_at": datetime(2022, 3, 26, 18, 40, 13, tzinfo=UTC)}
    ),
    "event.legacy2020.invoice.upcoming": IGNORED,
    "event.legacy2020.price.created": ("price", f"price_{ZEROS}", {"amount": 1500, "interval": "month"}),
    "event.legacy2020.product.created": ("product", "prod_00000000000000", {"name": "myproduct"}),
    "object.clover.invoice.proration_paid": (
        "payment", "in_1SRzq3KXBGcbgpbZInUxyXNS",
        {"status": "paid", "reason": "change", "amount": 22500, "price": "small-annual", "number": "AGDWDOYW-0002",
         "subscription": "sub_1SRzpzKXBGcbgpbZdGbiyyMi", "email": "stripe@example.org"},
    ),
    "object.clover.subscription.cancel_scheduled": (
        "subscription", "sub_1SRzp3KXBGcbgpbZDcTsaVD4",
        {"status": "active", "cancel_at": datetime(2025, 12, 10, 18, 28, 13, tzinfo=UTC), "ended_at": None},
    ),
    "object.clover.subscription.canceled_now": (
        "subscription", "sub_1SOMr4KXBGcbgpbZnKDfiVUj",
        {"status": "canceled", "ended_at": datetime(2025, 10, 31, 18, 15, 20, tzinfo=UTC)},
    ),
    "object.clover.subscription.paused_collection": (
        "subscription", "sub_1SRzqaKXBGcbgpbZayOL8079",
        {"status": "paused", "raw_status": "active", "resumes_at": datetime(2025, 12, 10, 18, 29, 47, tzinfo=UTC)},
    ),
    "object.clover.subscription.quantity": ("subscription", "sub_1SRzqVKXBGcbgpbZq3nWwEUD", {"quantity": 10}),
    "object.clover.subscription.swapped": (
        "subscription", "sub_1SRzpzKXBGcbgpbZdGbiyyMi", {"price": "small-annual", "status": "active"}
    ),
    "object.clover.subscription.unpaused": (
        "subscription", "sub_1SRzqaKXBGcbgpbZayOL8079", {"status": "active", "resumes_at": None}
    ),
    "object.clover.subscription.with_coupon": ("subscription", "sub_1SRzoCKXBGcbgpbZDYbXPugg", MONTHLY),
    "object.dahlia.billing_portal.session": IGNORED,
    "object.dahlia.charge.succeeded": (
        "payment", "ch_3TGnEsQK2ZHS99Rk1GtpXcp5",
        {"external_id": None, "intent": "pi_3TGnEsQK2ZHS99Rk1DIz66Nj", "status": "paid", "amount": 1000},
    ),
    "object.dahlia.checkout.session.payment_open": IGNORED,
    "object.dahlia.checkout.session.subscription_open": IGNORED,
    "object.dahlia.customer": ("customer", "cus_UFHo2KvRlTvzR0", {"email": "gob@bluth.com"}),
    "object.dahlia.invoice.paid": (
        "payment", "in_1TGnErQK2ZHS99Rk4nuhpuoB",
        {"status": "paid", "reason": "initial", "amount": 1000, "subscription": "sub_1TGnErQK2ZHS99RkHpVN5MOi",
         "price": "price_1ISuPKQK2ZHS99Rkrxy6GwbM", "period_end": datetime(2026, 4, 30, 21, 20, 49, tzinfo=UTC)},
    ),
    "object.dahlia.invoice_payment.list": IGNORED,
    "object.dahlia.payment_intent.requires_action": (
        "payment", "pi_3TGnF4KXBGcbgpbZ0JnTWfNF", {"external_id": None, "status": "pending", "amount": 2500}
    ),
    "object.dahlia.payment_intent.succeeded": (
        "payment", "pi_3TGnEsQK2ZHS99Rk1DIz66Nj", {"external_id": None, "status": "paid", "amount": 1000}
    ),
    "object.dahlia.subscription.active": (
        "subscription", "sub_1TGnErQK2ZHS99RkHpVN5MOi",
        {**MONTHLY, "period_end": datetime(2026, 4, 30, 21, 20, 49, tzinfo=UTC)},
    ),
    "object.dahlia.subscription.incomplete_sca": (
        "subscription", "sub_1TGnF3KXBGcbgpbZ9Jnx79C5", {"status": "incomplete"}
    ),
    "object.dahlia.subscription.trialing": (
        "subscription", "sub_1TGnFJKXBGcbgpbZqZC2HAM0",
        {"status": "trialing", "trial_ends_at": datetime(2026, 4, 14, 21, 21, 17, tzinfo=UTC)},
    ),
    "object.openapi.billing.meter": IGNORED,
    "object.openapi.billing_portal.session": IGNORED,
    "object.openapi.customer": ("customer", "cus_QXg1o8vcGmoR32", {"email": None, "is_deleted": False}),
    "object.openapi.entitlements.active_entitlement": IGNORED,
    "object.openapi.entitlements.feature": IGNORED,
    "object.openapi.event": IGNORED,
    "object.openapi.invoice": (
        "payment", "in_1Pgc6tB7WZ01zgkWu9fdqL6I", {"status": "pending", "reason": "once", "amount": 1000}
    ),
    "object.openapi.invoice_payment": ("payment", "invoice", None),
    "object.openapi.price": ("price", "price_1PgafmB7WZ01zgkW6dKueIc5", {"amount": 2000, "interval": "month"}),
    "object.openapi.product": ("product", "prod_QXg1hqf4jFNsqG", {"name": "T-shirt"}),
    "object.openapi.refund": ("payment", "re_1Pgc72B7WZ01zgkWqPvrRrPE", None),
    # Made up by a generator: it ends before it begins, so it has no period.
    "object.openapi.subscription": (
        "subscription", "sub_1Pgc6rB7WZ01zgkWNy0Cn5nw",
        {"status": "active", "period_start": None, "period_end": None,
         "cancel_at": datetime(2009, 2, 13, 23, 31, 30, tzinfo=UTC)},
    ),
    "object.openapi.subscription_item": IGNORED,
    "object.openapi.test_helpers.test_clock": IGNORED,
}  # fmt: skip


def told(event: dict[str, Any]) -> list[Snapshot]:
    ours = StripeProvider(Credentials("https://api.stripe.com"), FrozenClock(NOW))
    return ours.told(json.dumps(event).encode())


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_sample_comes_out_as_what_it_is(name):
    kind, object_id, facts = EXPECTED[name]
    event = as_event(name)
    hint = hint_of(event_of(json.dumps(event).encode()))
    assert (hint.object_kind, hint.object_id) == (kind, object_id)
    assert hint.dedupe_key == event["id"]
    snapshots = told(event)
    assert len(snapshots) == (0 if facts is None else 1)
    for field, value in (facts or {}).items():
        assert (field, getattr(snapshots[-1], field)) == (field, value)


def test_no_sample_is_left_out():
    if not SAMPLES.is_dir():
        pytest.skip(NO_SAMPLES)
    assert names() == sorted(EXPECTED)


OLD = ["event.legacy.customer.subscription.updated", "event.legacy2020.customer.subscription.created"]
NEW = ["object.dahlia.subscription.active", "object.dahlia.subscription.trialing", "object.clover.subscription.swapped"]


def shapes(subscription: dict[str, Any]) -> list[dict[str, Any]]:
    """The subscription as the old, the new and the transitional versions of Stripe's API write it."""
    item = subscription["items"]["data"][0]
    period = {key: subscription.get(key, item.get(key)) for key in ("current_period_start", "current_period_end")}
    old, new, both = (copy.deepcopy(subscription) for _ in range(3))
    for one in (old, both):
        one.update(period)
    for one in (new, both):
        one["items"]["data"][0].update(period)
    for key in period:
        old["items"]["data"][0].pop(key, None)
        new.pop(key, None)
    return [old, new, both]


@pytest.mark.parametrize("name", [*OLD, *NEW])
def test_old_new_and_transitional_shapes_of_a_subscription_are_equal(name):
    old, new, both = (subscription_with_all(one) for one in shapes(as_event(name)["data"]["object"]))
    assert old == new == both
    assert [one.period_end for one in old if hasattr(one, "period_end")] != [None]


@pytest.mark.parametrize("name", ["event.legacy.invoice.paid", "object.dahlia.invoice.paid"])
def test_old_new_and_transitional_shapes_of_an_invoice_are_equal(name):
    event = as_event(name)
    invoice = event["data"]["object"]
    subscription = invoice.get("subscription") or invoice["parent"]["subscription_details"]["subscription"]
    line = invoice["lines"]["data"][0]
    price = line["price"]["id"] if "price" in line else line["pricing"]["price_details"]["price"]
    bare = {**invoice, "lines": {"data": [{k: v for k, v in line.items() if k not in {"price", "plan", "pricing"}}]}}
    for gone in ("subscription", "parent", "payment_intent", "payments"):
        bare.pop(gone, None)
    old = {"subscription": subscription, "payment_intent": "pi_1"}
    paid = {"id": "inpay_1", "is_default": True, "status": "paid", "payment": {"payment_intent": "pi_1"}}
    new = {"parent": {"subscription_details": {"subscription": subscription}}, "payments": {"data": [paid]}}
    old_line, new_line = {"price": {"id": price}}, {"pricing": {"price_details": {"price": price}}}

    def shaped(top: dict[str, Any], below: dict[str, Any]) -> list[Snapshot]:
        lines = {"data": [{**bare["lines"]["data"][0], **below}]}
        return snapshots_of({**event, "data": {"object": {**bare, **top, "lines": lines}}})

    found = [shaped(old, old_line), shaped(new, new_line), shaped(old | new, old_line | new_line)]
    assert found[0] == found[1] == found[2]
    assert (found[0][0].intent, found[0][0].subscription, found[0][0].price) == ("pi_1", subscription, price)


@pytest.mark.parametrize(
    ("changes", "cancel_at"),
    [
        ({"cancel_at_period_end": True, "cancel_at": None}, 1777584049),
        ({"cancel_at_period_end": False, "cancel_at": 1776000000}, 1776000000),
        ({"cancel_at_period_end": True, "cancel_at": 1776000000}, 1776000000),
        ({"cancel_at_period_end": False, "cancel_at": None}, None),
    ],
)
def test_a_scheduled_end_is_one_however_it_is_said(changes, cancel_at):
    found = subscription_with_all(sample("object.dahlia.subscription.active") | changes)[-1]
    assert found.cancel_at == (None if cancel_at is None else datetime.fromtimestamp(cancel_at, UTC))


@pytest.mark.parametrize(
    ("raw", "pause", "status"),
    [
        ("incomplete_expired", None, "expired"),
        ("unpaid", None, "unpaid"),
        ("paused", None, "paused"),
        ("active", {"behavior": "keep_as_draft"}, "active"),
        ("active", {"behavior": "mark_uncollectible"}, "active"),
        ("trialing", {"behavior": "void"}, "paused"),
        ("canceled", {"behavior": "void"}, "canceled"),
        ("a_word_of_tomorrow", None, None),
        (None, None, None),
    ],
)
def test_words_for_a_state(raw, pause, status):
    found = subscription_with_all({"id": "sub_1", "status": raw, "pause_collection": pause})[-1]
    assert (found.status, found.raw_status) == (status, raw or "unknown")


def test_past_due_since_when_stripe_does_not_say():
    """Its period's start would be wrong for what fails in mid-period, and moves on though nothing is paid."""
    found = subscription_with_all({"id": "sub_1", "status": "past_due", "current_period_start": 1774905649})[-1]
    assert found.past_due_since is None


def test_several_items_span_one_period_and_the_first_is_the_plan():
    items = [{"price": "price_a", "quantity": 3, "current_period_start": 200, "current_period_end": 300}]
    items += [{"price": "price_b", "quantity": 1, "current_period_start": 100, "current_period_end": 400}]
    found = subscription_with_all({"id": "sub_1", "status": "active", "items": {"data": items}})[-1]
    assert (found.price, found.quantity) == ("price_a", 3)
    assert [found.period_start.timestamp(), found.period_end.timestamp()] == [100, 400]


def test_an_event_of_a_connected_account_is_not_ours():
    event = as_event("event.legacy.customer.subscription.updated") | {"account": "acct_1"}
    assert (hint_of(event).object_kind, told(event)) == (None, [])


def every_path(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, one in inner for found in every_path(one, (*path, key)))]


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.sampled_from(["\0", "in_1/../x", "x" * 10_000, [], {}, [[]], {"id": {}}, {"data": [1]}, {"object": "list"}]),
)


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=300)
@given(data=st.data())
def test_nothing_is_raised_over_a_payload_that_lies(data):
    name = data.draw(st.sampled_from(names() or [""]))
    if not name:
        pytest.skip(NO_SAMPLES)
    event = copy.deepcopy(as_event(name))
    paths = every_path(event)[1:]
    for path in data.draw(st.lists(st.sampled_from(paths), min_size=1, max_size=6)):
        holding: Any = event
        for key in path[:-1]:
            holding = holding[key] if isinstance(holding, dict | list) and _has(holding, key) else None
        if isinstance(holding, dict | list) and _has(holding, path[-1]):
            holding[path[-1]] = data.draw(JUNK)
    body = json.dumps(event).encode()
    for snapshot in StripeProvider(Credentials("https://api.stripe.com"), FrozenClock(NOW)).told(body):
        # What comes out has its types, whatever came in: it is written into rows.
        msgspec.convert(msgspec.to_builtins(snapshot), type(snapshot))
    with contextlib.suppress(EventMalformed):
        hint_of(event_of(body))


def _has(holding: Any, key: Any) -> bool:
    return key in holding if isinstance(holding, dict) else isinstance(key, int) and key < len(holding)


@given(st.binary(max_size=300))
def test_nothing_is_raised_over_bytes(body):
    assert StripeProvider(Credentials("https://api.stripe.com"), FrozenClock(NOW)).told(body) == []
