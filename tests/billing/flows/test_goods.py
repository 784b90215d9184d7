"""T-04, T-05: what is made at the provider is for sale without a deploy, by the period or paid once."""

import pytest
from sqlalchemy import select

from billing.conftest import listening, paid_product
from billing.flows.shop import HTML, shop_product, told
from tenantry.billing import BillingProviders
from tenantry.billing.events import PaymentSucceeded
from tenantry.billing.models import Payments, Subscriptions
from tenantry.billing.worker import drain
from tenantry.kernel.database import statement
from tenantry.product import Billing, Stripe
from tenantry.testing.standins import start_billing

_payments = statement(
    select(Payments.id, Payments.reason, Payments.amount_minor, Payments.holder_id, Payments.price_id),
    lambda *values: values,
)
_subscriptions = statement(
    select(Subscriptions.plan, Subscriptions.status, Subscriptions.holder_id), lambda *values: values
)


def goods(**more):
    return Billing([Stripe()], offers="products", **more)


@pytest.fixture
def announced():
    return []


async def rows(kit, wanted):
    async with kit.system.service(writes=False) as ctx:
        return await ctx.db.rows(wanted)


async def buy(person, **wish):
    answer = await person.post("/v1/checkout", json=wish)
    return answer.json()["url"] if answer.status_code == 201 else (answer.status_code, answer.json()["code"])


async def for_sale(client):
    return {one["name"]: one for one in (await client.get("/v1/products")).json()["items"]}


class Shop:
    """Ada, and an application whose provider sells two things that nobody declared."""

    def __init__(self, kit, shop, ada):
        self.kit, self.shop, self.ada = kit, shop, ada

    async def settle(self):
        client = await self.kit.client()
        for one in self.shop.take():
            taken = await client.post("/webhooks/fake", content=one.body, headers=one.headers)
            assert taken.status_code == 204
        while await drain(self.kit.runtime):
            pass

    async def page(self, path):
        answer = await self.ada.get(path, headers=HTML)
        assert answer.status_code == 200, answer.text
        return answer.text


@pytest.fixture
async def gold_shop(start, clock, announced):
    product = paid_product(billing=goods(several=True), modules=[listening(announced)])
    with start_billing(product, now=clock.now) as shop:
        kit = await start(product, clock=clock, demo_billing=shop.url)
        made = Shop(kit, shop, await kit.sign_in("ada"))
        # The first one who buys has the products read; then somebody makes two at the provider, which tells.
        assert (await buy(made.ada, plan="pro")).startswith(shop.url)
        shop.sell("500 tokens", 700, details={"tokens": "500"})
        shop.sell("Gold circle", 1500, interval="month", details={"role": "PREMIUM", "tokens": "900"})
        await made.settle()
        yield made


async def test_a_product_that_nobody_declared_is_shown_and_paid_once(gold_shop, announced):
    kit, shop, ada = gold_shop.kit, gold_shop.shop, gold_shop.ada
    stranger = await kit.client()
    listed = await for_sale(stranger)
    assert [(name, one["plan"]) for name, one in listed.items()] == [
        ("Acme Pro", "pro"), ("Acme Business", "business"), ("Gold circle", None), ("500 tokens", None)
    ]  # fmt: skip
    (pack,) = listed["500 tokens"]["prices"]
    assert {**pack, "id": ""} == {
        "id": "", "lookup": None, "amount": 700, "currency": "USD", "interval": None, "interval_count": 1
    }  # fmt: skip
    for client, shown in ((stranger, "/signin?return_to=/pricing"), (ada, f'name="price" value="{pack["id"]}"')):
        page = (await client.get("/pricing", headers=HTML)).text
        assert "Buy 500 tokens" in page
        assert "<small>once" in page.split("Buy 500 tokens")[0].rsplit("$7<", 1)[1]
        assert shown in page
    assert "Gold circle: $15 a month" in await gold_shop.page("/billing")

    # The page says that it is paid before any event has come; and it is one payment, announced once.
    page = await ada.post("/billing/checkout", data={"price": pack["id"]}, headers=HTML)
    url = page.text.split(f'href="{shop.url}')[1].split('"')[0]
    back = f"/billing/success?price={pack['id']}"
    assert "being confirmed" in await gold_shop.page(back)
    assert shop.pay(f"{shop.url}{url}").startswith("pay_")
    assert "500 tokens is paid" in await gold_shop.page(back)
    await gold_shop.settle()
    await gold_shop.settle()
    ((payment, *paid),) = await rows(kit, _payments)
    assert (paid[0], paid[1], str(paid[3])) == ("once", 700, pack["id"])
    assert [one for one in announced if isinstance(one, PaymentSucceeded)] == [PaymentSucceeded(paid[2], payment)]
    assert "Single payment" in await gold_shop.page("/billing")
    assert (await ada.get("/v1/me")).json()["plan"]["name"] == "free"


