"""Asking Polar: a stand-in of its API over real HTTP."""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID, uuid4

import pytest

from tenantry.billing.errors import (
    ChangeRefused,
    CustomerUnknown,
    PlanNotForSale,
    ProviderAway,
    SubscriptionNotFound,
)
from tenantry.billing.providers import Cancel, CheckoutPage, NewCustomer, Pause, PlanChange, PortalPage, Resume
from tenantry.billing.providers.building import Credentials
from tenantry.billing.providers.polar import PolarProvider
from tenantry.billing.snapshots import (
    CustomerSnapshot,
    PaymentSnapshot,
    PriceSnapshot,
    ProductSnapshot,
    Snapshot,
    SubscriptionSnapshot,
)
from tenantry.kernel.clock import FrozenClock
from tenantry.testing.standins.deliveries import SellerStandIn, disordered
from tenantry.testing.standins.polar import POLAR_KEY, POLAR_SECRET, polar_id, start_polar

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOLDER = UUID("019577a0-0000-7000-8000-000000000001")
PRO, TEAM = polar_id("price:pro_monthly"), polar_id("price:team_monthly")


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOW)


@pytest.fixture
def standin(clock: FrozenClock) -> Iterator[SellerStandIn]:
    with start_polar(now=clock.now) as running:
        yield running


@pytest.fixture
async def provider(standin: SellerStandIn, clock: FrozenClock) -> AsyncIterator[PolarProvider]:
    credentials = Credentials(base_url=standin.url, key=POLAR_KEY, webhook_secrets=(POLAR_SECRET,))
    made = PolarProvider(credentials, clock)
    yield made
    await made.aclose()


async def checkout(provider: PolarProvider, *, holder: UUID = HOLDER, **changes: object) -> CheckoutPage:
    customer = await provider.customer(NewCustomer(holder_id=holder, email=f"{holder}@example.com", key="c"))
    wanted = {
        "holder_id": holder,
        "customer": customer.external_id,
        "price": PRO,
        "success_url": "http://127.0.0.1/done",
        "cancel_url": "http://127.0.0.1/back",
        "key": str(uuid4()),
    }
    return CheckoutPage(**{**wanted, **changes})


async def bought(provider: PolarProvider, standin: SellerStandIn, **changes: object) -> dict[str, str]:
    page = await provider.page(await checkout(provider, **changes))
    return standin.act("pay", checkout=page.rpartition("/")[2])


def the(kind: type, snapshots: list[Snapshot]) -> Snapshot:
    (found,) = [one for one in snapshots if isinstance(one, kind)]
    return found


async def subscription(provider: PolarProvider, external_id: str) -> SubscriptionSnapshot:
    found = the(SubscriptionSnapshot, await provider.read("subscription", external_id))
    assert isinstance(found, SubscriptionSnapshot)
    return found


async def test_a_customer_carries_the_holder_from_the_first_call(provider, standin):
    wanted = NewCustomer(holder_id=HOLDER, email="ada@example.com", name="Ada", key="k")
    made = await provider.customer(wanted)
    assert (made.holder_id, made.email) == (HOLDER, "ada@example.com")
    assert await provider.customer(wanted) == made
    assert await provider.read("customer", made.external_id) == [made]
    assert json.loads(standin.events[0].body)["data"]["external_id"] == str(HOLDER)


async def test_a_proven_address_that_polar_knows_becomes_the_holders(provider, standin):
    known = standin.act("stranger", email="ada@example.com")["customer"]
    made = await provider.customer(NewCustomer(holder_id=HOLDER, email="ada@example.com", key="k"))
    assert (made.external_id, made.holder_id) == (known, HOLDER)


async def test_an_address_of_another_holder_is_not_taken_over(provider, standin):
    standin.act("stranger", email="ada@example.com", external_id="somebody else")
    with pytest.raises(ChangeRefused):
        await provider.customer(NewCustomer(holder_id=HOLDER, email="ada@example.com", key="k"))


async def test_a_checkout_becomes_a_subscription_of_its_holder(provider, standin):
    done = await bought(provider, standin)
    found = await provider.read("subscription", done["subscription"])
    assert [type(one) for one in found] == [ProductSnapshot, PriceSnapshot, CustomerSnapshot, SubscriptionSnapshot]
    price, one = found[1], found[-1]
    assert (price.external_id, price.lookup, price.amount, price.interval) == (PRO, "pro_monthly", 2000, "month")
    assert (one.status, one.price, one.holder_id, one.customer) == ("active", PRO, HOLDER, found[2].external_id)
    assert (one.period_start, one.period_end) == (NOW, NOW + timedelta(days=30))
    paid = the(PaymentSnapshot, await provider.read("payment", done["order"]))
    assert (paid.status, paid.amount, paid.reason, paid.price) == ("paid", 2000, "initial", PRO)
    assert paid.subscription == done["subscription"]


