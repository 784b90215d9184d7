"""From a checkout at Polar or Lemon Squeezy to a holder's plan, with events in disorder, doubled and lost."""

from collections.abc import AsyncIterator, Awaitable, Callable
from random import Random
from typing import Any
from uuid import uuid4

import pytest

from tenantry import Billing, Google, LemonSqueezy, Meter, Plan, Polar, Price, Product
from tenantry.billing import BillingProviders
from tenantry.billing.providers import Cancel, CheckoutPage, NewCustomer
from tenantry.billing.providers.building import Credentials
from tenantry.billing.providers.lemonsqueezy import LemonSqueezyProvider
from tenantry.billing.providers.polar import PolarProvider
from tenantry.billing.queries import owners, payments
from tenantry.billing.sync import sync
from tenantry.billing.worker import drain
from tenantry.kernel.clock import FrozenClock
from tenantry.testing import AppKit
from tenantry.testing.kit import START
from tenantry.testing.standins.deliveries import SellerStandIn, SignedEvent, disordered
from tenantry.testing.standins.lemonsqueezy import LEMONSQUEEZY_KEY, LEMONSQUEEZY_SECRET, STORE, start_lemonsqueezy
from tenantry.testing.standins.polar import POLAR_KEY, POLAR_SECRET, start_polar

requests = Meter("requests", per="day")
PRO = {"polar": "pro_monthly", "lemonsqueezy": "pro-monthly"}


class Shop:
    """An application, and who sells for it."""

    def __init__(self, kit: AppKit, standin: SellerStandIn, provider: Any) -> None:
        self.kit, self.standin, self.provider = kit, standin, provider

    async def deliver(self, events: list[SignedEvent]) -> None:
        client = await self.kit.client()
        for one in events:
            answer = await client.post(f"/webhooks/{self.provider.name}", content=one.body, headers=one.headers)
            assert answer.status_code == 204, answer.text
        while await drain(self.kit.runtime):
            pass

    async def plan_of(self, holder: Any) -> str:
        async with self.kit.system.service(writes=False) as ctx:
            found = await owners.held(ctx.db, holder)
        assert found is not None
        return found[0].plan

    async def payment(self, external_id: str) -> Any:
        async with self.kit.system.service() as ctx:
            return await payments.lock_payment(ctx.db, self.provider.name, external_id)

    async def buy(self, holder: Any, email: str) -> dict[str, str]:
        prices = {one.lookup: one.external_id async for page in self.provider.listed("product") for one in page[1:2]}
        customer = await self.provider.customer(NewCustomer(holder_id=holder, email=email, key="k"))
        page = await self.provider.page(
            CheckoutPage(
                holder_id=holder,
                customer=customer.external_id,
                price=prices[PRO[self.provider.name]],
                success_url="http://127.0.0.1/done",
                cancel_url="http://127.0.0.1/back",
                key=str(uuid4()),
            )
        )
        return self.standin.act("pay", checkout=page.rpartition("/")[2])


@pytest.fixture(params=["polar", "lemonsqueezy"])
async def shop(request: Any, start: Callable[..., Awaitable[AppKit]]) -> AsyncIterator[Shop]:
    clock, is_polar = FrozenClock(START), request.param == "polar"
    with start_polar(now=clock.now) if is_polar else start_lemonsqueezy(now=clock.now) as standin:
        credentials = Credentials(
            base_url=standin.url,
            key=POLAR_KEY if is_polar else LEMONSQUEEZY_KEY,
            webhook_secrets=(POLAR_SECRET if is_polar else LEMONSQUEEZY_SECRET,),
            store="" if is_polar else STORE,
        )
        provider = PolarProvider(credentials, clock) if is_polar else LemonSqueezyProvider(credentials, clock)
        product = Product(
            "Acme",
            plans=[
                Plan("free", price=0, limits={requests: 5}),
                Plan("pro", price=Price(2000, lookup=PRO[request.param]), limits={requests: 50}),
            ],
            billing=Billing(providers=[Polar() if is_polar else LemonSqueezy(store=STORE)]),
            sign_in=[Google()],
        )
        kit = await start(product, clock=clock, ports={BillingProviders: BillingProviders({provider.name: provider})})
        yield Shop(kit, standin, provider)
        await provider.aclose()


@pytest.mark.parametrize("seed", range(3))
async def test_a_purchase_gives_its_plan_until_it_ends_whatever_the_order(shop: Shop, seed: int) -> None:
    random = Random(seed)
    browser = await shop.kit.sign_in("ada")
    email = (await browser.get("/v1/me")).json()["email"]
    async with shop.kit.system.service(writes=False) as ctx:
        holder = await owners.lock_by_email(ctx.db, email)
    done = await shop.buy(holder, email)
    await shop.provider.change(done["subscription"], Cancel())
    told = shop.standin.events
    await shop.deliver(disordered(told, random, repeats=4, lost=1))
    assert await shop.plan_of(holder) == "pro"
    known = f"inv_{done['invoice']}" if shop.provider.name == "lemonsqueezy" else done["order"]
    paid = await shop.payment(known)
    assert (paid.holder_id, paid.status, paid.amount_minor) == (holder, "paid", 2000)
    if shop.provider.name == "lemonsqueezy":
        assert await shop.payment(f"ord_{done['order']}") is None
    shop.standin.act("refund", order=done["order"], amount=2000)
    shop.standin.act("end", subscription=done["subscription"])
    await shop.deliver(disordered(shop.standin.events[len(told) :], random, repeats=2, lost=0))
    assert await shop.plan_of(holder) == "free"
    assert (await shop.payment(known)).status == "refunded"


async def test_a_sync_finds_what_no_event_told_and_nothing_the_second_time(shop: Shop) -> None:
    browser = await shop.kit.sign_in("ada")
    email = (await browser.get("/v1/me")).json()["email"]
    async with shop.kit.system.service(writes=False) as ctx:
        holder = await owners.lock_by_email(ctx.db, email)
    await shop.buy(holder, email)
    first = await sync(shop.kit.system, shop.provider)
    assert {one.kind for one in first.drift} == {"subscription", "payment"}
    assert await shop.plan_of(holder) == "pro"
    assert (await sync(shop.kit.system, shop.provider)).drift == []
