"""An organization's credits: members see and spend them while they belong to it, and a gift is there to be spent."""

import msgspec
import pytest

from organizations_billed.team import Team, outcome, team_product
from tenantry import Credits
from tenantry.billing import BillingProviders
from tenantry.billing.applying import apply
from tenantry.billing.queries import inbox
from tenantry.billing.snapshots import ExternalId, PaymentSnapshot


@pytest.fixture
async def team(start, till):
    """The same, where everybody is given ten credits."""
    ports = {BillingProviders: BillingProviders({"fake": till})}
    product = team_product(credits=Credits("tokens", on_sign_up=10))
    return await Team.of(await start(product, clock=till.clock, ports=ports))


async def left_of(team):
    people = (team.ada, team.grace, team.alan, team.mallory)
    return [(await one.get("/v1/me")).json()["tokens"] for one in people]


async def test_credits_are_the_organizations_and_only_who_belongs_to_it_spends_them(team):
    # Whoever signed up was given them where they work.
    assert await left_of(team) == [10, 10, 10, 10]
    asked = {"amount": 3, "reference": "page:1"}
    for browser in (team.alan, team.grace):
        spent = await browser.post("/v1/credits/spend", json=asked)
        assert (spent.status_code, spent.json()["balance"]) == (201, 7)
    assert await left_of(team) == [7, 7, 7, 10]
    made = await team.grace.post("/v1/keys", json={"label": "robot"})
    key = {"X-API-Key": made.json()["secret"]}
    robot = await team.kit.client()
    taken = await robot.post("/v1/credits/spend", json={"amount": 2}, headers=key)
    assert (taken.status_code, taken.json()["balance"]) == (201, 5)

    # Nobody names another's holder, and who was taken out has only what their own organization has.
    other = {"amount": 1, "holder_id": str(await team.holder())}
    assert outcome(await team.mallory.post("/v1/credits/spend", json=other))[0] == 403
    removed = await team.ada.delete(f"/v1/organizations/{team.id}/members/{team.users['alan']}")
    assert removed.status_code == 204
    assert outcome(await team.alan.post("/v1/credits/spend", json=other))[0] == 403
    assert (await team.alan.get("/v1/credits", params={"holder_id": other["holder_id"]})).status_code == 403
    assert await left_of(team) == [5, 5, 10, 10]


async def test_what_was_bought_by_an_address_stays_with_the_organization_that_it_stood_for_then(team, till):
    price = till.sell(None, 500, None, details={"tokens": "500"})
    # As a payment link has it: nobody's checkout, and no customer.
    paid = PaymentSnapshot(
        external_id=ExternalId("in_link"), price=price, status="paid", amount=500, paid_at=till.clock.now(),
        email="ada@example.com",
    )  # fmt: skip

    async def told(*snapshots):
        async with team.kit.system.service() as ctx:
            await apply(ctx, "fake", snapshots, read_at=await inbox.database_now(ctx.db))

    await told(till.products[till.prices[price].product], till.prices[price], paid)
    assert await left_of(team) == [510, 510, 510, 10]
    # Ada hands the organization over, and owns another one.
    assert (await team.ada.post("/v1/organizations", json={"name": "Second"})).status_code == 201
    to = {"user_id": str(team.users["grace"])}
    assert (await team.ada.post(f"/v1/organizations/{team.id}/transfer", json=to)).status_code == 204
    await told(paid)
    await told(msgspec.structs.replace(paid, status="partially_refunded", refunded=250))
    assert await left_of(team) == [0, 260, 260, 10]
    assert (await team.ada.get("/v1/payments")).json()["items"] == []
    # It is deleted: what was spent of them is not there again for the next one that the address stands for.
    assert (await team.grace.delete(f"/v1/organizations/{team.id}")).status_code == 204
    for back in (250, 300):
        await told(msgspec.structs.replace(paid, status="partially_refunded", refunded=back))
        assert (await left_of(team))[0] == 0