async def test_one_wish_opens_one_page_and_two_open_two(provider, clock):
    wanted = await checkout(provider)
    page = await provider.page(wanted)
    assert await provider.page(wanted) == page
    other = await checkout(provider)
    assert await provider.page(other) != page
    clock.move(minutes=11)
    assert await provider.page(wanted) != page


async def test_a_trial_is_what_we_say_and_not_what_the_product_offers(provider, standin):
    done = await bought(provider, standin, trial_days=14)
    one = await subscription(provider, done["subscription"])
    assert (one.status, one.trial_ends_at) == ("trialing", NOW + timedelta(days=14))
    paid = the(PaymentSnapshot, await provider.read("payment", done["order"]))
    assert (paid.status, paid.amount) == ("paid", 0)


async def test_a_coupon_is_found_by_its_code(provider, standin):
    assert await bought(provider, standin, coupon="save10")
    with pytest.raises(ChangeRefused):
        await provider.page(await checkout(provider, holder=uuid4(), coupon="NONE"))


async def test_what_is_not_sold_cannot_be_bought(provider, standin):
    with pytest.raises(PlanNotForSale):
        await provider.page(await checkout(provider, price=str(uuid4())))
    standin.act("archive", product=polar_id("pro_monthly"))
    with pytest.raises(ChangeRefused):
        await provider.page(await checkout(provider))


async def test_the_portal_is_a_session_of_the_customer(provider):
    made = await provider.customer(NewCustomer(holder_id=HOLDER, email="ada@example.com", key="k"))
    page = PortalPage(customer=made.external_id, return_url="http://127.0.0.1/billing")
    assert made.external_id in await provider.page(page)
    with pytest.raises(CustomerUnknown):
        await provider.page(PortalPage(customer=str(uuid4()), return_url="http://127.0.0.1/"))


@pytest.mark.parametrize(("proration", "price"), [("prorate", TEAM), ("invoice", TEAM), ("none", PRO)])
async def test_another_plan_now_or_without_proration_with_the_next_period(provider, standin, proration, price):
    done = await bought(provider, standin)
    changed = the(SubscriptionSnapshot, await provider.change(done["subscription"], PlanChange(TEAM, proration)))
    assert changed.price == price
    assert changed == await subscription(provider, done["subscription"])


async def test_cancel_and_resume(provider, standin):
    known = (await bought(provider, standin))["subscription"]
    cancelled = the(SubscriptionSnapshot, await provider.change(known, Cancel()))
    assert (cancelled.status, cancelled.cancel_at) == ("active", NOW + timedelta(days=30))
    resumed = the(SubscriptionSnapshot, await provider.change(known, Resume()))
    assert (resumed.status, resumed.cancel_at) == ("active", None)
    assert (await provider.change(known, Resume()))[-1] == resumed
    ended = the(SubscriptionSnapshot, await provider.change(known, Cancel(at_once=True)))
    assert (ended.status, ended.ended_at) == ("canceled", NOW)
    with pytest.raises(ChangeRefused):
        await provider.change(known, Cancel())


async def test_a_pause_begins_with_the_period_and_is_taken_back(provider, standin):
    known = (await bought(provider, standin))["subscription"]
    until = NOW + timedelta(days=60)
    paused = the(SubscriptionSnapshot, await provider.change(known, Pause(until)))
    assert (paused.status, paused.resumes_at) == ("active", until)
    standin.act("end", subscription=known)
    assert (await subscription(provider, known)).status == "paused"
    assert the(SubscriptionSnapshot, await provider.change(known, Resume())).status == "active"
    await provider.change(known, Pause())
    assert (await provider.change(known, Resume()))[-1].resumes_at is None


@pytest.mark.parametrize("change", [Cancel(), Resume(), Pause(), PlanChange(TEAM, "prorate")])
@pytest.mark.parametrize("known", [str(UUID(int=7)), "../customers", ""])
async def test_what_is_not_there_cannot_be_changed(provider, change, known):
    with pytest.raises(SubscriptionNotFound):
        await provider.change(known, change)


async def test_another_price_that_no_product_has_is_not_for_sale(provider, standin):
    known = (await bought(provider, standin))["subscription"]
    with pytest.raises(PlanNotForSale):
        await provider.change(known, PlanChange(str(uuid4()), "prorate"))


async def test_a_failed_payment_and_its_recovery(provider, standin):
    known = (await bought(provider, standin))["subscription"]
    standin.act("fail", subscription=known)
    late = await subscription(provider, known)
    assert (late.status, late.past_due_since) == ("past_due", NOW)
    standin.act("recover", subscription=known)
    assert (await subscription(provider, known)).past_due_since is None


async def test_refunds_stay_one_payment(provider, standin):
    order = (await bought(provider, standin))["order"]
    for amount, status, refunded in [(500, "partially_refunded", 500), (1500, "refunded", 2000)]:
        standin.act("refund", order=order, amount=amount)
        paid = the(PaymentSnapshot, await provider.read("payment", order))
        assert (paid.external_id, paid.status, paid.refunded) == (order, status, refunded)