async def test_a_product_by_the_period_stands_beside_a_plan(gold_shop):
    kit, shop, ada = gold_shop.kit, gold_shop.shop, gold_shop.ada
    (gold,) = (await for_sale(ada))["Gold circle"]["prices"]
    back = f"/billing/success?price={gold['id']}"
    shop.pay(await buy(ada, price="price_gold_circle"))
    assert "Gold circle is active" in await gold_shop.page(back)
    assert [row[:2] for row in await rows(kit, _subscriptions)] == [(None, "active")]
    page = await gold_shop.page("/billing")
    assert "Gold circle" in page.split("Your subscription")[1].split("</dl>")[0]
    # A plan is bought beside it, not changed to.
    assert "Choose a plan" in page
    held = (await ada.get("/v1/subscription")).json()
    assert (held["plan"], held["subscription"]["plan"]) == ("free", None)
    assert held["subscription"]["items"][0]["product"] == "Gold circle"
    shop.pay(await buy(ada, plan="pro"))
    await gold_shop.settle()
    assert sorted(str(row[0]) for row in await rows(kit, _subscriptions)) == ["None", "pro"]
    assert (await ada.get("/v1/me")).json()["plan"]["name"] == "pro"
    for path in ("/billing", "/pricing", "/dashboard"):
        await gold_shop.page(path)


async def test_what_may_be_bought_by_its_price(start, till, clock):
    tokens = till.sell(None, 500, None, details={"tokens": "500"})
    gold = till.sell(None, 1500, details={"role": "PREMIUM"})
    old = till.sell("old_month", 500)
    ports = {BillingProviders: BillingProviders({"fake": till})}
    kits = {
        name: await start(shop_product(billing=one), clock=clock, ports=ports)
        for name, one in {"plans": Billing([Stripe()]), "one": goods()}.items()
    }  # fmt: skip
    refused = (422, "billing.price_not_for_sale")
    ada = await kits["plans"].sign_in("ada")
    # Where only plans are on offer, a price of a plan is bought by its id, and nothing else.
    assert (await buy(ada, price="price_1")).startswith("https://till.example/pay/")
    assert [await buy(ada, price=one) for one in (tokens, gold, old, "nobody's")] == [refused] * 4
    assert [one["plan"] for one in (await for_sale(ada)).values()] == ["pro", "team"]
    assert [await buy(ada, **one) for one in ({}, {"plan": "pro", "price": gold})] == [(422, "request.invalid")] * 2

    bob = await kits["one"].sign_in("grace")
    assert [await buy(bob, price=one) for one in (old, "nobody's")] == [refused] * 2
    # A plan by its price has the plan's trial.
    assert till.pages[await buy(bob, price="price_1")].trial_days == 14
    first = await buy(bob, price=tokens)
    assert await buy(bob, price=tokens) == first
    till.pay_once(first)
    (made,) = till.payments
    await told(kits["one"], till, made, kind="payment")
    ((payment, reason, amount, holder, price),) = await rows(kits["one"], _payments)
    assert (reason, amount, holder is not None, price is not None) == ("once", 500, True, True)
    # The same again is another purchase, and the first one's payment does not confirm it.
    second = await buy(bob, price=tokens)
    assert second != first
    assert till.pages[second].success_url.endswith(f"/billing/success?price={price}&after={payment}")
    for after, words in (("", "is paid"), (f"&after={payment}", "being confirmed")):
        assert words in (await bob.get(f"/billing/success?price={price}{after}", headers=HTML)).text
    await told(kits["one"], till, till.pay(await buy(bob, price=gold)))
    # One subscription at a time: what is paid once may be bought beside it.
    assert await buy(bob, price=gold) == (409, "billing.subscribed_already")
    assert (await buy(bob, price=tokens)).startswith("https://till.example/pay/")
    assert "You have a subscription already." in (await bob.get("/pricing", headers=HTML)).text
    page = (await bob.get("/billing", headers=HTML)).text
    assert "Change the plan" in page
    assert "$15" not in page.split("Buy something else")[1]
