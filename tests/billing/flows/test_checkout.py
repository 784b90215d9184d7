"""Buying a plan: one customer however many tabs, one page for one wish, nothing half done when the provider is away."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from billing.flows.shop import HTML, audited, shop_product, subscribed, told, unprove
from tenantry import Plan
from tenantry.billing import BillingProviders
from tenantry.billing.applying import apply
from tenantry.billing.models import Customers
from tenantry.billing.queries import customers as queries
from tenantry.billing.snapshots import CustomerSnapshot
from tenantry.holders.models import Holders
from tenantry.kernel import new_id
from tenantry.kernel.database import statement
from tenantry.product import Billing, Stripe

_customers = statement(
    select(Customers.external_id, Customers.email, Customers.provider), lambda *values: tuple(values)
)
_holder = statement(select(Customers.holder_id))


async def customers(kit):
    async with kit.system.service(writes=False) as ctx:
        return await ctx.db.rows(_customers)


async def buy(person, plan="pro", **more):
    return await person.post("/v1/checkout", json={"plan": plan, **more})


async def test_a_checkout_leads_to_the_providers_page(kit, till, ada):
    opened = await buy(ada, coupon="SPRING")
    assert opened.status_code == 201
    page = till.pages[opened.json()["url"]]
    assert (page.trial_days, page.coupon, page.quantity) == (14, "SPRING", 1)
    assert (page.success_url, page.cancel_url) == (
        "http://127.0.0.1:8000/billing/success",
        "http://127.0.0.1:8000/billing",
    )
    assert till.prices[page.price].lookup == "pro_month"
    assert await customers(kit) == [(page.customer, "ada@example.com", "fake")]
    assert await audited(kit) == ["billing.customer_made", "billing.checkout_opened"]


async def test_a_price_is_chosen_by_its_interval_or_its_lookup_key(till, ada):
    for wish, expected in (({"interval": "year"}, "pro_year"), ({"lookup": "pro_month"}, "pro_month")):
        opened = await buy(ada, **wish)
        assert till.prices[till.pages[opened.json()["url"]].price].lookup == expected
    for wish in ({"interval": "week"}, {"lookup": "team_month"}, {"interval": "year", "lookup": "pro_month"}):
        refused = await buy(ada, **wish)
        assert (refused.status_code, refused.json()["code"]) == (422, "billing.plan_not_for_sale")


async def test_a_plan_that_the_provider_names_itself_needs_no_declared_price(start, till, clock):
    product = shop_product(plans=[Plan("free", price=0), Plan("pro", price=None)])
    kit = await start(product, clock=clock, ports={BillingProviders: BillingProviders({"fake": till})})
    till.prices.clear()
    made = till.sell(None, 4200, details={"plan": "pro"})
    till.sell(None, 100, details={"plan": "nobody's"})
    till.sell(None, 100, None, details={"plan": "pro"})
    opened = await buy(await kit.sign_in("ada"))
    assert till.pages[opened.json()["url"]].price == made


@pytest.mark.parametrize("plan", ["free", "old", "nothing", "pro\x00"])
async def test_what_is_not_sold_is_refused_before_anybody_is_asked_422(till, ada, plan):
    refused = await buy(ada, plan)
    assert refused.status_code == 422
    assert till.asked == []


async def test_what_the_provider_does_not_sell_is_refused_422(till, ada):
    till.prices.pop("price_3")
    refused = await buy(ada, "team")
    assert (refused.status_code, refused.json()["code"]) == (422, "billing.plan_not_for_sale")
    assert till.count("customer") == 0


async def test_the_provider_is_asked_once_what_it_sells(kit, till, ada):
    for _ in range(3):
        assert (await buy(ada)).status_code == 201
    assert till.count("listed") == 1


async def test_twenty_tabs_make_one_customer_and_open_one_page(kit, till, ada):
    till.slow = 0.05
    opened = await asyncio.gather(*(buy(ada) for _ in range(20)))
    assert [one.status_code for one in opened] == [201] * 20
    assert len({one.json()["url"] for one in opened}) == 1
    assert (till.count("customer"), till.count("listed")) == (1, 1)
    assert len(await customers(kit)) == 1


async def test_another_wish_is_another_page_and_so_is_the_same_an_hour_later(kit, till, ada):
    urls = {(await buy(ada, **wish)).json()["url"] for wish in ({}, {}, {"coupon": "A"}, {"interval": "year"})}
    assert len(urls) == 3
    await kit.move(timedelta(hours=1))
    ada = await kit.sign_in("ada")
    assert (await buy(ada)).json()["url"] not in urls


async def test_a_reservation_whose_maker_died_is_taken_over_after_a_minute(kit, till, ada):
    assert (await buy(ada)).status_code == 201
    async with kit.system.service() as ctx:
        holder = (await ctx.db.rows(_holder))[0]
    grace = await kit.sign_in("grace")
    me = (await grace.get("/v1/me")).json()["id"]
    async with kit.system.service() as ctx:
        theirs = await ctx.db.one(statement(_holder_of(me)))
        assert theirs != holder
        reserved = await queries.reserve(ctx.db, new_id(), holder_id=theirs, provider="fake", email="x@example.com")
        assert reserved is not None
    async with kit.system.service() as ctx:
        again = await queries.reserve(ctx.db, new_id(), holder_id=theirs, provider="fake", email="y@example.com")
        assert again is None
    await kit.move(timedelta(seconds=60))
    assert (await buy(grace)).status_code == 201
    assert sorted(one[1] for one in await customers(kit)) == ["ada@example.com", "grace@example.com"]
    # Who had died was only slow: what it brings is not written over what stands.
    async with kit.system.service() as ctx:
        assert await queries.complete(ctx.db, reserved.id, external_id="cus_late", email="x@example.com") is None


def _holder_of(user_id):
    return select(Holders.id).where(Holders.user_id == UUID(user_id))


@pytest.mark.parametrize("step", ["listed", "customer", "page"])
async def test_a_provider_that_is_away_leaves_nothing_half_done_503(kit, till, ada, step):
    till.away = {step}
    refused = await buy(ada)
    assert (refused.status_code, refused.json()["code"]) == (503, "billing.provider_away")
    assert int(refused.headers["retry-after"]) > 0
    assert len(await customers(kit)) == (1 if step == "page" else 0)
    till.away = set()
    assert (await buy(ada)).status_code == 201
    assert len(await customers(kit)) == 1


async def test_a_customer_of_somebody_elses_is_not_taken_409(kit, till, ada):
    assert (await buy(ada)).status_code == 201
    grace = await kit.sign_in("grace")
    till.customers = {one: next(iter(till.customers.values())) for one in await _keys(kit, grace)}
    refused = await buy(grace)
    assert (refused.status_code, refused.json()["code"]) == (409, "billing.change_refused")
    assert len(await customers(kit)) == 1


async def test_who_was_deleted_at_the_provider_becomes_another_customer(kit, till, ada):
    """Else nothing could ever be bought again: no provider sells to a customer that is gone."""
    await buy(ada)
    ((was, *_),) = await customers(kit)
    till.customers.clear()
    async with kit.system.service() as ctx:
        await apply(ctx, "fake", [CustomerSnapshot(external_id=was, is_deleted=True)], read_at=None)
    assert await customers(kit) == []
    assert (await buy(ada)).status_code == 201
    ((made, *_),) = await customers(kit)
    assert made != was


async def _keys(kit, person):
    me = (await person.get("/v1/me")).json()["id"]
    async with kit.system.service(writes=False) as ctx:
        return [f"customer-{await ctx.db.one(statement(_holder_of(me)))}"]


async def test_an_address_nobody_has_proven_buys_nothing_403(kit, till, ada):
    await unprove(kit)
    refused = await buy(ada)
    assert (refused.status_code, refused.json()["code"]) == (403, "billing.email_unproven")
    assert till.asked == []


async def test_a_second_subscription_is_refused_409(kit, till, ada):
    await subscribed(kit, till, ada)
    refused = await buy(ada, "team")
    assert (refused.status_code, refused.json()["code"]) == (409, "billing.subscribed_already")
    assert refused.json()["plan"] == "pro"


async def test_a_product_may_sell_several(start, till, clock):
    product = shop_product(billing=Billing([Stripe()], several=True))
    kit = await start(product, clock=clock, ports={BillingProviders: BillingProviders({"fake": till})})
    ada = await kit.sign_in("ada")
    await subscribed(kit, till, ada)
    await subscribed(kit, till, ada, "team")
    assert (await ada.get("/v1/subscription")).json()["plan"] == "team"


async def test_a_trial_is_had_once(kit, till, ada):
    first = await subscribed(kit, till, ada)
    assert till.checkouts[-1].trial_days == 14
    till.move(first, status="canceled", ended_at=kit.clock.now())
    await told(kit, till, first)
    await subscribed(kit, till, ada)
    assert till.checkouts[-1].trial_days == 0


async def test_a_coupon_that_is_none_is_refused_with_the_providers_word_409(ada):
    refused = await buy(ada, coupon="nonsense")
    assert (refused.status_code, refused.json()["detail"]) == (409, "There is no such coupon.")


@pytest.mark.parametrize(
    "nonsense",
    ["javascript:alert(1)", "//till.example", "https://", "https://till.example/\n", "https://[", "till", ""],
)
async def test_a_page_that_is_none_is_not_led_to_503(till, ada, nonsense):
    till.nonsense = nonsense
    refused = await buy(ada)
    assert (refused.status_code, refused.json()["code"]) == (503, "billing.provider_away")


async def test_without_a_provider_nothing_can_be_bought_503(start, clock):
    kit = await start(shop_product(), clock=clock, ports={BillingProviders: BillingProviders({})})
    ada = await kit.sign_in("ada")
    refused = await buy(ada)
    assert (refused.status_code, refused.json()["code"]) == (503, "billing.provider_unconfigured")
    for path in ("/billing", "/pricing", "/", "/dashboard", "/billing/success"):
        assert (await ada.get(path, headers=HTML)).status_code == 200, path


async def test_signing_up_asks_no_provider(kit, till):
    till.away = {"customer", "listed", "page", "read", "change"}
    await kit.sign_in("grace")
    assert till.asked == []


async def test_strangers_other_sites_and_keys_are_refused(kit, till, ada):
    stranger = await kit.client()
    assert (await buy(stranger)).status_code == 401
    assert (await ada.post("/v1/checkout", json={"plan": "pro"}, headers={"Origin": "https://evil.example"})).json()[
        "code"
    ] == "web.cross_site"
    issued = (await ada.post("/v1/keys", json={"label": "x"})).json()["secret"]
    program = await kit.client(Authorization=f"Bearer {issued}")
    for method, path in (
        ("POST", "/v1/checkout"), ("POST", "/v1/portal"), ("POST", "/v1/subscription/cancel"),
        ("GET", "/v1/subscription"), ("GET", "/v1/subscriptions"), ("GET", "/v1/payments"),
    ):  # fmt: skip
        body = {"json": {"plan": "pro"}} if path == "/v1/checkout" else {}
        assert (await program.request(method, path, **body)).status_code == 403, path
    assert till.asked == []


async def test_two_processes_make_one_customer(start, database, till, clock):
    """The other one is not this process: it knows only the database."""
    kits = [
        await start(shop_product(), clock=clock, ports={BillingProviders: BillingProviders({"fake": till})})
        for _ in range(2)
    ]
    till.slow = 0.05
    people = [await kit.sign_in("ada") for kit in kits]
    opened = await asyncio.gather(*(buy(one) for one in people for _ in range(5)))
    assert {one.status_code for one in opened} == {201}
    assert till.count("customer") == 1
