"""The figures of operators against a ledger that was written by hand, and what always holds of them.

USD in cents a month. `b`'s year: 9000 / 12; `d`'s week: 300 x 52 / 12 each; `f`'s quarter: 6000 / 3.

| what happens                                      | 31 Mar | 30 Apr | 31 May | 10 Jun |
|---------------------------------------------------|-------:|-------:|-------:|-------:|
| a  15 Mar: pro, 900 a month                       |    900 |    900 |    900 |    900 |
| b  16 Mar: pro, 9000 a year                       |    750 |    750 |    750 |    750 |
| c  17 Mar: pro; 10 Apr business; 5 May pro again  |    900 |   2900 |    900 |    900 |
| d  18 Mar: 2 x 300 a week; 20 Apr one of them     |   2600 |   1300 |   1300 |   1300 |
| f  2 Apr: business, 6000 every 3 months           |        |   2000 |   2000 |   2000 |
| g  5 Apr trial of pro, 19 Apr paid                |        |    900 |    900 |    900 |
| h  6 Apr trial of pro, 20 Apr over                |        |        |        |        |
| i  28 May trial of pro, to 11 Jun                 |        |        |        |        |
| j  10 May pro, 20 May paused, 3 Jun goes on       |        |        |        |    900 |
| k  12 Apr pro, 12 May past due, 26 May unpaid     |        |    900 |        |        |
| l  15 May by use, no amount                       |        |        |      0 |      0 |
| sum                                               |   5150 |   9650 |   6750 |   7650 |

EUR: e pays 1000 from 20 March, leaves on 25 April, is back on 2 June; a buys another one for 1000 on 12 May.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantry.billing.applying import apply
from tenantry.billing.revenue import Customers, Money, Trials, revenue
from tenantry.billing.revenue.movement import customers_moved, money_moved, payers
from tenantry.billing.snapshots import ExternalId, PaymentSnapshot, PriceSnapshot, ProductSnapshot, SubscriptionSnapshot
from tenantry.billing.terms.worth import Term, histories, monthly

PRICES = [
    # provider, price, plan, amount, currency, interval, count
    ("stripe", "pro_m", "pro", 900, "USD", "month", 1),
    ("stripe", "pro_y", "pro", 9000, "USD", "year", 1),
    ("stripe", "biz_m", "business", 2900, "USD", "month", 1),
    ("stripe", "extra", None, 300, "USD", "week", 1),
    ("stripe", "use", None, None, "USD", "month", 1),
    ("stripe", "pack", None, 500, "USD", None, 1),
    ("polar", "pro_e", "pro", 1000, "EUR", "month", 1),
    ("lemonsqueezy", "biz_q", "business", 6000, "USD", "month", 3),
]
LIVES = [
    # when, provider, subscription, price, status, more
    ("03-15", "stripe", "a", "pro_m", "active", {}),
    ("03-16", "stripe", "b", "pro_y", "active", {}),
    ("03-17", "stripe", "c", "pro_m", "active", {}),
    ("03-18", "stripe", "d", "extra", "active", {"quantity": 2}),
    ("03-20", "polar", "e", "pro_e", "active", {}),
    ("04-02", "lemonsqueezy", "f", "biz_q", "active", {"period_start": None}),
    ("04-05", "stripe", "g", "pro_m", "trialing", {"trial_ends_at": "04-19"}),
    ("04-06", "stripe", "h", "pro_m", "trialing", {"trial_ends_at": "04-20"}),
    ("04-10", "stripe", "c", "biz_m", "active", {"period_start": "03-17"}),
    ("04-12", "stripe", "k", "pro_m", "active", {}),
    ("04-17", "stripe", "c", "biz_m", "active", {}),
    ("04-19", "stripe", "g", "pro_m", "active", {"trial_ends_at": "04-19"}),
    ("04-20", "stripe", "h", "pro_m", "canceled", {"trial_ends_at": "04-20", "ended_at": "04-20"}),
    ("04-20", "stripe", "d", "extra", "active", {"quantity": 1, "period_start": "03-18"}),
    # Nobody told of it before the 3rd of May; it happened when the provider says.
    ("05-03", "polar", "e", "pro_e", "canceled", {"ended_at": "04-25"}),
    ("05-05", "stripe", "c", "pro_m", "active", {"period_start": "04-17"}),
    ("05-10", "stripe", "j", "pro_m", "active", {}),
    ("05-12", "stripe", "k", "pro_m", "past_due", {}),
    ("05-12", "polar", "a2", "pro_e", "active", {"customer": "cus_a"}),
    ("05-15", "stripe", "l", "use", "active", {}),
    ("05-20", "stripe", "j", "pro_m", "paused", {"period_start": "05-10"}),
    ("05-26", "stripe", "k", "pro_m", "unpaid", {}),
    ("05-28", "stripe", "i", "pro_m", "trialing", {"trial_ends_at": "06-11"}),
    ("06-02", "polar", "e2", "pro_e", "active", {"customer": "cus_e"}),
    ("06-03", "stripe", "j", "pro_m", "active", {"period_start": "05-10"}),
]
PAID = [
    # when, provider, subscription, price, amount, refunded, status, reason
    ("03-15", "stripe", "a", "pro_m", 900, 0, "paid", "initial"),
    ("03-16", "stripe", "b", "pro_y", 9000, 0, "paid", "initial"),
    ("03-20", "polar", "e", "pro_e", 1000, 400, "partially_refunded", "initial"),
    ("04-02", "lemonsqueezy", "f", "biz_q", 6000, 6000, "refunded", "initial"),
    ("04-10", "stripe", "c", "biz_m", 1500, 0, "paid", "change"),
    ("04-15", "stripe", None, "pack", 500, 0, "paid", "once"),
    ("04-19", "stripe", "g", "pro_m", 900, 0, "paid", "renewal"),
    ("05-12", "stripe", "k", "pro_m", 900, 0, "failed", "renewal"),
]
USD = [
    {"new": 5150, "end": 5150, "customers": 4},
    {"start": 5150, "new": 3800, "expansion": 2000, "contraction": 1300, "end": 9650, "customers": 7},
    {"start": 9650, "contraction": 2000, "churned": 900, "end": 6750, "customers": 7},
    {"start": 6750, "reactivated": 900, "end": 7650, "customers": 8},
]
EUR = [
    {"new": 1000, "end": 1000},
    {"start": 1000, "churned": 1000},
    {"new": 1000, "end": 1000},
    {"start": 1000, "reactivated": 1000, "end": 2000},
]
# Buying in a second currency is no new customer.
CUSTOMERS = [
    Customers(new=5, end=5),
    Customers(start=5, new=3, churned=1, end=7),
    Customers(start=7, new=1, churned=1, end=7),
    Customers(start=7, reactivated=2, end=9),
]
MOVED = ("start", "new", "expansion", "contraction", "churned", "reactivated", "end")


def moment(day: str | None) -> datetime | None:
    return None if day is None else datetime.fromisoformat(f"2026-{day}T12:00:00+00:00")


def lived(day: str, of: str, price: str, status: Any, more: dict[str, Any]) -> SubscriptionSnapshot:
    given = {"customer": f"cus_{of}", "quantity": 1, "period_start": day, **more}
    dated = {key: moment(given[key]) for key in given if key in {"period_start", "trial_ends_at", "ended_at"}}
    known = {"external_id": ExternalId(of), "price": ExternalId(price), "status": status, "raw_status": status}
    return SubscriptionSnapshot(**{**given, **dated, **known})


@pytest.fixture
async def booked(paying):
    """The ledger happened: each line was read from its provider on its day."""
    system = paying.kit.system
    ada = await paying.holder_of(await paying.kit.sign_in("ada"))

    async def told(day: str, provider: Any, *snapshots: Any) -> None:
        await paying.kit.move(moment(day) - paying.kit.clock.now())
        async with system.service() as ctx:
            assert await apply(ctx, provider, snapshots, read_at=moment(day))

    for provider, price, plan, amount, currency, interval, count in PRICES:
        of = ExternalId(f"of_{price}")
        product = ProductSnapshot(external_id=of, name=price, details={"plan": plan} if plan else {})
        sold = PriceSnapshot(
            external_id=ExternalId(price), product=of, amount=amount, currency=currency, interval=interval,
            interval_count=count,
        )  # fmt: skip
        await told("03-14", provider, product, sold)
    paid = [
        (day, provider, PaymentSnapshot(
            external_id=ExternalId(f"in_{number}"), subscription=of and ExternalId(of), price=ExternalId(price),
            status=status, reason=reason, amount=amount, refunded=refunded, paid_at=moment(day),
            currency="EUR" if price == "pro_e" else "USD", customer=ExternalId(f"cus_{of}") if of else None,
        ))
        for number, (day, provider, of, price, amount, refunded, status, reason) in enumerate(PAID)
    ]  # fmt: skip
    lives = [
        (day, provider, lived(day, of, price, status, more | ({"holder_id": ada} if of in {"a", "a2"} else {})))
        for day, provider, of, price, status, more in LIVES
    ]
    for day, provider, one in sorted([*lives, *paid], key=lambda each: each[0]):
        await told(day, provider, one)
    await paying.kit.move(moment("06-10") - paying.kit.clock.now())
    return paying


async def test_the_figures_are_those_of_the_ledger(booked):
    found = await revenue(booked.kit.system, months=4)
    total = found.total
    assert [month.start for month in total.months] == [datetime(2026, month, 1, tzinfo=UTC) for month in (3, 4, 5, 6)]
    assert total.months[-1].end == found.at == moment("06-10")
    for currency, expected in (("USD", USD), ("EUR", EUR)):
        moved = [month.money[currency] for month in total.months]
        assert [{key: getattr(one, key) for key in MOVED} for one in moved] == [
            {key: one.get(key, 0) for key in MOVED} for one in expected
        ], currency
    assert [month.money["USD"].customers for month in total.months] == [one["customers"] for one in USD]
    assert total.mrr == {"USD": 7650, "EUR": 2000}
    april, may = total.months[1].money["USD"], total.months[2].money["USD"]
    assert (april.churn_rate, may.churn_rate) == (1300 / 5150, 2900 / 9650)
    assert (april.arpu, total.months[0].money["USD"].churn_rate) == (9650 // 7, None)
    assert (may.subscriptions, may.by_use) == (7, 1)
    assert [month.customers for month in total.months] == CUSTOMERS
    assert [month.customers.churn_rate for month in total.months] == [None, 1 / 5, 1 / 7, 0]

    assert [month.trials for month in total.months] == [
        Trials(), Trials(converted=1, lapsed=1), Trials(), Trials()
    ]  # fmt: skip
    assert (total.trialing, total.months[1].trials.conversion_rate) == (1, 0.5)

    # What was given back counts in the month of the payment; what was paid once counts, and what failed does not.
    paid = [{key: (one.received, one.refunded) for key, one in month.money.items()} for month in total.months]
    assert paid == [
        {"USD": (9900, 0), "EUR": (1000, 400)},
        {"USD": (6000 + 1500 + 500 + 900, 6000), "EUR": (0, 0)},
        {"USD": (0, 0), "EUR": (0, 0)},
        {"USD": (0, 0), "EUR": (0, 0)},
    ]

    assert {name: one.mrr for name, one in found.by_provider.items()} == {
        "lemonsqueezy": {"USD": 2000}, "polar": {"EUR": 2000}, "stripe": {"USD": 5650}
    }  # fmt: skip
    assert {name: one.mrr for name, one in found.by_plan.items()} == {
        "pro": {"USD": 4350, "EUR": 2000}, "business": {"USD": 2000}, None: {"USD": 1300}
    }  # fmt: skip
    # Who changes plans is neither new in the one nor lost to the other.
    moved = {name: one.months[1].money["USD"] for name, one in found.by_plan.items()}
    assert (moved["pro"].contraction, moved["pro"].churned) == (900, 0)
    assert (moved["business"].expansion, moved["business"].new) == (2900, 2000)
    assert found.by_provider["polar"].months[1].customers == Customers(start=1, churned=1)
    # Fewer months are the last of the same.
    assert (await revenue(booked.kit.system, months=2)).total == msgspec.structs.replace(total, months=total.months[2:])


async def test_the_code_of_the_page_runs(booked):
    page = (Path(__file__).parents[3] / "docs" / "revenue.md").read_text()
    words = {}
    exec(page.split("```python\n")[1].split("```")[0], words)
    assert await words["report"](booked.kit.system) == {"USD": 7650, "EUR": 2000}


async def test_a_price_that_is_changed_in_its_place_and_an_owner_who_goes_change_no_past(booked):
    before = await revenue(booked.kit.system, months=4)
    async with booked.kit.system.service() as ctx:
        dearer = PriceSnapshot(
            external_id=ExternalId("biz_q"), product=ExternalId("of_biz_q"), amount=9900, interval="month",
            interval_count=3,
        )  # fmt: skip
        await apply(ctx, "lemonsqueezy", [dearer], read_at=moment("06-10"))
    assert await revenue(booked.kit.system, months=4) == before


async def test_what_was_paid_before_a_subscription_was_first_seen_is_its_past(paying):
    """The first listing of a provider that has long been sold through: in any order, the same past."""
    truth, system = paying.truth, paying.kit.system
    price = truth.sell("pro")
    seen = lived("03-01", "old", price, "active", {"quantity": 3})
    bills = [
        PaymentSnapshot(
            external_id=ExternalId(f"in_{month}"), subscription=ExternalId("old"), price=price, status="paid",
            reason=reason, amount=2700, paid_at=moment(f"{month}-01"),
        )
        for month, reason in (("02", "renewal"), ("01", "initial"), ("03", "renewal"))
    ]  # fmt: skip
    products = [*truth.objects["product"].values(), *truth.objects["price"].values()]
    async with system.service() as ctx:
        await apply(ctx, "fake", [*products, bills[0], seen, *bills[1:]], read_at=paying.kit.clock.now())
    found = (await revenue(system, months=3)).total.months
    assert [(one.money["USD"].start, one.money["USD"].new, one.money["USD"].end) for one in found] == [
        (0, 2700, 2700), (2700, 0, 2700), (2700, 0, 2700)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "is_a_month"),
    [
        ((900, "month"), 900), ((9000, "year"), 750), ((300, "week"), 1300), ((100, "day"), 3042),
        ((6000, "month", 3), 2000), ((1000, "year", 2), 42), ((1, "year", 1, 6), 1), ((999, "month", 1, 4), 3996),
    ],
)  # fmt: skip
def test_a_price_by_the_month(asked, is_a_month):
    assert monthly(*asked) == is_a_month


TIMES = [datetime(2026, month, 1, tzinfo=UTC) for month in range(1, 7)]
TERMS = st.lists(
    st.builds(
        lambda of, day, amount, currency, holder: Term(
            provider="stripe" if of % 2 else "polar", subscription_external_id=f"sub_{of}", origin="state",
            since=datetime(2025, 11, 1, tzinfo=UTC).replace(month=day % 2 + 11) if day < 2 else
            datetime(2026, 1 + day % 5, 1 + day, tzinfo=UTC), customer=f"cus_{holder}", price_id=None,
            amount_minor=amount, currency=currency if amount else None, interval="month", interval_count=1, quantity=1,
        ),
        st.integers(0, 5), st.integers(0, 25), st.integers(0, 3), st.sampled_from(["USD", "EUR"]), st.integers(0, 2),
    ),
    max_size=25, unique_by=lambda one: (one.subscription_external_id, one.since),
)  # fmt: skip


@given(TERMS)
def test_what_moved_is_the_difference(terms):
    ordered = sorted(terms, key=lambda one: (one.provider, one.subscription_external_id, one.since))
    everybody = payers(histories(ordered), TIMES, lambda one: str(one.amount_minor))
    groups = {group for payer in everybody for _, group in payer.lines}
    for position in range(len(TIMES) - 1):
        total = money_moved(everybody, TIMES, position, lambda _: True)
        parts = [money_moved(everybody, TIMES, position, group.__eq__) for group in groups]
        for currency, one in total.items():
            for each in (one, *(part.get(currency, Money()) for part in parts)):
                assert each.start + each.new + each.expansion - each.contraction - each.churned + each.reactivated == (
                    each.end
                )
                assert min(getattr(each, key) for key in MOVED) >= 0
            assert one.end == sum(part.get(currency, Money()).end for part in parts)
            following = money_moved(everybody, TIMES, position + 1, lambda _: True) if position < 4 else {}
            assert not following or following.get(currency, Money()).start == one.end
        counted = customers_moved(everybody, TIMES, position, lambda _: True)
        assert counted.start + counted.new + counted.reactivated - counted.churned == counted.end
