"""T-04: products, prices, customers, several subscriptions and payments, each once, and the product on the user."""

from datetime import timedelta

import msgspec
import pytest
from sqlalchemy import insert, select

from billing.conftest import paid_product
from billing.history import payment
from billing.truth import Truth, subscription_of
from tenantry import Billing, Stripe
from tenantry.billing import BillingProviders
from tenantry.billing.models import Customers, Payments, Prices, Products, Subscriptions
from tenantry.billing.queries import reading
from tenantry.kernel import new_id
from tenantry.kernel.database import statement
from tenantry.kernel.database.failures import UniqueViolation
from tenantry.testing.kit import START

TABLES = (Products, Prices, Customers, Subscriptions, Payments)
_keys = {table: statement(select(table.external_id).order_by(table.external_id)) for table in TABLES}


@pytest.fixture
def truth(clock):
    return Truth(clock.now, name="stripe")


@pytest.fixture
async def paid(start, clock, truth):
    product = paid_product(billing=Billing([Stripe()], several=True))
    return await start(product, clock=clock, ports={BillingProviders: BillingProviders({"stripe": truth})})


@pytest.fixture
async def ada(paying):
    return await paying.kit.sign_in("ada")


async def tell(paying, *events):
    await paying.deliver(*events)
    await paying.work()


async def product_of(ada):
    return (await ada.get("/v1/me")).json()["stripe_product_id"]


async def test_t_04_the_product_of_the_subscription_is_shown_on_the_user(paying, ada):
    holder = await paying.holder_of(ada)
    assert await product_of(ada) is None
    pro, business = paying.truth.sell("pro"), paying.truth.sell("business")
    low, high = subscription_of(holder, pro), subscription_of(holder, business, external_id="sub_2")
    await tell(paying, paying.truth.put(low))
    assert await product_of(ada) == "prod_pro"
    # Several go on at once; the newest is shown, and the other when it has ended.
    await tell(paying, paying.truth.put(high))
    assert await product_of(ada) == "prod_business"
    account = (await ada.get("/v1/subscriptions")).json()["items"]
    assert [(one["status"], one["items"][0]["product"]) for one in account] == [
        ("active", "Business"), ("active", "Pro")
    ]  # fmt: skip
    for status, shown in [("past_due", "prod_business"), ("paused", "prod_pro"), ("canceled", "prod_pro")]:
        await tell(paying, paying.truth.put(msgspec.structs.replace(high, status=status, raw_status=status)))
        assert await product_of(ada) == shown
    grace = await paying.kit.sign_in("grace")
    assert await product_of(grace) is None


async def test_t_04_whatever_is_told_how_often_each_object_is_one_row(paying, ada):
    holder = await paying.holder_of(ada)
    pro, business = paying.truth.sell("pro"), paying.truth.sell("business")
    told = [
        subscription_of(holder, pro, external_id="sub_x", customer="cus_x"),
        subscription_of(holder, business, external_id="sub_y", customer="cus_x"),
        payment("x", 1),
        payment("x", 2),
    ]
    for _ in range(3):
        await tell(paying, *map(paying.truth.put, told))
    async with paying.kit.system.service(writes=False) as ctx:
        found = {table: await ctx.db.rows(_keys[table]) for table in TABLES}
        paid = await reading.payments(ctx.db, holder, limit=10)
    assert found == {
        Products: ["prod_business", "prod_pro"],
        Prices: [business, pro],
        Customers: ["cus_x"],
        Subscriptions: ["sub_x", "sub_y"],
        Payments: ["in_x_1", "in_x_2"],
    }
    assert [(one.external_id, one.status, one.amount_minor) for one in paid] == [
        ("in_x_2", "paid", 900), ("in_x_1", "paid", 900)
    ]  # fmt: skip


def rows_of(holder):
    period = {"period_start": START, "period_end": START + timedelta(days=30)}
    return {
        Products: {"name": "x", "is_active": True, "details": {}, "fetched_at": START},
        Customers: {"holder_id": holder},
        Subscriptions: {"holder_id": holder, "status": "active", "raw_status": "active", "slot": "x", **period},
        Payments: {"holder_id": holder, "status": "paid", "reason": "once", "amount_minor": 1, "currency": "USD"},
    }


@pytest.mark.parametrize("table", [Products, Customers, Subscriptions, Payments])
async def test_t_04_the_database_keeps_one_row_for_an_id_of_a_provider(paying, ada, table):
    mine = await paying.holder_of(ada)
    other = await paying.holder_of(await paying.kit.sign_in("grace"))

    def row(holder, provider="stripe"):
        given = {"id": new_id(), "provider": provider, "external_id": "x_1", **rows_of(holder)[table]}
        return statement(insert(table).values({**given, **({"slot": provider} if "slot" in given else {})}))

    async with paying.kit.system.service() as ctx:
        await ctx.db.run(row(mine))
        await ctx.db.run(row(mine, "polar"))
    with pytest.raises(UniqueViolation) as refused:
        async with paying.kit.system.service() as ctx:
            await ctx.db.run(row(other))
    assert refused.value.constraint.endswith("provider_external_id")


async def test_t_04_one_customer_of_a_provider_for_a_holder(paying, ada):
    given = {"provider": "stripe", "holder_id": await paying.holder_of(ada)}
    first, second = (
        statement(insert(Customers).values(id=new_id(), external_id=name, **given)) for name in ("cus_1", "cus_2")
    )
    async with paying.kit.system.service() as ctx:
        await ctx.db.run(first)
    with pytest.raises(UniqueViolation) as refused:
        async with paying.kit.system.service() as ctx:
            await ctx.db.run(second)
    assert refused.value.constraint == "uq_customers_holder_id_provider"
