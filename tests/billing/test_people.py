"""S-10 and T-14: a person with what was bought, in one statement each; as an operator and as the person."""

from contextlib import asynccontextmanager
from uuid import UUID

import pytest

from billing.conftest import paid_product, requests
from billing.truth import subscription_of
from tenantry import Billing, Keys, Stripe
from tenantry.billing import BillingProviders
from tenantry.billing.models import LIVE, STATUSES
from tenantry.billing.queries import people
from tenantry.kernel.context import Actor, Context, Origin

NOBODY = UUID(int=7)


@pytest.fixture
async def paid(start, clock, truth):
    product = paid_product(keys=Keys("acme", meter=requests), billing=Billing([Stripe()], several=True))
    return await start(product, clock=clock, ports={BillingProviders: BillingProviders({"fake": truth})})


@pytest.fixture
async def ada(paying):
    return await paying.kit.sign_in("ada")


@pytest.fixture
async def me(ada):
    return (await ada.get("/v1/me")).json()


@pytest.fixture(params=["operator", "person"])
def reading(request, paying, me):
    """A unit in which one statement may be run, on the service login and as the person."""

    @asynccontextmanager
    async def open_one():
        whoever = Context(paying.kit.runtime, Actor("user", user_id=UUID(me["id"])), Origin())
        unit = paying.kit.system.service if request.param == "operator" else whoever.unit
        async with unit(writes=False) as ctx:
            before = ctx.db.statements
            yield ctx.db
            assert ctx.db.statements - before == 1

    return open_one


async def bought(paying, ada, *statuses):
    """Bought one after the other, at two prices: the first two letters of the status name the subscription."""
    holder = await paying.holder_of(ada)
    prices = [paying.truth.sell("pro"), paying.truth.sell("business", amount=2900)]
    for number, status in enumerate(statuses):
        told = subscription_of(holder, prices[number % 2], external_id=f"sub_{number}", customer="cus_a", status=status)
        await paying.deliver(paying.truth.put(told))
        await paying.work()
    return holder


async def test_s_10_a_user_by_address_with_subscription_and_keys(paying, ada, me, reading):
    async with reading() as db:
        found = await people.by_email(db, me["email"].upper())
    assert (found.person.email, found.person.plan, found.subscription, found.keys) == (me["email"], "free", None, [])
    await bought(paying, ada, "active", "canceled", "expired")
    made = [(await ada.post("/v1/keys", json={"label": label})).json() for label in ("one", "two")]
    async with reading() as db:
        found = await people.by_email(db, me["email"])
    assert (found.person.user_id, found.person.plan) == (UUID(me["id"]), "pro")
    # The one that goes on is told, though later ones have ended.
    assert (found.subscription.external_id, found.subscription.status) == ("sub_0", "active")
    assert [one.label for one in found.keys] == ["two", "one"]
    assert {str(one.id) for one in found.keys} == {one["id"] for one in made}
    async with reading() as db:
        assert await people.by_email(db, "nobody@example.com") is None


async def test_s_10_of_subscriptions_that_ended_the_last_is_told(paying, ada, me, reading):
    await bought(paying, ada, "canceled", "expired")
    async with reading() as db:
        assert (await people.by_email(db, me["email"])).subscription.external_id == "sub_1"


async def test_t_14_a_user_with_the_active_and_trialing_subscriptions_and_their_products(paying, ada, me, reading):
    async with reading() as db:
        assert (await people.with_subscriptions(db, UUID(me["id"]))).held == []
    await bought(paying, ada, *STATUSES)
    async with reading() as db:
        found = await people.with_subscriptions(db, UUID(me["id"]))
    assert found.person.email == me["email"]
    told = [(one.subscription.status, one.price.external_id, one.price.product_name) for one in found.held]
    assert told == [("active", "price_pro", "Pro"), ("trialing", "price_business", "Business")]
    assert {"active", "trialing"} < set(LIVE)
    async with reading() as db:
        assert await people.with_subscriptions(db, NOBODY) is None


async def test_t_14_the_active_or_trialing_subscription_with_product_and_price(paying, ada, me, reading):
    async with reading() as db:
        assert await people.current(db, UUID(me["id"])) is None
    await bought(paying, ada, *STATUSES)
    async with reading() as db:
        found = await people.current(db, UUID(me["id"]))
    assert (found.subscription.status, found.price.product_name, found.price.amount_minor) == ("active", "Pro", 900)


async def test_nobody_sees_what_another_bought(paying, ada, me):
    await bought(paying, ada, "active")
    grace = (await (await paying.kit.sign_in("grace")).get("/v1/me")).json()
    other = Context(paying.kit.runtime, Actor("user", user_id=UUID(grace["id"])), Origin())
    async with other.unit(writes=False) as ctx:
        assert await people.by_email(ctx.db, me["email"]) is None
        assert await people.with_subscriptions(ctx.db, UUID(me["id"])) is None
        assert await people.current(ctx.db, UUID(me["id"])) is None
