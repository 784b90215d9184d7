"""What a person is told of subscription and payments, and how old that may be."""

from datetime import timedelta

import pytest

from billing.flows.shop import shop_product, subscribed, told
from tenantry.billing import BillingProviders
from tenantry.product import Billing, StatusWords, Stripe

DAY = timedelta(days=1)


async def shown(person):
    answer = await person.get("/v1/subscription")
    assert answer.status_code == 200
    return answer.json()


async def test_who_never_bought_is_on_the_default_plan(till, ada):
    assert await shown(ada) == {"plan": "free", "plan_until": None, "plan_after": None, "subscription": None}
    assert (await ada.get("/v1/subscriptions")).json() == {"items": [], "next_cursor": None}
    assert (await ada.get("/v1/payments")).json() == {"items": [], "next_cursor": None}
    assert (await ada.post("/v1/portal")).json()["code"] == "billing.customer_unknown"
    assert till.asked == []


async def test_a_trial_and_what_it_will_cost(kit, till, ada):
    await subscribed(kit, till, ada)
    standing = await shown(ada)
    one = standing["subscription"]
    assert (standing["plan"], standing["plan_after"]) == ("pro", "free")
    assert (one["status"], one["word"], one["access"], one["provider"]) == ("trialing", "trialing", "full", "fake")
    assert one["trial_ends_at"] == one["access_until"] == standing["plan_until"] == "2026-03-28T12:00:00Z"
    assert one["items"] == [
        {"product": "Product 1", "lookup": "pro_month", "amount": 900, "currency": "USD", "interval": "month",
         "interval_count": 1, "quantity": 1}
    ]  # fmt: skip


async def test_a_payment_that_failed_keeps_the_plan_for_the_grace_and_no_longer(kit, till, ada):
    bought = await subscribed(kit, till, ada)
    failed = {"status": "past_due", "trial_ends_at": None, "past_due_since": kit.clock.now()}
    till.move(bought, **failed)
    await told(kit, till, bought)
    one = (await shown(ada))["subscription"]
    assert (one["status"], one["access"], one["access_until"]) == ("past_due", "grace", "2026-03-21T12:00:00Z")
    await kit.move(7 * DAY)
    ada = await kit.sign_in("ada")
    standing = await shown(ada)
    assert (standing["plan"], standing["subscription"]["access"]) == ("free", "none")


async def test_the_products_own_words_are_told_beside_the_normal_ones(start, till, clock):
    words = StatusWords(trialing="trial", scheduled="cancelled")
    product = shop_product(billing=Billing([Stripe()], words=words))
    kit = await start(product, clock=clock, ports={BillingProviders: BillingProviders({"fake": till})})
    ada = await kit.sign_in("ada")
    await subscribed(kit, till, ada)
    assert (await shown(ada))["subscription"]["word"] == "trial"
    assert (await ada.post("/v1/subscription/cancel")).json()["word"] == "cancelled"


async def test_what_is_looked_at_is_read_again_when_it_is_old(kit, till, ada):
    bought = await subscribed(kit, till, ada)
    till.move(bought, cancel_at=kit.clock.now() + DAY)
    before = till.count("read")
    assert (await shown(ada))["subscription"]["cancel_at"] is None
    assert till.count("read") == before
    await kit.move(timedelta(minutes=5))
    assert (await shown(ada))["subscription"]["cancel_at"] is not None
    assert till.count("read") == before + 1


async def test_a_provider_that_is_away_or_slow_leaves_what_was_known(kit, till, ada):
    bought = await subscribed(kit, till, ada)
    till.move(bought, cancel_at=kit.clock.now() + DAY)
    await kit.move(timedelta(minutes=6))
    till.away = {"read"}
    assert (await shown(ada))["subscription"]["cancel_at"] is None
    till.away, till.slow = set(), 60
    assert (await shown(ada))["subscription"]["cancel_at"] is None


