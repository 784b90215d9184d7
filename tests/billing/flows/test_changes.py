"""Changing what was bought: the provider is asked outside of any unit, and what it did is written at once."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from billing.flows.shop import audited, subscribed, told
from tenantry.billing.providers import Cancel, Pause, PlanChange, Resume

CODE = "billing.subscription_not_found"


async def do(person, what, **body):
    return await person.post(f"/v1/subscription/{what}", json=body or None)


@pytest.fixture
async def bought(kit, till, ada):
    """A subscription that is paid: its trial is over."""
    external_id = await subscribed(kit, till, ada)
    till.move(external_id, status="active", trial_ends_at=kit.clock.now())
    await told(kit, till, external_id)
    return external_id


async def test_another_plan_is_in_force_at_once(kit, till, ada, bought):
    changed = await do(ada, "change", plan="team")
    assert changed.status_code == 200, changed.text
    assert (changed.json()["plan"], changed.json()["items"][0]["amount"]) == ("team", 2900)
    assert (await ada.get("/v1/me")).json()["plan"]["name"] == "team"
    assert till.asked[-1] == ("change", bought, PlanChange(till.subscriptions[bought].price, "prorate"))
    assert "billing.plan_changed" in await audited(kit)


@pytest.mark.parametrize("proration", ["prorate", "invoice"])
async def test_who_changes_says_how_the_rest_is_settled(till, ada, bought, proration):
    assert (await do(ada, "change", plan="pro", interval="year", proration=proration)).status_code == 200
    change = till.asked[-1][2]
    assert (till.prices[change.price].lookup, change.proration) == ("pro_year", proration)


async def test_409_a_larger_plan_is_not_had_for_nothing_until_the_period_ends(till, ada, bought):
    before = till.count("change")
    refused = await do(ada, "change", plan="pro", interval="year", proration="none")
    assert (refused.status_code, refused.json()["code"]) == (409, "billing.change_refused")
    assert till.count("change") == before


async def test_the_same_price_again_asks_nobody(till, ada, bought):
    before = till.count("change")
    assert (await do(ada, "change", plan="pro")).status_code == 200
    assert till.count("change") == before


async def test_a_cancelled_one_goes_on_until_it_ends_and_can_be_taken_back(kit, till, ada, bought):
    cancelled = (await do(ada, "cancel")).json()
    assert (cancelled["status"], cancelled["access"]) == ("active", "full")
    assert cancelled["cancel_at"] == cancelled["period_end"] == cancelled["access_until"]
    assert till.asked[-1][2] == Cancel()
    standing = (await ada.get("/v1/subscription")).json()
    assert (standing["plan"], standing["plan_after"], standing["plan_until"]) == ("pro", "free", cancelled["cancel_at"])
    assert (await do(ada, "resume")).json()["cancel_at"] is None
    assert till.asked[-1][2] == Resume()
    assert await audited(kit, "billing.cancel") == ["billing.cancelled"]
    assert await audited(kit, "billing.resume") == ["billing.resumed"]


async def test_at_once_it_is_over_and_cannot_be_changed_any_more_404(till, ada, bought):
    ended = (await do(ada, "cancel", at_once=True)).json()
    assert (ended["status"], ended["access"], ended["word"]) == ("canceled", "none", "canceled")
    assert (await ada.get("/v1/me")).json()["plan"]["name"] == "free"
    for what, body in (("resume", {}), ("change", {"plan": "team"}), ("cancel", {}), ("pause", {})):
        refused = await do(ada, what, **body)
        assert (refused.status_code, refused.json()["code"]) == (404, CODE), what


async def test_the_free_plan_is_had_by_letting_it_end(till, ada, bought):
    changed = (await do(ada, "change", plan="free")).json()
    assert (changed["plan"], changed["cancel_at"]) == ("pro", changed["period_end"])
    assert till.asked[-1][2] == Cancel()


async def test_a_pause_gives_nothing_until_it_is_over(kit, till, ada, bought):
    until = kit.clock.now() + timedelta(days=10)
    paused = (await do(ada, "pause", until=until.isoformat())).json()
    assert (paused["status"], paused["access"]) == ("paused", "none")
    assert till.asked[-1][2] == Pause(until)
    assert (await ada.get("/v1/me")).json()["plan"]["name"] == "free"
    assert (await do(ada, "resume")).json()["status"] == "active"
    assert (await ada.get("/v1/me")).json()["plan"]["name"] == "pro"


async def test_a_pause_that_is_over_already_is_refused_422(till, ada, bought):
    before = till.count("change")
    assert (await do(ada, "pause", until="2020-01-01T00:00:00Z")).status_code == 422
    assert till.count("change") == before


async def test_somebody_elses_is_not_there_404(kit, till, ada, bought):
    theirs = (await ada.get("/v1/subscription")).json()["subscription"]["id"]
    grace = await kit.sign_in("grace")
    await subscribed(kit, till, grace)
    before = till.count("change")
    for what, body in (("change", {"plan": "team"}), ("cancel", {}), ("resume", {}), ("pause", {})):
        absent, foreign = [await do(grace, what, subscription_id=one, **body) for one in (str(uuid4()), theirs)]
        assert (foreign.status_code, absent.status_code) == (404, 404)
        assert without_id(foreign) == without_id(absent)
    assert till.count("change") == before


def without_id(answer):
    return {name: value for name, value in answer.json().items() if name != "request_id"}


async def test_without_a_subscription_there_is_nothing_to_change_404(till, ada):
    for what, body in (("change", {"plan": "team"}), ("cancel", {}), ("resume", {}), ("pause", {})):
        assert (await do(ada, what, **body)).json()["code"] == CODE
    assert till.asked == []


@pytest.mark.parametrize("plan", ["old", "nothing"])
async def test_what_is_not_sold_is_not_changed_to_422(till, ada, bought, plan):
    refused = await do(ada, "change", plan=plan)
    assert (refused.status_code, refused.json()["code"]) == (422, "billing.plan_not_for_sale")


async def test_a_provider_that_is_away_changes_nothing_503(kit, till, ada, bought):
    before = (await ada.get("/v1/subscription")).json()
    till.away = {"change"}
    for what, body in (("change", {"plan": "team"}), ("cancel", {}), ("resume", {}), ("pause", {})):
        assert (await do(ada, what, **body)).status_code == 503
    assert (await ada.get("/v1/subscription")).json() == before
    assert not [one for one in await audited(kit) if one.endswith(("changed", "cancelled", "resumed", "paused"))]


async def test_the_providers_no_is_told_with_its_reason_409(till, ada, bought):
    till.refused = "This subscription is managed by a schedule."
    refused = await do(ada, "change", plan="team")
    assert (refused.status_code, refused.json()["detail"]) == (409, till.refused)


async def test_who_goes_away_meanwhile_leaves_nothing_half_done(kit, till, ada, bought):
    till.slow = 0.3
    asking = asyncio.create_task(do(ada, "cancel"))
    while till.count("change") == 0:
        await asyncio.sleep(0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    till.slow = 0.0
    for _ in range(100):
        if (await ada.get("/v1/subscriptions")).json()["items"][0]["cancel_at"]:
            break
        await asyncio.sleep(0.05)
    else:
        pytest.fail("what the provider did was not written down")


async def test_two_who_change_at_once_end_in_what_the_provider_has(kit, till, ada, bought):
    till.slow = 0.05
    answers = await asyncio.gather(*(do(ada, what) for what in ("cancel", "resume", "cancel", "resume")))
    assert {one.status_code for one in answers} == {200}
    await told(kit, till, bought)
    has = till.subscriptions[bought].cancel_at
    shown = (await ada.get("/v1/subscription")).json()["subscription"]["cancel_at"]
    assert (shown is None) == (has is None)


async def test_a_change_is_made_at_who_sold_it(start, till, clock, kit, ada, bought):
    """Its price is that provider's, whoever takes new subscriptions by now."""
    portal = await ada.post("/v1/portal")
    assert portal.json() == {"url": f"https://till.example/portal/{till.subscriptions[bought].customer}"}
    assert (await do(ada, "change", plan="team")).status_code == 200
