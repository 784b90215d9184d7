"""P-18: what goes with a person, what the law makes one keep, and what they may take along before."""

from uuid import UUID

import msgspec
import pytest
from sqlalchemy import delete, func, select

from billing.history import payment
from billing.truth import subscription_of
from tenantry.billing.models import BillingFacts, Customers, Payments, Prices, Products, Subscriptions
from tenantry.billing.module import MODULE
from tenantry.holders import by_id
from tenantry.identity.models import Users
from tenantry.kernel.context import Actor, Context, Origin
from tenantry.kernel.database import param, statement

THEIRS = (Subscriptions, Customers, BillingFacts)
_counts = {
    table: statement(select(func.count()).select_from(table).where(table.holder_id == param("holder")))
    for table in (*THEIRS, Payments)
}
_erase = statement(delete(Users).where(Users.id == param("user")))
P = Payments
_kept = statement(
    select(
        P.external_id, P.holder_id, P.status, P.amount_minor, P.refunded_minor, P.currency, P.subscription_external_id
    ).where(P.external_id == param("payment")),
    lambda *row: row,
)  # fmt: skip
_sold = statement(select(Products.id).join(Prices, Prices.product_id == Products.id))


async def customer_of(paying, name):
    """Somebody who has bought: a subscription that ended, one that goes on, two payments; with what they are here."""
    browser = await paying.kit.sign_in(name)
    holder, price = await paying.holder_of(browser), paying.truth.sell("pro")
    told = subscription_of(holder, price, external_id=f"sub_{name}", customer=f"cus_{name}")
    over = {"status": "canceled", "raw_status": "over", "external_id": f"sub_{name}_old"}
    bought = [msgspec.structs.replace(told, **over), told, payment(name, 1), payment(name, 2)]
    for one in bought:
        await paying.deliver(paying.truth.put(one))
        await paying.work()
    me = (await browser.get("/v1/me")).json()
    assert me["plan"]["name"] == "pro"
    return UUID(me["id"]), holder


async def counts(paying, holder):
    async with paying.kit.system.service(writes=False) as ctx:
        return {table.__tablename__: await ctx.db.one(one, holder=holder) for table, one in _counts.items()}


@pytest.fixture
async def ada(paying):
    return await customer_of(paying, "ada")


@pytest.fixture
async def grace(paying):
    return await customer_of(paying, "grace")


async def erase(paying, user):
    async with paying.kit.system.service() as ctx:
        assert await ctx.db.run(_erase, user=user) == 1


async def test_p_18_subscriptions_and_customers_go_with_the_person_and_payments_stay_without(paying, ada, grace):
    (user, holder), (_, other) = ada, grace
    before, others = await counts(paying, holder), await counts(paying, other)
    assert {name: count > 0 for name, count in before.items()} == dict.fromkeys(before, True)
    assert (before["subscriptions"], before["customers"], before["payments"]) == (2, 1, 2)
    await erase(paying, user)
    assert await counts(paying, holder) == dict.fromkeys(before, 0)
    assert await counts(paying, other) == others
    async with paying.kit.system.service(writes=False) as ctx:
        for number in (1, 2):
            name = f"in_ada_{number}"
            assert await ctx.db.rows(_kept, payment=name) == [(name, None, "paid", 900, 0, "USD", "sub_ada")]
        # What is sold is nobody's.
        assert len(await ctx.db.rows(_sold)) == 1


async def test_a_refund_after_the_person_has_gone_moves_the_payment_and_brings_nobody_back(paying, ada):
    user, holder = ada
    await erase(paying, user)
    refunded = msgspec.structs.replace(payment("ada", 1), refunded=400, status="partially_refunded", holder_id=holder)
    await paying.deliver(paying.truth.put(refunded))
    await paying.work()
    async with paying.kit.system.service(writes=False) as ctx:
        assert await ctx.db.rows(_kept, payment="in_ada_1") == [
            ("in_ada_1", None, "partially_refunded", 900, 400, "USD", "sub_ada")
        ]
    assert set((await counts(paying, holder)).values()) == {0}


@pytest.mark.parametrize("login", ["service", "unit"])
async def test_what_a_person_takes_along_has_what_was_bought_and_nothing_of_others(paying, ada, grace, login):
    found = {}
    for name, (user, holder) in {"ada": ada, "grace": grace}.items():
        person = Context(paying.kit.runtime, Actor("user", user_id=user), Origin())
        async with getattr(person, login)(writes=False) as ctx:
            own = await by_id(ctx.db, holder)
            assert own is not None
            as_person = msgspec.structs.replace(ctx, current_holder=own)
            found[name] = {part.name: await part.collect(as_person) for part in MODULE.exports}
    for name, parts in found.items():
        assert parts.keys() == {"subscriptions", "payments", "customers"}
        assert {one.subscription.external_id for one in parts["subscriptions"]} == {f"sub_{name}", f"sub_{name}_old"}
        assert {one.price.amount_minor for one in parts["subscriptions"]} == {900}
        assert {one.external_id for one in parts["payments"]} == {f"in_{name}_1", f"in_{name}_2"}
        assert [one.external_id for one in parts["customers"]] == [f"cus_{name}"]
        # As a file has it.
        assert f"sub_{name}".encode() in msgspec.json.encode(parts)