async def test_payments_with_what_was_given_back(kit, till, ada):
    bought = await subscribed(kit, till, ada)
    first = till.bill(bought, receipt_url="https://till.example/r/1", paid_at=kit.clock.now() - 40 * DAY)
    second = till.bill(bought, reason="renewal", refunded=400, status="partially_refunded", receipt_url="javascript:x")
    for one in (second, first):
        await told(kit, till, one, kind="payment")
    items = (await ada.get("/v1/payments")).json()["items"]
    assert [(one["reason"], one["status"], one["amount"], one["refunded"]) for one in items] == [
        ("renewal", "partially_refunded", 900, 400),
        ("initial", "paid", 900, 0),
    ]
    assert [one["receipt_url"] for one in items] == [None, "https://till.example/r/1"]


@pytest.fixture
async def paid(kit, till, ada):
    """Seven payments, some of the same moment."""
    bought = await subscribed(kit, till, ada)
    for number in range(7):
        one = till.bill(bought, paid_at=kit.clock.now() - DAY * (number // 2), amount=number + 1)
        await told(kit, till, one, kind="payment")
    return bought


async def test_pages_of_payments_leave_nothing_out_and_repeat_nothing(ada, paid):
    whole = [one["id"] for one in (await ada.get("/v1/payments")).json()["items"]]
    assert len(whole) == 7
    found, cursor = [], None
    while True:
        query = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = (await ada.get("/v1/payments", params=query)).json()
        found += [one["id"] for one in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert found == whole
    assert [one["id"] for one in (await ada.get("/v1/payments?limit=3&offset=4")).json()["items"]] == whole[4:]


async def test_another_persons_cursor_leads_nowhere(kit, ada, paid):
    grace = await kit.sign_in("grace")
    cursor = (await ada.get("/v1/payments?limit=1")).json()["next_cursor"]
    assert (await grace.get("/v1/payments", params={"cursor": cursor})).json()["items"] == []
    assert (await grace.get("/v1/subscriptions")).json()["items"] == []


async def test_pages_of_subscriptions(kit, till, ada):
    for _ in range(3):
        bought = await subscribed(kit, till, ada)
        till.move(bought, status="canceled", ended_at=kit.clock.now())
        await told(kit, till, bought)
        await kit.move(timedelta(seconds=1))
    first = (await ada.get("/v1/subscriptions?limit=2")).json()
    rest = (await ada.get(f"/v1/subscriptions?limit=2&cursor={first['next_cursor']}")).json()
    ids = [one["id"] for one in (*first["items"], *rest["items"])]
    assert ids == sorted(ids, reverse=True)
    assert (len(set(ids)), rest["next_cursor"]) == (3, None)
    assert {one["status"] for one in first["items"]} == {"canceled"}


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "offset=-1", "cursor=x"])
async def test_nonsense_is_refused_422(ada, query):
    for path in ("/v1/payments", "/v1/subscriptions"):
        assert (await ada.get(f"{path}?{query}")).status_code == 422


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/checkout", {}),
        ("/v1/checkout", {"plan": ""}),
        ("/v1/checkout", {"plan": "pro", "interval": "hour"}),
        ("/v1/checkout", {"plan": "pro", "coupon": "two words"}),
        ("/v1/checkout", {"plan": "pro", "customer": "cus_1"}),
        ("/v1/subscription/change", {"plan": "pro", "proration": "twice"}),
        ("/v1/subscription/change", {"plan": "pro", "subscription_id": "sub_1"}),
        ("/v1/subscription/cancel", {"at_once": "perhaps"}),
        ("/v1/subscription/pause", {"until": "2026-03-20T00:00:00"}),
    ],
)
async def test_a_body_that_is_not_understood_is_refused_422(till, ada, path, body):
    assert (await ada.post(path, json=body)).status_code == 422
    assert till.asked == []


async def test_what_is_held_is_read_in_one_statement(kit, till, ada, statements):
    """T-14: a user's subscriptions with their prices and products, however many there are."""
    await subscribed(kit, till, ada)
    with statements(kit) as once:
        await ada.get("/v1/subscriptions")
    with statements(kit) as never:
        await ada.get("/v1/payments")
    # The session, and the list.
    assert once() == never() == 2


async def test_one_takes_along_what_one_bought(kit, till, ada, paid):
    exports = {one.name: one for module in kit.runtime.modules for one in module.exports}
    assert {"subscriptions", "payments", "customers"} <= exports.keys()
