"""Asking Lemon Squeezy: a stand-in of its API over real HTTP."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from tenantry.billing.errors import (
    ChangeRefused,
    CustomerUnknown,
    PlanNotForSale,
    ProviderAway,
    ProviderUnconfigured,
    SubscriptionNotFound,
)
from tenantry.billing.providers import Cancel, CheckoutPage, NewCustomer, Pause, PlanChange, PortalPage, Resume
from tenantry.billing.providers.building import Credentials
from tenantry.billing.providers.lemonsqueezy import LemonSqueezyProvider
from tenantry.billing.snapshots import (
    CustomerSnapshot,
    PaymentSnapshot,
    PriceSnapshot,
    ProductSnapshot,
    Snapshot,
    SubscriptionSnapshot,
)
from tenantry.kernel.clock import FrozenClock
from tenantry.testing.standins.deliveries import SellerStandIn
from tenantry.testing.standins.lemonsqueezy import (
    LEMONSQUEEZY_KEY,
    LEMONSQUEEZY_SECRET,
    STORE,
    start_lemonsqueezy,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MONTH = NOW + timedelta(days=30)
HOLDER = UUID("019577a0-0000-7000-8000-000000000001")
CREDENTIALS = {"key": LEMONSQUEEZY_KEY, "webhook_secrets": (LEMONSQUEEZY_SECRET,), "store": STORE}


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOW)


@pytest.fixture
def standin(clock: FrozenClock) -> Iterator[SellerStandIn]:
    with start_lemonsqueezy(now=clock.now) as running:
        yield running


@pytest.fixture
async def provider(standin: SellerStandIn, clock: FrozenClock) -> AsyncIterator[LemonSqueezyProvider]:
    made = LemonSqueezyProvider(Credentials(base_url=standin.url, **CREDENTIALS), clock)
    yield made
    await made.aclose()


@pytest.fixture
async def variants(provider: LemonSqueezyProvider) -> dict[str, str]:
    pages = [page async for page in provider.listed("product")]
    return {one.lookup: one.external_id for page in pages for one in page if isinstance(one, PriceSnapshot)}


async def checkout(provider: LemonSqueezyProvider, price: str, **changes: object) -> CheckoutPage:
    customer = await provider.customer(NewCustomer(holder_id=HOLDER, email="ada@example.com", key="c"))
    wanted = {
        "holder_id": HOLDER,
        "customer": customer.external_id,
        "price": price,
        "success_url": "http://127.0.0.1/done",
        "cancel_url": "http://127.0.0.1/back",
        "key": str(uuid4()),
    }
    return CheckoutPage(**{**wanted, **changes})


async def bought(
    provider: LemonSqueezyProvider, standin: SellerStandIn, price: str, **changes: object
) -> dict[str, str]:
    page = await provider.page(await checkout(provider, price, **changes))
    return standin.act("pay", checkout=page.rpartition("/")[2])


def the(kind: type, snapshots: list[Snapshot]) -> Snapshot:
    (found,) = [one for one in snapshots if isinstance(one, kind)]
    return found


def told(provider: LemonSqueezyProvider, standin: SellerStandIn, event: str) -> Snapshot:
    (found,) = [one for each in standin.events if each.event == event for one in provider.told(each.body)]
    return found


async def test_a_customer_is_made_once_an_address(provider):
    wanted = NewCustomer(holder_id=HOLDER, email="ada@example.com", name="Ada", key="k")
    made = await provider.customer(wanted)
    assert made.email == "ada@example.com"
    assert await provider.customer(wanted) == made
    assert await provider.read("customer", made.external_id) == [made]


async def test_a_checkout_becomes_a_subscription(provider, standin, variants):
    done = await bought(provider, standin, variants["pro-monthly"])
    found = await provider.read("subscription", done["subscription"])
    assert [type(one) for one in found] == [ProductSnapshot, PriceSnapshot, CustomerSnapshot, SubscriptionSnapshot]
    price, customer, one = found[1:]
    assert (price.lookup, price.amount, price.currency, price.interval) == ("pro-monthly", 2000, "USD", "month")
    assert price.is_active
    assert (one.status, one.price, one.period_end) == ("active", price.external_id, MONTH)
    assert (one.customer, customer.email) == (customer.external_id, "ada@example.com")


async def test_only_events_say_for_whom_it_is(provider, standin, variants):
    done = await bought(provider, standin, variants["pro-monthly"])
    assert told(provider, standin, "subscription_created").holder_id == HOLDER
    read = the(SubscriptionSnapshot, await provider.read("subscription", done["subscription"]))
    assert (read.holder_id, read.version) == (None, None)


async def test_a_subscriptions_order_and_first_invoice_are_one_payment(provider, standin, variants):
    done = await bought(provider, standin, variants["pro-monthly"])
    by_order = the(PaymentSnapshot, await provider.read("payment", f"ord_{done['order']}"))
    by_invoice = the(PaymentSnapshot, await provider.read("payment", f"inv_{done['invoice']}"))
    assert by_order == by_invoice
    assert (by_invoice.external_id, by_invoice.intent) == (f"inv_{done['invoice']}", f"ord_{done['order']}")
    assert (by_invoice.amount, by_invoice.reason, by_invoice.price) == (2000, "initial", variants["pro-monthly"])
    assert told(provider, standin, "order_created").external_id is None
    assert told(provider, standin, "subscription_payment_success").external_id == f"inv_{done['invoice']}"
    assert [one async for page in provider.listed("payment") for one in page] == [by_invoice]


async def test_an_order_whose_subscription_is_still_to_come_is_no_payment(provider, standin, variants):
    done = await bought(provider, standin, variants["pro-monthly"], trial_days=14)
    found = await provider.read("payment", f"ord_{done['order']}")
    assert not [one for one in found if isinstance(one, PaymentSnapshot)]
    assert [one async for page in provider.listed("payment") for one in page] == []


async def test_an_order_of_what_is_paid_once_is_a_payment_of_its_own(provider, standin, variants):
    done = await bought(provider, standin, variants["credits-once"])
    paid = the(PaymentSnapshot, await provider.read("payment", f"ord_{done['order']}"))
    assert (paid.external_id, paid.amount, paid.reason) == (f"ord_{done['order']}", 900, "once")
    assert (paid.price, paid.number) == (variants["credits-once"], "1")
    assert [one async for page in provider.listed("payment") for one in page] == [paid]


async def test_refunds_of_the_order_and_of_its_invoice_stay_one_payment(provider, standin, variants):
    done = await bought(provider, standin, variants["pro-monthly"])
    for amount, status, refunded in [(500, "partially_refunded", 500), (1500, "refunded", 2000)]:
        standin.act("refund", order=done["order"], amount=amount)
        known = {provider.hint(one.body, one.headers, now=NOW).object_id for one in standin.events[-2:]}
        assert known == {f"inv_{done['invoice']}", f"ord_{done['order']}"}
        found = [the(PaymentSnapshot, await provider.read("payment", one)) for one in known]
        assert {(one.external_id, one.status, one.refunded) for one in found} == {
            (f"inv_{done['invoice']}", status, refunded)
        }


async def test_renewals_are_payments_by_their_invoice(provider, standin, variants):
    done = await bought(provider, standin, variants["pro-monthly"])
    invoice = standin.act("renew", subscription=done["subscription"])["invoice"]
    paid = the(PaymentSnapshot, await provider.read("payment", f"inv_{invoice}"))
    assert (paid.reason, paid.intent, paid.subscription) == ("renewal", None, done["subscription"])


async def test_one_wish_opens_one_page_and_two_open_two(provider, variants):
    wanted = await checkout(provider, variants["pro-monthly"])
    page = await provider.page(wanted)
    assert await provider.page(wanted) == page
    assert await provider.page(await checkout(provider, variants["pro-monthly"])) != page


async def test_a_trial_is_the_variants_or_none(provider, standin, variants):
    done = await bought(provider, standin, variants["pro-monthly"], trial_days=30)
    one = the(SubscriptionSnapshot, await provider.read("subscription", done["subscription"]))
    assert (one.status, one.trial_ends_at) == ("trialing", NOW + timedelta(days=14))


async def test_a_coupon_goes_through(provider, variants):
    assert await provider.page(await checkout(provider, variants["pro-monthly"], coupon="SAVE10"))
    with pytest.raises(ChangeRefused):
        await provider.page(await checkout(provider, variants["pro-monthly"], coupon="NONE"))


async def test_what_is_not_sold_cannot_be_bought(provider):
    with pytest.raises(PlanNotForSale):
        await provider.page(await checkout(provider, "pro-monthly"))
    with pytest.raises(ChangeRefused):
        await provider.page(await checkout(provider, "1"))


async def test_the_portal_is_there_once_something_was_bought(provider, standin, variants):
    made = await provider.customer(NewCustomer(holder_id=HOLDER, email="ada@example.com", key="k"))
    portal = PortalPage(customer=made.external_id, return_url="http://127.0.0.1/billing")
    with pytest.raises(CustomerUnknown):
        await provider.page(portal)
    await bought(provider, standin, variants["pro-monthly"])
    assert await provider.page(portal) == f"{standin.url}/billing?user={made.external_id}&signature=x"
    with pytest.raises(CustomerUnknown):
        await provider.page(PortalPage(customer="1", return_url="http://127.0.0.1/"))


@pytest.mark.parametrize("proration", ["prorate", "invoice", "none"])
async def test_another_plan(provider, standin, variants, proration):
    known = (await bought(provider, standin, variants["pro-monthly"]))["subscription"]
    (changed,) = await provider.change(known, PlanChange(variants["team-monthly"], proration))
    assert changed.price == variants["team-monthly"]
    assert changed in await provider.read("subscription", known)
    with pytest.raises(ChangeRefused):
        await provider.change(known, PlanChange("1", proration))
    with pytest.raises(PlanNotForSale):
        await provider.change(known, PlanChange("team-monthly", proration))


@pytest.mark.parametrize("at_once", [False, True])
async def test_cancelled_with_its_period_and_resumed(provider, standin, variants, at_once):
    known = (await bought(provider, standin, variants["pro-monthly"]))["subscription"]
    (cancelled,) = await provider.change(known, Cancel(at_once=at_once))
    assert (cancelled.status, cancelled.raw_status, cancelled.cancel_at) == ("active", "cancelled", MONTH)
    (resumed,) = await provider.change(known, Resume())
    assert (resumed.status, resumed.cancel_at) == ("active", None)
    assert (await provider.change(known, Resume()))[-1] == resumed
    await provider.change(known, Cancel())
    standin.act("end", subscription=known)
    ended = (await provider.read("subscription", known))[-1]
    assert (ended.status, ended.ended_at) == ("expired", MONTH)
    with pytest.raises(ChangeRefused):
        await provider.change(known, Cancel())


async def test_a_pause_gives_nothing_and_is_taken_back(provider, standin, variants):
    known = (await bought(provider, standin, variants["pro-monthly"]))["subscription"]
    (paused,) = await provider.change(known, Pause(MONTH))
    assert (paused.status, paused.resumes_at) == ("paused", MONTH)
    (resumed,) = await provider.change(known, Resume())
    assert (resumed.status, resumed.resumes_at) == ("active", None)


@pytest.mark.parametrize("change", [Cancel(), Resume(), Pause(), PlanChange("1002", "prorate")])
@pytest.mark.parametrize("known", ["1", "../customers", ""])
async def test_what_is_not_there_cannot_be_changed(provider, change, known):
    with pytest.raises(SubscriptionNotFound):
        await provider.change(known, change)


async def test_a_price_is_what_its_variant_costs_now(provider, standin, variants):
    standin.act("reprice", variant=variants["pro-monthly"], cents=2500)
    product, price = await provider.read("price", variants["pro-monthly"])
    assert (price.amount, price.product) == (2500, product.external_id)
    assert await provider.read("product", product.external_id) == [product, price]
    listed = [one async for page in provider.listed("product") for one in page]
    assert price in listed


async def test_everything_is_listed_over_several_pages(clock):
    prices = {f"plan{number}-monthly": number for number in range(230)}
    with start_lemonsqueezy(prices=prices, now=clock.now) as standin:
        provider = LemonSqueezyProvider(Credentials(base_url=standin.url, **CREDENTIALS), clock)
        found = [one async for page in provider.listed("product") for one in page]
        await provider.aclose()
        assert standin.asked == {"/v1/prices": 3, "/v1/products": 3, f"/v1/stores/{STORE}": 1}
    assert {one.lookup: one.amount for one in found if isinstance(one, PriceSnapshot)} == prices


async def test_what_is_listed_is_what_is_read(provider, standin, variants):
    for slug in ("pro-monthly", "team-monthly"):
        await bought(provider, standin, variants[slug])
    for kind in ("subscription", "payment", "customer", "product"):
        listed = [one async for page in provider.listed(kind) for one in page]
        assert listed
        for one in listed:
            if not isinstance(one, PriceSnapshot):
                assert one in await provider.read(kind, one.external_id)


async def test_what_is_of_another_store_is_not_there(provider, standin, variants, clock):
    done = await bought(provider, standin, variants["pro-monthly"])
    other = LemonSqueezyProvider(Credentials(base_url=standin.url, **{**CREDENTIALS, "store": "7"}), clock)
    assert await other.read("subscription", done["subscription"]) == []
    assert [one async for page in other.listed("subscription") for one in page] == []
    await other.aclose()


@pytest.mark.parametrize("kind", ["subscription", "payment", "customer", "product", "price"])
@pytest.mark.parametrize("known", ["1", "inv_1", "ord_1", "ord_", "inv_../1", "no id", "../../v1/customers"])
async def test_what_is_not_there_is_read_as_nothing(provider, kind, known):
    assert await provider.read(kind, known) == []


async def test_nothing_is_kept_of_what_was_missed(provider):
    assert [one async for one in provider.missed(NOW)] == []


async def test_an_event_that_is_sent_again_is_the_same(provider, standin, variants):
    done = await bought(provider, standin, variants["pro-monthly"])
    standin.act("touch", subscription=done["subscription"], quantity=4)
    events = standin.events
    hints = [provider.hint(one.body, one.headers, now=NOW) for one in events]
    assert len({one.dedupe_key for one in hints}) == len(events)
    for number, first in enumerate(hints):
        again = standin.resent(number)
        assert again.body != events[number].body
        assert provider.hint(again.body, again.headers, now=NOW) == first


async def test_a_change_of_the_item_alone_has_a_later_version(provider, standin, variants, clock):
    done = await bought(provider, standin, variants["pro-monthly"])
    before = told(provider, standin, "subscription_created")
    clock.move(seconds=31)
    standin.act("touch", subscription=done["subscription"], quantity=4)
    after = told(provider, standin, "subscription_updated")
    assert (after.version - before.version, after.quantity) == (timedelta(seconds=31), 4)


@pytest.mark.parametrize("mode", ["busy_429", "broken_500", "garbage", "refused_401"])
async def test_an_answer_that_is_none_is_the_provider_being_away(provider, standin, variants, mode):
    known = (await bought(provider, standin, variants["pro-monthly"]))["subscription"]
    for kind in ("subscription", "payment", "customer", "product", "price"):
        standin.fault(mode)
        with pytest.raises(ProviderAway):
            await provider.read(kind, f"inv_{known}" if kind == "payment" else known)
        standin.fault(mode)
        with pytest.raises(ProviderAway):
            _ = [one async for one in provider.listed(kind)]
    for change in (Cancel(), Resume(), Pause()):
        standin.fault(mode)
        with pytest.raises(ProviderAway):
            await provider.change(known, change)


async def test_without_a_key_lemon_squeezy_is_away_and_without_a_store_nothing_can_be_bought(standin, clock):
    provider = LemonSqueezyProvider(Credentials(base_url=standin.url, store=STORE), clock)
    with pytest.raises(ProviderAway):
        await provider.read("subscription", "1")
    with pytest.raises(ProviderAway):
        await provider.change("1", Cancel())
    with pytest.raises(ProviderAway):
        await provider.customer(NewCustomer(holder_id=HOLDER, email="a@example.com", key="k"))
    storeless = LemonSqueezyProvider(Credentials(base_url=standin.url, key=LEMONSQUEEZY_KEY), clock)
    with pytest.raises(ProviderUnconfigured):
        await storeless.customer(NewCustomer(holder_id=HOLDER, email="a@example.com", key="k"))
    assert standin.requests == 0
