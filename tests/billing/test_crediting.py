"""What purchases bring in credits: packs, periods, upgrades, renewals, refunds; and what the metadata says of them."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from billing.conftest import Paying, paid_product, requests
from billing.history import MONTH, payment
from billing.truth import subscription_of
from tenantry import Credits, Plan, Price
from tenantry.billing import BillingProviders
from tenantry.billing.access import RENEWAL_SLACK
from tenantry.billing.crediting import tokens_of
from tenantry.billing.snapshots import ExternalId, PaymentSnapshot, PriceSnapshot, ProductSnapshot
from tenantry.holders import open_for_user
from tenantry.kernel import new_id
from tenantry.testing.kit import START
from tenantry.usage.credits import balance, spend
from tenantry.usage.credits.queries import live, page

DAY = timedelta(days=1)
PLANS = [
    Plan("free", price=0, limits={requests: 5}),
    Plan("pro", price=Price(900), limits={requests: 50}, credits=70),
    Plan("business", price=Price(2900), limits={requests: 500}),
]


@pytest.fixture
async def paid(start, clock, truth):
    product = paid_product(plans=PLANS, credits=Credits("tokens", expires=365 * DAY))
    return await start(product, clock=clock, ports={BillingProviders: BillingProviders({"fake": truth})})


@pytest.fixture
async def holder(paying):
    async with paying.kit.system.service() as ctx:
        user = new_id()
        await paying.add_user(ctx, user, "ada@example.test")
        return await open_for_user(ctx, user)


class Buyer:
    """A holder, and what the provider tells of it."""

    def __init__(self, paying: Paying, holder) -> None:
        self.paying, self.holder = paying, holder

    async def tell(self, *objects, days=0) -> list[tuple[int, object]]:
        """Some days pass, the provider tells, twice; what is left then of each grant, and when it ends."""
        await self.paying.kit.move(days=days)
        for one in objects:
            event = self.paying.truth.put(one)
            await self.paying.deliver(event, event)
        while await self.paying.work():
            pass
        async with self.paying.kit.system.service(writes=False) as ctx:
            _, grants = await live(ctx.db, self.holder)
        return [(one.remaining, one.expires_at) for one in grants]

    async def ledger(self) -> list[tuple[str, int]]:
        async with self.paying.kit.system.service(writes=False) as ctx:
            return [(one.kind, one.amount) for one in await page(ctx.db, self.holder, limit=100)][::-1]

    async def spend(self, amount: int) -> None:
        await spend(self.paying.kit.system, amount, holder_id=self.holder)


@pytest.fixture
def buyer(paying, holder):
    return Buyer(paying, holder)


def pack(holder, number, **given) -> PaymentSnapshot:
    values = {"price": "price_pack", "amount": 900, "paid_at": START, "holder_id": holder, "status": "paid", **given}
    return PaymentSnapshot(external_id=ExternalId(f"pack_{number}"), customer=ExternalId("cus_x"), **values)


async def test_t_05_a_subscriptions_periods_bring_their_tokens_once(buyer, holder, truth):
    for plan, tokens in (("pro", 100), ("business", 1000)):
        truth.sell(plan, tokens=tokens)
    end = START + MONTH
    pro = subscription_of(holder, "price_pro", status="incomplete")
    assert await buyer.tell(pro) == []
    trial = replace(pro, status="trialing", trial_ends_at=START + 14 * DAY)
    assert await buyer.tell(trial) == [(100, START + 14 * DAY)]
    active = replace(trial, status="active", trial_ends_at=None)
    assert await buyer.tell(active) == [(100, end + RENEWAL_SLACK)]
    await buyer.spend(30)
    # A larger price in the same period brings the difference, once; going back and forth brings nothing.
    business = replace(active, price=ExternalId("price_business"))
    assert await buyer.tell(business, active, business, days=1) == [(970, end + RENEWAL_SLACK)]
    assert await buyer.tell(replace(business, cancel_at=end)) == [(970, end)]
    assert await buyer.tell(replace(business, status="paused")) == [(970, end)]
    assert await buyer.tell(business) == [(970, end + RENEWAL_SLACK)]
    # The next period is its own, once it is paid for; what was left of the last one ends when it begins.
    following = replace(business, period_start=end, period_end=end + MONTH)
    unpaid = replace(following, status="past_due", past_due_since=end)
    assert await buyer.tell(unpaid, days=30) == [(970, end + RENEWAL_SLACK)]
    assert await buyer.tell(following) == [(1000, end + MONTH + RENEWAL_SLACK)]
    # Half of what was paid for it is given back, then the rest, and the subscription ends.
    renewal = replace(payment("1", 2), subscription=ExternalId("sub_1"), customer=ExternalId("cus_x"))
    await buyer.spend(300)
    assert (await buyer.tell(renewal))[0][0] == 700
    assert (await buyer.tell(replace(renewal, refunded=450, status="partially_refunded")))[0][0] == 200
    gone = replace(following, status="canceled", ended_at=end + DAY)
    assert await buyer.tell(gone, days=1) == []
    assert await buyer.ledger() == [
        ("grant", 100), ("spend", -30), ("grant", 900), ("expire", -970), ("grant", 1000), ("spend", -300),
        ("revoke", -500), ("expire", -200),
    ]  # fmt: skip


async def test_t_05_what_is_paid_once_brings_its_tokens_and_a_refund_takes_its_share(buyer, holder, truth):
    truth.sell("pack", tokens=90, once=True)
    assert await buyer.tell(pack(holder, 1)) == [(90, START + 365 * DAY)]
    await buyer.spend(40)
    assert (await buyer.tell(pack(holder, 1, refunded=300, status="partially_refunded")))[0][0] == 20
    assert await buyer.tell(pack(holder, 1, refunded=900, status="refunded")) == []
    # One that was told when nobody knew what it was for, of a price that says for how long.
    assert await buyer.tell(pack(holder, 2, price="price_week")) == []
    truth.objects["price"]["price_week"] = PriceSnapshot(
        external_id=ExternalId("price_week"),
        product=ExternalId("prod_pack"),
        details={"tokens": "50", "tokens_days": "7"},
    )
    assert await buyer.tell(pack(holder, 2, price="price_week")) == [(50, START + 7 * DAY)]
    # What a price that is paid by the month brings is its period's.
    truth.sell("pro", tokens=100)
    assert await buyer.tell(pack(holder, 3, price="price_pro")) == [(50, START + 7 * DAY)]
    assert (await balance(buyer.paying.kit.system, holder_id=holder)).balance == 50
    assert await buyer.ledger() == [
        ("grant", 90), ("spend", -40), ("revoke", -30), ("revoke", -20), ("grant", 50),
    ]  # fmt: skip


async def test_the_declaration_says_where_the_provider_does_not_and_a_period_without_a_beginning_is_one(
    buyer, holder, truth
):
    truth.sell("pro")
    end = START + MONTH
    squeezed = subscription_of(holder, "price_pro", period_start=None, period_end=end)
    assert await buyer.tell(squeezed) == [(70, end + RENEWAL_SLACK)]
    assert await buyer.tell(replace(squeezed, period_end=end + DAY), days=2) == [(70, end + DAY + RENEWAL_SLACK)]
    renewed = replace(squeezed, period_end=end + MONTH)
    assert await buyer.tell(renewed, days=29) == [(70, end + MONTH + RENEWAL_SLACK)]
    assert await buyer.ledger() == [("grant", 70), ("expire", -70), ("grant", 70)]
    truth.put(ProductSnapshot(external_id=ExternalId("prod_pro"), name="Pro", details={"plan": "pro", "tokens": "80"}))
    assert (await buyer.tell(renewed))[0][0] == 80


@pytest.mark.parametrize(
    ("of_price", "of_product", "expected"),
    [("10", "20", 10), (None, "20", 20), (None, None, None), ("0", None, None), ("-5", "20", 20), ("1.5", None, None),
     ("ten", None, None), ("9" * 16, None, None), ("\u0663", None, None), ("", None, None)],
)  # fmt: skip
def test_only_a_whole_number_above_nothing_is_read(of_price, of_product, expected, caplog):
    told = [{} if one is None else {"tokens": one} for one in (of_price, of_product)]
    assert tokens_of(*told) == expected
    # Every stranger who reads the prices asks.
    assert caplog.text == ""


async def test_what_is_credited_for_words_that_nobody_can_read_is_told_in_the_log(buyer, holder, truth, caplog):
    said = {"tokens": "many", "tokens_days": "7"}
    truth.sell("pack", tokens=90, once=True)
    truth.objects["price"]["price_odd"] = PriceSnapshot(
        external_id=ExternalId("price_odd"), product=ExternalId("prod_pack"), details=said
    )
    assert await buyer.tell(pack(holder, 1, price="price_odd")) == []
    assert "billing.metadata_unreadable" in caplog.text
    assert "'many'" in caplog.text
    assert "'7'" not in caplog.text
