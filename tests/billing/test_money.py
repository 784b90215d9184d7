"""What a payload that knows less must not undo, and since when a payment is missing."""

from datetime import timedelta

import msgspec
import pytest

from billing.conftest import paid_product
from billing.history import payment
from billing.truth import subscription_of
from tenantry.billing.merging import Told, merged_payment, merged_subscription
from tenantry.billing.queries import payments, reading
from tenantry.billing.snapshots import SubscriptionSnapshot
from tenantry.testing.kit import START

BILLING = paid_product().billing
assert BILLING is not None
DAY = timedelta(days=1)


async def test_a_payload_that_knows_no_refunds_gives_no_money_back(paying):
    """Stripe's invoices never say what was given back; here one is told of while Stripe is away."""
    ada = await paying.kit.sign_in("ada")
    paying.truth.sell("pro")
    paid = payment("x", 2)
    bought = subscription_of(await paying.holder_of(ada), "price_pro", external_id="sub_x", customer="cus_x")
    refunded = msgspec.structs.replace(paid, refunded=300, status="partially_refunded")
    await paying.deliver(paying.truth.put(bought), paying.truth.put(refunded))
    await paying.work()
    await paying.kit.move(seconds=5)
    later = paying.truth.put(paid)
    paying.truth.objects["payment"][paid.external_id] = refunded
    paying.truth.is_away = True
    await paying.deliver(later)
    await paying.work()
    assert await money(paying, paid) == ("partially_refunded", 300)
    # It waits; what is read then is the truth, whatever it is.
    paying.truth.is_away = False
    paying.truth.objects["payment"][paid.external_id] = paid
    await paying.kit.move(hours=1)
    assert await paying.work() == 1
    assert await money(paying, paid) == ("paid", 0)


async def test_an_intent_that_was_read_before_its_invoice_is_one_payment(paying):
    """Stripe makes an invoice after the payment, where a payment link asks for one. The same money, told once."""
    holder = await paying.holder_of(await paying.kit.sign_in("ada"))
    invoice = msgspec.structs.replace(payment("x", 1), holder_id=holder)
    intent = msgspec.structs.replace(invoice, external_id=invoice.intent, subscription=None, number=None)
    for told in (intent, invoice, intent):
        await paying.deliver(paying.truth.put(told))
        await paying.work()
        await paying.kit.move(seconds=1)
    async with paying.kit.system.service(writes=False) as ctx:
        (row,) = await reading.payments(ctx.db, holder, limit=10)
    assert (row.external_id, row.intent, row.status) == ("in_x_1", "pi_x_1", "paid")
    assert [one.payment_id for one in paying.announced if hasattr(one, "payment_id")] == [row.id]


async def money(paying, paid):
    async with paying.kit.system.service(writes=False) as ctx:
        row = await payments.payment(ctx.db, "fake", paid.external_id)
    return row.status, row.refunded_minor


@pytest.mark.parametrize("read_at", [None, START + DAY])
def test_a_charge_leaves_what_the_payment_was_for(read_at):
    """A charge says that money went back, and nothing of the renewal that it paid."""
    row = merged_payment(None, payment("x", 2), Told("fake", START, START))
    charge = msgspec.structs.replace(
        payment("x", 2), external_id=None, reason="once", refunded=900, status="refunded", version=START + DAY
    )
    merged = merged_payment(row, charge, Told("fake", read_at, START + DAY))
    assert (merged.reason, merged.status, merged.refunded_minor) == ("renewal", "refunded", 900)


def test_a_payment_that_fails_in_mid_period_has_its_grace():
    """As when a seat more is declined in the eighth month of a year: Stripe says only that it is past due."""
    active = merged(None, status="active", at=START)
    failed = merged(active, status="past_due", at=START + 200 * DAY)
    assert failed.past_due_since == START + 200 * DAY
    assert failed.access_until == START + 200 * DAY + BILLING.grace


def test_a_grace_does_not_begin_anew_with_each_period_that_is_not_paid():
    """Stripe may leave a subscription past due for ever, while its periods go on."""
    failed = merged(merged(None, status="active", at=START), status="past_due", at=START + DAY)
    month = START + 31 * DAY
    still = merged(failed, status="past_due", at=month, period_start=month, period_end=month + 31 * DAY)
    assert still.past_due_since == START + DAY


def test_what_was_past_due_when_it_was_first_seen_is_so_since_its_period_began():
    assert merged(None, status="past_due", at=START + 5 * DAY).past_due_since == START


def merged(old, *, status, at, **given):
    period = {"period_start": START, "period_end": START + 365 * DAY}
    said = SubscriptionSnapshot(external_id="sub_1", status=status, raw_status=status, **{**period, **given})
    return merged_subscription(old, said, Told("fake", at, at), billing=BILLING)
