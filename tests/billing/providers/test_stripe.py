"""What is asked of Stripe, against a stand-in over HTTP that Stripe's own SDK speaks to as well."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
import stripe

from tenantry.billing.errors import ChangeRefused, ProviderAway
from tenantry.billing.providers import (
    BillingProvider,
    Cancel,
    CheckoutPage,
    NewCustomer,
    Pause,
    PlanChange,
    PortalPage,
    Resume,
)
from tenantry.billing.providers.building import Credentials
from tenantry.billing.providers.stripe import StripeProvider
from tenantry.billing.providers.stripe_asking import Refused
from tenantry.billing.snapshots import (
    CustomerSnapshot,
    ExternalId,
    Hint,
    PaymentSnapshot,
    PriceSnapshot,
    ProductSnapshot,
    Snapshot,
    SubscriptionSnapshot,
)
from tenantry.kernel.clock import FrozenClock
from tenantry.testing.standins.stripe import STRIPE_KEY, STRIPE_WEBHOOK_SECRET, StripeStandIn, start_stripe

NOW = datetime(2026, 11, 18, 12, tzinfo=UTC)
HOLDER = uuid4()


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOW)


@pytest.fixture
def standin(clock: FrozenClock) -> Iterator[StripeStandIn]:
    with start_stripe(now=clock.now) as running:
        yield running


@pytest.fixture
async def provider(standin: StripeStandIn, clock: FrozenClock) -> AsyncIterator[StripeProvider]:
    made = StripeProvider(Credentials(standin.url, key=STRIPE_KEY, webhook_secrets=(STRIPE_WEBHOOK_SECRET,)), clock)
    yield made
    await made.aclose()


@pytest.fixture
def sold(standin: StripeStandIn) -> dict[str, ExternalId]:
    """A product with a small and a large monthly price, a yearly one, and one that is paid once."""
    account = standin.account
    product = account.product("Pro", metadata={"role": "pro"})["id"]
    found = {
        "product": product,
        "small": account.price(product, 900, lookup_key="pro_monthly")["id"],
        "large": account.price(product, 2900)["id"],
        "year": account.price(product, 9000, interval="year")["id"],
        "once": account.price(product, 500, interval=None)["id"],
    }
    return {name: ExternalId(one) for name, one in found.items()}


async def bought(provider: StripeProvider, standin: StripeStandIn, price: str, **changes: Any) -> Any:
    """A customer who went to the checkout page and paid."""
    customer = await provider.customer(NewCustomer(holder_id=HOLDER, email="ada@example.org", key="c-1"))
    url = await provider.page(checkout(customer.external_id, price, **changes))
    return standin.account.complete(urlsplit(url).path.rpartition("/")[2])


def checkout(customer: str, price: str, **changes: Any) -> CheckoutPage:
    values = {"success_url": "https://acme.test/ok", "cancel_url": "https://acme.test/no", "key": "k-1", **changes}
    return CheckoutPage(holder_id=HOLDER, customer=ExternalId(customer), price=ExternalId(price), **values)


def one(snapshots: list[Snapshot], kind: type) -> Any:
    (found,) = [snapshot for snapshot in snapshots if isinstance(snapshot, kind)]
    return found


async def everything(pages: AsyncIterator[Any]) -> list[Any]:
    return [found async for page in pages for found in page]


def test_it_is_a_provider(clock):
    provider: BillingProvider = StripeProvider(Credentials("https://api.stripe.com"), clock)
    assert provider.name == "stripe"


async def test_a_checkout_becomes_a_subscription_of_its_holder(provider, standin, sold):
    made = await bought(provider, standin, sold["small"], trial_days=14, quantity=3)
    snapshots = await provider.read("subscription", ExternalId(made["id"]))
    assert [type(found) for found in snapshots] == [
        ProductSnapshot,
        PriceSnapshot,
        CustomerSnapshot,
        SubscriptionSnapshot,
    ]
    subscription = one(snapshots, SubscriptionSnapshot)
    assert (subscription.status, subscription.quantity, subscription.holder_id) == ("trialing", 3, HOLDER)
    assert subscription.trial_ends_at == subscription.period_end == NOW + timedelta(days=14)
    assert (subscription.price, subscription.email) == (sold["small"], "ada@example.org")
    assert one(snapshots, PriceSnapshot).lookup == "pro_monthly"
    assert one(snapshots, ProductSnapshot).details == {"role": "pro"}
    assert one(snapshots, CustomerSnapshot).holder_id == HOLDER


async def test_a_checkout_of_a_price_that_is_paid_once_becomes_a_payment(provider, standin, sold):
    made = await bought(provider, standin, sold["once"], quantity=2)
    payment = one(await provider.read("payment", ExternalId(made["id"])), PaymentSnapshot)
    assert (payment.external_id, payment.intent) == (made["id"], made["id"])
    assert (payment.status, payment.reason, payment.amount, payment.currency) == ("paid", "once", 1000, "USD")
    assert (payment.price, payment.holder_id, payment.paid_at) == (sold["once"], HOLDER, NOW)


@pytest.mark.parametrize("shape", ["new", "old", "both"])
async def test_every_part_of_a_payment_leads_to_its_invoice(provider, standin, sold, shape):
    standin.account.shape = shape
    made = await bought(provider, standin, sold["small"])
    account = standin.account
    refund = account.refund(account.of("payment_intent")[0]["id"], 400)
    parts = [account.of(kind)[0]["id"] for kind in ("invoice", "invoice_payment", "payment_intent", "charge")]
    found = [await provider.read("payment", ExternalId(part)) for part in [*parts, refund["id"]]]
    assert all(snapshots == found[0] for snapshots in found)
    payment = one(found[0], PaymentSnapshot)
    assert (payment.external_id, payment.subscription, payment.price) == (parts[0], made["id"], sold["small"])
    assert (payment.status, payment.amount, payment.refunded) == ("partially_refunded", 900, 400)
    assert (payment.reason, payment.holder_id) == ("initial", HOLDER)
    account.refund(account.of("payment_intent")[0]["id"])
    payment = one(await provider.read("payment", ExternalId(parts[0])), PaymentSnapshot)
    assert (payment.external_id, payment.status, payment.refunded) == (parts[0], "refunded", 900)


@pytest.mark.parametrize("shape", ["old", "both"])
async def test_a_subscription_is_equal_in_every_shape(provider, standin, sold, shape):
    made = await bought(provider, standin, sold["small"])
    new = await provider.read("subscription", ExternalId(made["id"]))
    standin.account.shape = shape
    assert await provider.read("subscription", ExternalId(made["id"])) == new


async def test_a_renewal_that_is_declined_is_past_due(provider, standin, sold, clock):
    made = await bought(provider, standin, sold["small"])
    standin.account.declined.add(made["customer"])
    clock.move(timedelta(days=30))
    standin.account.renew(made["id"])
    subscription = one(await provider.read("subscription", ExternalId(made["id"])), SubscriptionSnapshot)
    # Stripe does not say since when.
    assert (subscription.status, subscription.past_due_since) == ("past_due", None)
    assert subscription.period_start == datetime(2026, 12, 18, 12, tzinfo=UTC)
    invoice = standin.account.of("invoice")[0]["id"]
    payment = one(await provider.read("payment", ExternalId(invoice)), PaymentSnapshot)
    assert (payment.status, payment.reason, payment.amount, payment.paid_at) == ("failed", "renewal", 900, None)
    standin.account.declined.clear()
    standin.account.settle(invoice)
    assert one(await provider.read("payment", ExternalId(invoice)), PaymentSnapshot).status == "paid"
    assert one(await provider.read("subscription", ExternalId(made["id"])), SubscriptionSnapshot).status == "active"


@pytest.mark.parametrize("kind", ["subscription", "payment", "customer", "product", "price"])
@pytest.mark.parametrize("name", ["in_none", "pi_none", "ch_none", "re_none", "inpay_none", "zz_none", "../customers?"])
async def test_what_is_not_there_is_nothing(provider, kind, name):
    assert await provider.read(kind, ExternalId(name)) == []


async def test_a_customer_is_made_once_for_a_wish(provider, standin):
    wanted = NewCustomer(holder_id=HOLDER, email="ada@example.org", name="Ada", key="c-1")
    first = await provider.customer(wanted)
    assert await provider.customer(wanted) == first
    assert (first.email, first.holder_id) == ("ada@example.org", HOLDER)
    moved = NewCustomer(holder_id=HOLDER, email="ada@example.net", key="c-1")
    assert (await provider.customer(moved)).external_id == first.external_id
    assert len(standin.account.of("customer")) == 1


async def test_the_same_wish_opens_one_page(provider, standin, sold):
    customer = standin.account.make("customer", "cus", email="a@example.org", name=None)["id"]
    urls = {await provider.page(checkout(customer, sold["small"])) for _ in range(3)}
    assert len(urls) == len(standin.account.of("checkout.session")) == 1
    assert await provider.page(checkout(customer, sold["small"], key="k-2")) not in urls
    session = standin.account.of("checkout.session")[0]
    assert session["client_reference_id"] == session["metadata"]["holder_id"] == str(HOLDER)


async def test_a_coupon_is_a_promotion_code_or_the_coupon_itself(provider, standin, sold):
    account = standin.account
    customer = account.make("customer", "cus", email="a@example.org", name=None)["id"]
    promotion = account.make("promotion_code", "promo", code="SPRING", active=True)
    coupon = account.make("coupon", "co")
    for number, code in enumerate(["SPRING", coupon["id"]]):
        assert await provider.page(checkout(customer, sold["small"], coupon=code, key=f"k-{number}"))
    assert promotion["code"] == "SPRING"
    with pytest.raises(ChangeRefused) as refused:
        await provider.page(checkout(customer, sold["small"], coupon="NONE", key="k-9"))
    assert "NONE" in (refused.value.detail or "")


async def test_the_portal_has_a_page(provider, standin):
    customer = standin.account.make("customer", "cus", email="a@example.org", name=None)["id"]
    url = await provider.page(PortalPage(customer=customer, return_url="https://acme.test/billing"))
    assert url.startswith(standin.url + "/portal/")
    with pytest.raises(ChangeRefused):
        await provider.page(PortalPage(customer=ExternalId("cus_none"), return_url="https://acme.test/billing"))


@pytest.mark.parametrize(("proration", "paid"), [("prorate", 900), ("none", 900), ("invoice", 2900)])
async def test_another_plan_at_once(provider, standin, sold, proration, paid):
    made = await bought(provider, standin, sold["small"], quantity=1)
    changed = one(
        await provider.change(ExternalId(made["id"]), PlanChange(sold["large"], proration)), SubscriptionSnapshot
    )
    assert (changed.price, changed.status, changed.quantity) == (sold["large"], "active", 1)
    assert sum(invoice["amount_paid"] for invoice in standin.account.of("invoice")) == paid


async def test_a_change_keeps_the_quantity(provider, standin, sold):
    made = await bought(provider, standin, sold["small"], quantity=5)
    changed = await provider.change(ExternalId(made["id"]), PlanChange(sold["year"], "none"))
    assert one(changed, SubscriptionSnapshot).quantity == 5
    assert one(changed, SubscriptionSnapshot).period_end == datetime(2027, 11, 18, 12, tzinfo=UTC)


async def test_409_a_change_that_the_card_does_not_pay_for(provider, standin, sold):
    made = await bought(provider, standin, sold["small"])
    standin.account.declined.add(made["customer"])
    with pytest.raises(ChangeRefused) as refused:
        await provider.change(ExternalId(made["id"]), PlanChange(sold["large"], "invoice"))
    assert refused.value.detail == "Your card was declined."
    subscription = one(await provider.read("subscription", ExternalId(made["id"])), SubscriptionSnapshot)
    assert subscription.price == sold["small"]


async def test_cancelled_for_the_end_of_the_period_and_taken_back(provider, standin, sold):
    made = await bought(provider, standin, sold["small"])
    name = ExternalId(made["id"])
    cancelled = one(await provider.change(name, Cancel()), SubscriptionSnapshot)
    assert (cancelled.status, cancelled.cancel_at) == ("active", cancelled.period_end)
    resumed = one(await provider.change(name, Resume()), SubscriptionSnapshot)
    assert (resumed.status, resumed.cancel_at) == ("active", None)
    # As the portal does it: a date, and nothing else.
    made["cancel_at"] = int((NOW + timedelta(days=3)).timestamp())
    before = one(await provider.read("subscription", name), SubscriptionSnapshot)
    assert before.cancel_at == NOW + timedelta(days=3)
    assert one(await provider.change(name, Resume()), SubscriptionSnapshot).cancel_at is None
    assert one(await provider.change(name, Resume()), SubscriptionSnapshot) == resumed


async def test_cancelled_at_once_stays_so(provider, standin, sold):
    made = await bought(provider, standin, sold["small"])
    name = ExternalId(made["id"])
    ended = one(await provider.change(name, Cancel(at_once=True)), SubscriptionSnapshot)
    assert (ended.status, ended.ended_at, ended.cancel_at) == ("canceled", NOW, None)
    for change in (Cancel(), Pause(), PlanChange(sold["large"], "none")):
        with pytest.raises(ChangeRefused):
            await provider.change(name, change)
    with pytest.raises(ChangeRefused):
        await provider.change(ExternalId("sub_none"), Cancel())


@pytest.mark.parametrize("until", [None, NOW + timedelta(days=10)])
async def test_paused_and_resumed(provider, standin, sold, until):
    made = await bought(provider, standin, sold["small"])
    paused = one(await provider.change(ExternalId(made["id"]), Pause(until)), SubscriptionSnapshot)
    assert (paused.status, paused.raw_status, paused.resumes_at) == ("paused", "active", until)
    resumed = one(await provider.change(ExternalId(made["id"]), Resume()), SubscriptionSnapshot)
    assert (resumed.status, resumed.resumes_at) == ("active", None)


async def test_one_that_stripe_paused_after_its_trial_is_resumed(provider, standin, sold):
    made = await bought(provider, standin, sold["small"])
    made["status"] = "paused"
    assert one(await provider.read("subscription", ExternalId(made["id"])), SubscriptionSnapshot).status == "paused"
    assert one(await provider.change(ExternalId(made["id"]), Resume()), SubscriptionSnapshot).status == "active"


@pytest.mark.parametrize(
    ("status", "error", "problem"),
    [
        (400, {"message": "No such coupon"}, ChangeRefused),
        (402, {"type": "card_error", "code": "card_declined", "message": "Your card was declined."}, ChangeRefused),
        (409, {"code": "idempotency_key_in_use", "message": "There is another request"}, ProviderAway),
        (401, {"message": "Invalid API Key provided: sk_***"}, ProviderAway),
        (403, {"message": "This key may not"}, ProviderAway),
        (404, {}, ProviderAway),
        (400, {"message": ["no text"], "code": 5}, ProviderAway),
    ],
)
def test_a_refusal_is_told_in_stripes_words_where_they_are_for_the_caller(status, error, problem):
    found = Refused(status, error).problem()
    assert isinstance(found, problem)
    assert found.detail == (error["message"] if problem is ChangeRefused else None)


@pytest.mark.parametrize("is_live", [True, False])
def test_an_event_says_whether_it_is_of_the_test_mode(clock, is_live):
    with start_stripe(now=clock.now, is_live=is_live) as standin:
        standin.account.product("Pro")
        (delivery,) = standin.deliveries()
    provider = StripeProvider(Credentials(standin.url, webhook_secrets=(STRIPE_WEBHOOK_SECRET,)), clock)
    assert provider.hint(delivery.body, delivery.headers, now=NOW).is_live is is_live


@pytest.mark.parametrize("kind", ["subscription", "customer", "product", "price"])
async def test_503_when_another_object_is_answered(provider, standin, kind):
    word = {"subscription": "sub", "customer": "cus", "product": "prod", "price": "price"}[kind]
    made = standin.account.make(
        kind, word, email=None, product="prod_1", currency="usd", items={"data": []}, customer=1
    )
    made["id"], standin.account.shape = "\n", "new"
    with pytest.raises(ProviderAway):
        await provider.read(kind, ExternalId(next(iter(standin.account.objects))))


async def test_everything_is_listed_page_by_page(provider, standin, sold):
    account = standin.account
    customers = [account.make("customer", "cus", email=f"{n}@example.org", name=None)["id"] for n in range(230)]
    made = {account.subscribe(customer, sold["small"])["id"] for customer in customers}
    ended = account.end(min(made))
    listed = await everything(provider.listed("subscription"))
    subscriptions = [found for found in listed if isinstance(found, SubscriptionSnapshot)]
    assert {found.external_id for found in subscriptions} == made
    assert len(subscriptions) == len(made)
    assert {found.external_id for found in subscriptions if found.status == "canceled"} == {ended["id"]}
    assert {found.external_id for found in await everything(provider.listed("customer"))} == set(customers)
    catalogue = await everything(provider.listed("product"))
    assert catalogue[0].external_id == sold["product"]
    assert {found.external_id for found in catalogue if isinstance(found, PriceSnapshot)} == set(sold.values()) - {
        sold["product"]
    }


async def test_listed_payments_are_those_that_are_read(provider, standin, sold):
    await bought(provider, standin, sold["small"])
    await bought(provider, standin, sold["once"], key="k-2")
    account = standin.account
    for intent in account.of("payment_intent"):
        account.refund(intent["id"], 100)
    listed = [found for found in await everything(provider.listed("payment")) if isinstance(found, PaymentSnapshot)]
    assert len(listed) == 2
    for found in listed:
        assert found.status == "partially_refunded"
        assert one(await provider.read("payment", found.external_id), PaymentSnapshot) == found


async def test_what_it_could_not_tell_is_missed_and_nothing_else(provider, standin, sold, clock):
    await bought(provider, standin, sold["small"])
    arrived = standin.deliveries(random=Random(3), lose=0.5)
    missed = [hint async for hint in provider.missed(NOW - timedelta(days=1))]
    assert missed
    assert len(missed) + len(arrived) == len(standin.account.events)
    assert not {hint.dedupe_key for hint in missed} & {one.event for one in arrived}
    assert all(isinstance(hint, Hint) for hint in missed)
    clock.move(timedelta(days=2))
    assert [hint async for hint in provider.missed(clock.now() - timedelta(days=1))] == []


@pytest.mark.parametrize("shape", ["new", "old", "both"])
async def test_what_it_sends_is_verified_by_us_and_by_its_sdk_and_leads_to_what_it_is(
    provider, standin, sold, clock, shape
):
    standin.account.shape = shape
    made = await bought(provider, standin, sold["small"])
    deliveries = standin.deliveries(random=Random(1), repeat=2)
    assert len({one.event for one in deliveries}) < len(deliveries)
    kinds = set()
    for delivery in deliveries:
        hint = provider.hint(delivery.body, delivery.headers, now=clock.now())
        header = delivery.headers["stripe-signature"]
        event = stripe.Webhook.construct_event(delivery.body, header, STRIPE_WEBHOOK_SECRET, tolerance=0)
        assert (hint.dedupe_key, hint.event, hint.is_live) == (event.id, event.type, False)
        assert hint.dedupe_key == delivery.event
        if hint.object_kind and hint.object_id:
            kinds.add(hint.object_kind)
            assert await provider.read(hint.object_kind, hint.object_id)
        provider.told(delivery.body)
    assert kinds == {"subscription", "payment", "customer", "product", "price"}
    told = [provider.told(one.body) for one in deliveries if b'"customer.subscription.created"' in one.body]
    read = one(await provider.read("subscription", ExternalId(made["id"])), SubscriptionSnapshot)
    found = one(told[0], SubscriptionSnapshot)
    assert (found.status, found.period_end, found.price, found.version) == ("active", read.period_end, read.price, NOW)


async def test_503_without_a_key_nothing_is_asked(standin, clock):
    provider = StripeProvider(Credentials(standin.url, webhook_secrets=("whsec_x",)), clock)
    with pytest.raises(ProviderAway):
        await provider.read("customer", ExternalId("cus_1"))
    with pytest.raises(ProviderAway):
        await provider.page(PortalPage(customer=ExternalId("cus_1"), return_url="https://acme.test"))
    assert standin.requests == 0


async def test_503_a_wrong_key_is_not_the_callers_business(standin, clock):
    provider = StripeProvider(Credentials(standin.url, key="sk_test_wrong"), clock)
    for asking in (
        provider.read("customer", ExternalId("cus_1")),
        provider.change(ExternalId("sub_1"), Cancel()),
    ):
        with pytest.raises(ProviderAway) as away:
            await asking
        assert away.value.detail is None
    await provider.aclose()


@pytest.mark.parametrize(
    ("mode", "details"),
    [
        ("500", {}),
        ("429", {"retry_after": "7"}),
        ("redirect", {}),
        ("drop", {}),
        ("lying", {"kind": "html"}),
        ("lying", {"kind": "deep"}),
        ("lying", {"kind": "shape"}),
    ],
)
async def test_503_when_it_is_busy_broken_or_lies(provider, standin, sold, mode, details):
    for asking in (
        lambda: provider.read("subscription", ExternalId("sub_1")),
        lambda: provider.read("payment", ExternalId("in_1")),
        lambda: everything(provider.listed("customer")),
        lambda: everything(provider.listed("payment")),
        lambda: provider.customer(NewCustomer(holder_id=HOLDER, email="a@example.org", key=str(uuid4()))),
        lambda: provider.page(PortalPage(customer=ExternalId("cus_1"), return_url="https://acme.test")),
        lambda: provider.change(ExternalId("sub_1"), Cancel()),
    ):
        standin.fault(mode, count=9, **details)
        with pytest.raises(ProviderAway) as away:
            await asking()
        standin.clear()
        if mode == "429":
            assert away.value.headers["Retry-After"] == "7"


async def test_the_sdk_that_stripe_makes_speaks_to_the_stand_in(standin, sold, clock):
    """A double that we wrote says little, unless others' hands work on it."""
    client = stripe.StripeClient(STRIPE_KEY, base_addresses={"api": standin.url}, max_network_retries=0)
    customer = client.v1.customers.create({"email": "ada@example.org", "metadata": {"holder_id": "x"}})
    items: Any = [{"price": sold["small"], "quantity": 2}]
    made = client.v1.subscriptions.create({"customer": customer.id, "items": items, "expand": ["customer"]})
    assert (made.status, made["customer"]["email"], made["items"]["data"][0]["quantity"]) == (
        "active",
        "ada@example.org",
        2,
    )
    ended = client.v1.subscriptions.cancel(made.id)
    assert ended.status == "canceled"
    assert [found.id for found in client.v1.customers.list({"limit": 1}).auto_paging_iter()] == [customer.id]
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.subscriptions.retrieve("sub_none")
    assert (refused.value.code, refused.value.http_status) == ("resource_missing", 404)
    with pytest.raises(stripe.InvalidRequestError, match="unknown parameter"):
        client.v1.customers.create({"colour": "red"})  # type: ignore[typeddict-unknown-key]


def test_the_sdk_is_asked_for_no_report_on_the_machine(standin, clock, tmp_path):
    """In a process of its own, with a home of its own: nothing is written there, and nothing sent but the question."""
    code = f"""
import asyncio
from tenantry.billing.providers.building import Credentials
from tenantry.billing.providers.stripe import StripeProvider
from tenantry.billing.providers.stripe_asking import Refused
from tenantry.kernel.clock import SystemClock
provider = StripeProvider(Credentials({standin.url!r}, key={STRIPE_KEY!r}), SystemClock())
import sys
assert "stripe" not in sys.modules
async def main():
    assert await provider.read("customer", "cus_none") == []
    await provider.aclose()
asyncio.run(main())
assert "stripe" in sys.modules
"""
    env = {**os.environ, "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config")}
    subprocess.run([sys.executable, "-c", code], check=True, env=env, timeout=60)
    assert list(tmp_path.iterdir()) == []
    assert standin.requests == 1


def test_events_are_json_that_others_read(standin, sold):
    assert all(json.loads(one.body)["object"] == "event" for one in standin.deliveries())
