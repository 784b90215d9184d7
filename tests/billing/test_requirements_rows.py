"""S-04, P-10, F-02, T-04: the subscriptions of four documents, each as its product declares them, on both databases.

001 and 004 are paid through Stripe, 002 through Polar, 003 through Lemon Squeezy; 004 alone has several at once.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from sqlalchemy import insert, select, update

from billing.conftest import requests
from billing.test_words import MEMBERS, STUDIO, VAULT
from billing.truth import Truth, subscription_of
from tenantry import Billing, Google, LemonSqueezy, Plan, Polar, Product, Stripe
from tenantry.billing import BillingProviders
from tenantry.billing.models import LIVE, Customers, Subscriptions
from tenantry.holders.models import Holders
from tenantry.kernel import new_id
from tenantry.kernel.database import param, statement
from tenantry.kernel.database.failures import CheckViolation, ForeignKeyViolation, UniqueViolation
from tenantry.product import StatusWords
from tenantry.testing.kit import START
from tenantry.usage import decide

PERIOD_ENDS, SOON = START + timedelta(days=31), START + timedelta(days=14)
SCHEDULED = {"status": "active", "cancel_at": PERIOD_ENDS}
ENDED = {"status": "canceled", "ended_at": START}
S = Subscriptions
_all = statement(select(S.external_id, S.status, S.slot).order_by(S.external_id), lambda *row: row)
_customer = statement(select(Customers.external_id))
_set_plan = statement(update(Holders).where(Holders.id == param("holder")).values(plan=param("new_plan")))


@dataclass(frozen=True)
class Document:
    """What a document says: who takes the money, the plans, the words, and which state it calls what."""

    provider: Any
    plans: tuple[str, ...]
    words: StatusWords
    called: tuple[tuple[dict[str, Any], str, bool], ...]
    several: bool = False

    @property
    def product(self) -> Product:
        plans = [
            Plan(name, price=number * 900, limits={requests: 5 * 10**number}) for number, name in enumerate(self.plans)
        ]
        billing = Billing([self.provider], words=self.words, several=self.several)
        return Product("Acme", sign_in=[Google()], plans=plans, billing=billing)


# The state, the document's word for it, and whether the plan is in force.
DOCUMENTS = {
    "001": Document(
        Stripe(), ("free", "standard", "enterprise"), StatusWords(),
        (({"status": "active"}, "active", True), (SCHEDULED, "active", True), (ENDED, "canceled", False)),
    ),
    "002": Document(
        Polar(), ("free", "pro", "business"), STUDIO,
        (({"status": "active"}, "active", True), (SCHEDULED, "active", True),
         ({"status": "past_due"}, "past_due", True), (ENDED, "cancelled", False)),
    ),
    "003": Document(
        LemonSqueezy(store="1"), ("free", "basic", "pro"), VAULT,
        (({"status": "trialing", "trial_ends_at": SOON}, "trial", True), ({"status": "active"}, "active", True),
         (SCHEDULED, "cancelled", True), ({"status": "past_due"}, "past_due", True),
         ({"status": "expired", "ended_at": START}, "expired", False)),
    ),
    "004": Document(
        Stripe(), ("free", "member", "patron"), MEMBERS,
        (({"status": "active"}, "ACTIVE", True), (SCHEDULED, "CANCELED", True),
         ({"status": "past_due"}, "PAST_DUE", True), ({"status": "paused"}, "INACTIVE", False),
         ({"status": "unpaid"}, "INACTIVE", False), (ENDED, "CANCELED", False)),
        several=True,
    ),
}  # fmt: skip


@pytest.fixture(params=DOCUMENTS)
def document(request):
    return DOCUMENTS[request.param]


@pytest.fixture
def truth(clock, document):
    return Truth(clock.now, name=document.provider.name)


@pytest.fixture
async def paid(start, clock, truth, document):
    ports = {BillingProviders: BillingProviders({truth.name: truth})}
    return await start(document.product, clock=clock, ports=ports)


@pytest.fixture
async def ada(paying):
    return await paying.kit.sign_in("ada")


@pytest.fixture
async def holder(paying, ada):
    return await paying.holder_of(ada)


async def tell(paying, *told):
    await paying.deliver(*map(paying.truth.put, told))
    await paying.work()


async def stored(paying):
    async with paying.kit.system.service(writes=False) as ctx:
        return await ctx.db.rows(_all)


def row(holder, **given):
    values = {"id": new_id(), "holder_id": holder, "provider": "stripe", "external_id": "sub_9", "status": "active",
              "raw_status": "x", "slot": "only", **given}  # fmt: skip
    return statement(insert(Subscriptions).values(values))


async def refused(paying, wanted, why):
    with pytest.raises(why) as raised:
        async with paying.kit.system.service() as ctx:
            await ctx.db.run(wanted)
    return raised.value.constraint


async def test_each_state_has_its_documents_word_and_gives_the_plan_or_not(paying, ada, holder, document):
    bought = paying.truth.sell(document.plans[1])
    for number, (state, word, is_in_force) in enumerate(document.called):
        name = f"sub_{number}"
        told = subscription_of(holder, bought, external_id=name, customer="cus_ada", **state)
        await tell(paying, told)
        seen = (await ada.get("/v1/subscriptions")).json()["items"][0]
        assert (seen["status"], seen["word"]) == (state["status"], word)
        plan = document.plans[1] if is_in_force else "free"
        assert (await ada.get("/v1/me")).json()["plan"]["name"] == plan
        assert (await decide(paying.kit.system, holder, requests)).limit == (50 if is_in_force else 5)
        await tell(paying, msgspec.structs.replace(told, **ENDED, raw_status="over"))
        assert (await ada.get("/v1/me")).json()["plan"]["name"] == "free"
    # Whatever ended stays, as history.
    assert len(await stored(paying)) == len(document.called)


async def test_who_never_bought_anything_has_the_default_plan_and_no_row(paying, ada, document):
    seen = (await ada.get("/v1/subscription")).json()
    assert (seen["plan"], seen["subscription"]) == ("free", None)
    assert await stored(paying) == []


async def test_a_cancellation_to_come_is_none_until_it_is_said(paying, ada, holder, document):
    told = subscription_of(holder, paying.truth.sell(document.plans[1]))
    await tell(paying, told)
    assert (await ada.get("/v1/subscription")).json()["subscription"]["cancel_at"] is None
    await tell(paying, msgspec.structs.replace(told, cancel_at=PERIOD_ENDS))
    seen = (await ada.get("/v1/subscription")).json()
    assert seen["subscription"]["cancel_at"] == PERIOD_ENDS.isoformat().replace("+00:00", "Z")
    assert (seen["plan"], seen["plan_after"]) == (document.plans[1], "free")


async def test_a_subscription_has_its_customer_though_nobody_told_of_that_one(paying, holder, document):
    told = subscription_of(holder, paying.truth.sell(document.plans[1]), customer="cus_ada")
    await tell(paying, told)
    async with paying.kit.system.service(writes=False) as ctx:
        assert await ctx.db.rows(_customer) == ["cus_ada"]


async def test_an_unknown_status_is_refused_by_the_database(paying, holder, document):
    for status in ("gold", "ACTIVE", "cancelled", ""):
        found = await refused(paying, row(holder, status=status), CheckViolation)
        assert "status" in found
    assert await stored(paying) == []


async def test_an_unknown_plan_is_refused_by_the_database(paying, holder, document):
    await refused(paying, row(holder, plan="platinum"), ForeignKeyViolation)
    with pytest.raises(ForeignKeyViolation):
        async with paying.kit.system.service() as ctx:
            await ctx.db.run(_set_plan, holder=holder, new_plan="platinum")
    assert await stored(paying) == []


async def test_a_word_that_nobody_knows_changes_no_status(paying, ada, holder, document):
    told = subscription_of(holder, paying.truth.sell(document.plans[1]))
    await tell(paying, told)
    await tell(paying, msgspec.structs.replace(told, status=None, raw_status="hibernating"))
    assert [status for _, status, _ in await stored(paying)] == ["active"]
    assert (await ada.get("/v1/me")).json()["plan"]["name"] == document.plans[1]


async def test_one_live_row_for_a_holder_where_the_product_says_so(paying, holder, document):
    bought = paying.truth.sell(document.plans[1])
    first = subscription_of(holder, bought, external_id="sub_1", customer="cus_ada")
    await tell(paying, first)
    ((_, _, slot),) = await stored(paying)
    assert (slot == "only") is not document.several
    for status in LIVE:
        other = row(holder, provider=paying.truth.name, external_id=f"sub_{status}", slot=slot, status=status)
        found = await refused(paying, other, UniqueViolation)
        assert found.endswith("slot")
    # What ended is kept beside the one that goes on, as often as it was bought.
    for number in (2, 3):
        await tell(paying, msgspec.structs.replace(first, **ENDED, raw_status="over"))
        first = msgspec.structs.replace(first, external_id=f"sub_{number}")
        await tell(paying, first)
    assert [(name, status) for name, status, _ in await stored(paying)] == [
        ("sub_1", "canceled"), ("sub_2", "canceled"), ("sub_3", "active"),
    ]  # fmt: skip


async def test_several_go_on_at_once_where_the_product_says_so(paying, ada, holder, document):
    low, high = (paying.truth.sell(name) for name in document.plans[1:])
    first = subscription_of(holder, low, external_id="sub_1", customer="cus_ada")
    await tell(paying, first, msgspec.structs.replace(first, external_id="sub_2", price=high))
    found = await stored(paying)
    assert [status for _, status, _ in found] == ["active", "active"]
    # Bought twice elsewhere, the second stands beside the one: nothing that was paid for is lost.
    assert [slot for _, _, slot in found].count("only") == (0 if document.several else 1)
    assert (await ada.get("/v1/me")).json()["plan"]["name"] == document.plans[2]


async def test_f_02_a_trial_past_its_end_gives_nothing_before_any_webhook_or_job(paying, ada, holder, document):
    bought = paying.truth.sell(document.plans[1])
    await tell(paying, subscription_of(holder, bought, status="trialing", trial_ends_at=SOON))
    paying.truth.is_away = True
    for at, plan, limit in [(SOON - timedelta(seconds=1), document.plans[1], 50), (SOON, "free", 5)]:
        await paying.kit.set_time(at)
        again = await paying.kit.sign_in("ada")
        seen = (await again.get("/v1/subscription")).json()
        access = "none" if plan == "free" else "full"
        assert (seen["plan"], seen["subscription"]["access"]) == (plan, access)
        assert (await again.get("/v1/me")).json()["plan"]["name"] == plan
        assert (await decide(paying.kit.system, holder, requests)).limit == limit
    # Nobody has written anything down: the row says what it said.
    assert [status for _, status, _ in await stored(paying)] == ["trialing"]


async def test_a_customer_is_one_holders(paying, holder, document):
    other = await paying.holder_of(await paying.kit.sign_in("grace"))

    def customer(of: UUID, name: str) -> Any:
        given = {"id": new_id(), "holder_id": of, "provider": paying.truth.name, "external_id": name}
        return statement(insert(Customers).values(given))

    async with paying.kit.system.service() as ctx:
        await ctx.db.run(customer(holder, "cus_1"))
    assert await refused(paying, customer(other, "cus_1"), UniqueViolation) == "uq_customers_provider_external_id"
    assert await refused(paying, customer(holder, "cus_2"), UniqueViolation) == "uq_customers_holder_id_provider"