async def test_everything_is_listed_over_several_pages(clock):
    prices = {f"plan{number}_monthly": number for number in range(230)}
    with start_polar(prices=prices, now=clock.now) as standin:
        provider = PolarProvider(Credentials(base_url=standin.url, key=POLAR_KEY), clock)
        pages = [page async for page in provider.listed("product")]
        await provider.aclose()
    assert len(pages) == 3
    found = [one for page in pages for one in page if isinstance(one, PriceSnapshot)]
    assert {one.lookup for one in found} == set(prices)


async def test_what_is_listed_is_what_is_read(provider, standin):
    for _ in range(2):
        await bought(provider, standin, holder=uuid4())
    for kind in ("subscription", "payment", "customer", "product"):
        listed = [one async for page in provider.listed(kind) for one in page]
        main = {"subscription": SubscriptionSnapshot, "payment": PaymentSnapshot, "customer": CustomerSnapshot}
        own = [one for one in listed if isinstance(one, main.get(kind, ProductSnapshot))]
        assert len(own) == 2
        for one in own:
            assert one in await provider.read(kind, one.external_id)


async def test_a_price_is_read_with_its_product(provider):
    product, price = await provider.read("price", PRO)
    assert (product.external_id, price.external_id) == (polar_id("pro_monthly"), PRO)
    assert await provider.read("price", str(uuid4())) == []


@pytest.mark.parametrize("kind", ["subscription", "payment", "customer", "product"])
@pytest.mark.parametrize("known", [str(UUID(int=7)), "no id", "../../v1/customers/"])
async def test_what_is_not_there_is_read_as_nothing(provider, kind, known):
    assert await provider.read(kind, known) == []


async def test_what_could_not_be_delivered_is_told_once(provider, standin):
    done = await bought(provider, standin)
    names = [one.event for one in standin.events]
    for number in (names.index("subscription.active"), names.index("order.paid")):
        standin.act("miss", event=number)
    missed = [one async for one in provider.missed(NOW - timedelta(days=1))]
    assert [(one.event, one.object_kind, one.object_id) for one in missed] == [
        ("subscription.active", "subscription", done["subscription"]),
        ("order.paid", "payment", done["order"]),
    ]
    sent = standin.events[names.index("order.paid")]
    assert provider.hint(sent.body, sent.headers, now=NOW) == missed[1]


async def test_every_event_of_a_purchase_verifies_and_the_last_payload_says_what_is_read(provider, standin):
    known = (await bought(provider, standin))["subscription"]
    await provider.change(known, Cancel())
    events = standin.events
    hints = [provider.hint(one.body, one.headers, now=NOW) for one in events]
    assert len({one.dedupe_key for one in hints}) == len(events)
    told = [one for event in events for one in provider.told(event.body) if isinstance(one, SubscriptionSnapshot)]
    newest = max(told, key=lambda one: one.version)
    read = await subscription(provider, known)
    assert read.version is None
    assert (newest.status, newest.cancel_at, newest.price) == (read.status, read.cancel_at, read.price)
    again = standin.resent(0)
    assert provider.hint(again.body, again.headers, now=NOW) == hints[0]


async def test_events_arrive_in_disorder_as_the_stand_in_is_told(provider, standin):
    await bought(provider, standin)
    events = standin.events
    sent = disordered(events, Random(7), repeats=3, lost=2)
    assert len(sent) == len(events) + 1
    assert sent == disordered(events, Random(7), repeats=3, lost=2)
    assert {one.headers["webhook-id"] for one in sent} < {one.headers["webhook-id"] for one in events}


@pytest.mark.parametrize("mode", ["busy_429", "broken_500", "garbage", "refused_401"])
async def test_an_answer_that_is_none_is_the_provider_being_away(provider, standin, mode):
    known = (await bought(provider, standin))["subscription"]
    for kind in ("subscription", "payment", "customer", "product"):
        standin.fault(mode)
        with pytest.raises(ProviderAway):
            await provider.read(kind, known)
        standin.fault(mode)
        with pytest.raises(ProviderAway):
            _ = [one async for one in provider.listed(kind)]
    standin.fault(mode)
    with pytest.raises(ProviderAway):
        _ = [one async for one in provider.missed(NOW)]
    standin.fault(mode)
    with pytest.raises(ProviderAway):
        await provider.change(known, Resume())


async def test_without_a_key_polar_is_away(standin, clock):
    provider = PolarProvider(Credentials(base_url=standin.url), clock)
    with pytest.raises(ProviderAway):
        await provider.read("subscription", str(uuid4()))
    with pytest.raises(ProviderAway):
        await provider.customer(NewCustomer(holder_id=HOLDER, email="a@example.com", key="k"))
    with pytest.raises(ProviderAway):
        await provider.change(str(uuid4()), Cancel())
    assert standin.requests == 0
