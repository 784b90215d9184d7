"""`/billing` and the pricing page, as a browser without JavaScript reads them."""

import re
from datetime import timedelta

import pytest

from billing.flows.shop import HTML, shop_product, subscribed, told, unprove
from tenantry.billing import BillingProviders
from tenantry.product import Billing, Stripe

DAY = timedelta(days=1)


@pytest.fixture
async def ada(kit):
    return browser(await kit.sign_in("ada"))


def browser(client):
    client.headers.update(HTML)
    return client


async def seen(person, path="/billing", status=200):
    answer = await person.get(path)
    assert answer.status_code == status, answer.text[-500:]
    return words(answer.text)


def words(html):
    """What is read, with the addresses of links and forms."""
    body = html.partition("<body")[2]
    kept = re.sub(r'<(?:form|a|button|option)\b[^>]*?(?:action|href|value)="([^"]*)"[^>]*>', r" [\1] ", body)
    return " ".join(re.sub(r"<[^>]+>", " ", kept).replace("\u202f", " ").split())


async def test_from_choosing_a_plan_to_having_it(kit, till, ada):
    offered = await seen(ada, "/pricing")
    assert "Start 14 days of trial" in offered
    assert "Or for $90 a year" in offered
    leaving = await ada.post("/billing/checkout", data={"wish": "pro:pro_year", "coupon": " SPRING "})
    url = re.search(r'http-equiv="refresh" content="0;url=([^"]+)"', leaving.text)[1]
    assert (leaving.status_code, leaving.headers["cache-control"]) == (200, "no-store")
    assert f'href="{url}"' in leaving.text
    assert (till.pages[url].coupon, till.prices[till.pages[url].price].lookup) == ("SPRING", "pro_year")
    assert "being confirmed" in await seen(ada, "/billing/success")
    till.pay(url)
    # No event has told of it.
    confirmed = await ada.get("/billing/success")
    assert "Pro is active" in confirmed.text
    assert "refresh" not in confirmed.text
    shown = await seen(ada)
    assert all(
        text in shown for text in ("Your subscription", "Trial", "$90 a year", "The trial ends", "[/billing/portal]")
    )


@pytest.mark.parametrize("knows", [True, False])
async def test_what_was_bought_is_found_however_the_provider_tells_of_it(kit, till, ada, knows):
    till.knows_by_customer = knows
    grace = await kit.sign_in("grace")
    await subscribed(kit, till, grace)
    opened = await ada.post("/v1/checkout", json={"plan": "team"})
    assert "being confirmed" in await seen(ada, "/billing/success")
    till.pay(opened.json()["url"])
    assert "Team is active" in await seen(ada, "/billing/success")
    assert (await grace.get("/v1/subscription")).json()["plan"] == "pro"


async def test_the_page_after_paying_looks_again_by_itself_and_then_stops(till, ada):
    waiting = (await ada.get("/billing/success")).text
    assert '<noscript><meta http-equiv="refresh" content="3;url=/billing/success?turn=1"></noscript>' in waiting
    assert 'hx-get="/billing/success?turn=1"' in waiting
    part = (await ada.get("/billing/success?turn=3", headers={"HX-Request": "true"})).text
    assert 'hx-get="/billing/success?turn=4"' in part
    assert "<html" not in part
    last = (await ada.get("/billing/success?turn=20")).text
    assert "takes longer than usual" in last
    assert "hx-get" not in last
    assert "refresh" not in last


async def test_the_page_after_paying_stands_a_provider_that_is_away(kit, till, ada):
    bought = await subscribed(kit, till, ada)
    till.move(bought, status="canceled", ended_at=kit.clock.now())
    await told(kit, till, bought)
    till.away = {"read"}
    assert "being confirmed" in await seen(ada, "/billing/success")


async def test_a_payment_that_failed_is_told_with_its_grace_and_then_its_end(kit, till, ada):
    bought = await subscribed(kit, till, ada)
    till.move(bought, status="past_due", trial_ends_at=None, past_due_since=kit.clock.now())
    await told(kit, till, bought)
    for path in ("/billing", "/dashboard"):
        shown = await seen(ada, path)
        assert "Your last payment failed" in shown
        assert "until Mar 21, 2026, 12:00 PM UTC" in shown
    await kit.move(8 * DAY)
    ada = browser(await kit.sign_in("ada"))
    shown = await seen(ada)
    assert "Your plan is stopped" in shown
    assert "In force now Free" in shown
    assert "Your plan is stopped" in await seen(ada, "/dashboard")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"status": "unpaid"}, "Unpaid"),
        ({"status": "incomplete"}, "The first payment is outstanding"),
        ({"status": "paused"}, "It goes on when you resume it"),
        ({"status": "active"}, "It is renewed on Mar 28, 2026"),
        ({"status": "canceled"}, "It is over."),
        ({"status": "canceled"}, "In force now Free"),
        ({"status": "paused"}, "The new plan is in force when you resume the subscription."),
        ({"status": "unpaid"}, "The new plan is in force as soon as the payment is made."),
    ],
)
async def test_each_state_says_what_comes_next(kit, till, ada, changes, said):
    bought = await subscribed(kit, till, ada)
    till.move(bought, trial_ends_at=None, **changes)
    await told(kit, till, bought)
    assert said in await seen(ada)
    await seen(ada, "/dashboard")


async def test_the_trials_end_is_told_in_its_last_week(kit, till, ada):
    await subscribed(kit, till, ada)
    assert "Your trial ends soon" not in await seen(ada, "/dashboard")
    await kit.move(8 * DAY)
    ada = browser(await kit.sign_in("ada"))
    assert "Your trial ends soon" in await seen(ada, "/dashboard")


async def test_cancel_and_resume(kit, till, ada):
    bought = await subscribed(kit, till, ada)
    till.move(bought, status="active", trial_ends_at=None)
    await told(kit, till, bought)
    at = re.search(r"/billing/subscriptions/[0-9a-f-]+", (await ada.get("/billing")).text)[0]
    done = await ada.post(f"{at}/cancel")
    assert (done.status_code, done.headers["location"]) == (303, "/billing?done=cancelled")
    shown = await seen(ada, "/billing?done=cancelled")
    assert "The subscription was cancelled." in shown
    assert "It ends on " in shown
    assert "Your subscription will end" not in shown
    assert "Your subscription will end" in await seen(ada, "/billing")
    assert f"[{at}/resume]" in shown
    assert (await ada.post(f"{at}/resume")).headers["location"] == "/billing?done=resumed"
    assert (await ada.post(f"{at}/pause")).headers["location"] == "/billing?done=paused"
    assert "Paused" in await seen(ada, "/billing?done=paused")


async def test_the_plan_is_changed_with_its_price_in_sight(kit, till, ada):
    await subscribed(kit, till, ada)
    page = (await ada.get("/billing?plan=team")).text
    assert '<option value="team:team_month" selected>Team: $29 a month</option>' in page
    # What one has is no choice, and giving it up comes last.
    assert re.findall(r'<option value="([a-z_]+:?[a-z_]*)"', page)[:3] == ["pro:pro_year", "team:team_month", "free"]
    at = re.search(r"/billing/subscriptions/[0-9a-f-]+", page)[0]
    changed = await ada.post(f"{at}/change", data={"wish": "team:team_month", "proration": "invoice"})
    assert changed.headers["location"] == "/billing?done=changed"
    assert till.asked[-1][2].proration == "invoice"
    assert "Change to Pro" in await seen(ada, "/pricing")
    ended = await ada.post(f"{at}/change", data={"wish": "free"})
    assert ended.headers["location"] == "/billing?done=cancelled"
    assert '<option value="free"' not in (await ada.get("/billing")).text
    # Another plan until then: the cancellation stands, and is not what was just done.
    again = await ada.post(f"{at}/change", data={"wish": "pro:pro_year"})
    assert again.headers["location"] == "/billing?done=changed"
    assert "Your subscription will end" in await seen(ada, "/billing?done=changed")


async def test_payments_with_receipts_and_refunds(kit, till, ada):
    bought = await subscribed(kit, till, ada)
    for number in range(21):
        one = till.bill(bought, amount=1000 + number, paid_at=kit.clock.now() - DAY * number)
        await told(kit, till, one, kind="payment")
    odd = till.bill(
        bought, amount=500, refunded=500, status="refunded", receipt_url="https://till.example/r?a=1&b=2"
    )  # fmt: skip
    await told(kit, till, odd, kind="payment")
    shown = await seen(ada)
    assert "$5 paid back" in shown
    assert "Paid back" in shown
    assert "[https://till.example/r?a=1&amp;b=2]" in shown
    assert "[/billing?page=2]" in shown
    assert "$10.20" in await seen(ada, "/billing?page=2")


@pytest.mark.parametrize(
    ("path", "data"),
    [("/billing/checkout", {"wish": "pro:pro_month"}), ("/billing/checkout", {"wish": "pro"}), ("/billing/portal", {})],
)
async def test_a_provider_that_is_away_is_said_kindly_503(kit, till, ada, path, data):
    bought = await subscribed(kit, till, ada)
    till.move(bought, status="canceled", ended_at=kit.clock.now())
    await told(kit, till, bought)
    till.away = {"page"}
    refused = await ada.post(path, data=data)
    assert refused.status_code == 503
    assert refused.headers["retry-after"]
    assert "The payment provider does not answer at the moment" in refused.text


async def test_what_is_refused_says_why_and_keeps_what_was_entered(kit, till, ada):
    assert "Nothing was bought yet" in (await ada.post("/billing/portal")).text
    for data, status, said in (
        ({"wish": "free"}, 422, "This plan cannot be bought."),
        ({"wish": ""}, 422, "This plan cannot be bought."),
        ({"wish": "team:team_month", "coupon": "nonsense"}, 409, "There is no such coupon."),
    ):
        refused = await ada.post("/billing/checkout", data=data)
        assert refused.status_code == status
        assert said in refused.text
    assert 'value="nonsense"' in refused.text
    assert '<option value="team:team_month" selected>' in refused.text
    await unprove(kit)
    refused = await ada.post("/billing/checkout", data={"wish": "pro"})
    assert refused.status_code == 403
    assert "/settings#email" in refused.text


async def test_somebody_elses_subscription_is_not_there_404(kit, till, ada):
    await subscribed(kit, till, ada)
    at = re.search(r"/billing/subscriptions/[0-9a-f-]+", (await ada.get("/billing")).text)[0]
    grace = browser(await kit.sign_in("grace"))
    before = till.count("change")
    absent = "/billing/subscriptions/00000000-0000-7000-8000-000000000000"
    for what in ("change", "cancel", "resume", "pause"):
        answers = [await grace.post(f"{one}/{what}", data={"wish": "team"}) for one in (at, absent)]
        assert {one.status_code for one in answers} == {404}
        assert len({re.sub(r'name="request-id" content="[^"]*"|/billing/[^"]*', "", one.text) for one in answers}) == 1
    assert till.count("change") == before


async def test_forms_of_other_sites_and_of_strangers_do_nothing(kit, till, ada):
    await subscribed(kit, till, ada)
    at = re.search(r"/billing/subscriptions/[0-9a-f-]+", (await ada.get("/billing")).text)[0]
    stranger = browser(await kit.client())
    before = len(till.asked)
    for path in (
        "/billing/checkout",
        "/billing/portal",
        *(f"{at}/{x}" for x in ("change", "cancel", "resume", "pause")),
    ):
        foreign = await ada.post(path, data={"wish": "team"}, headers={"Origin": "https://evil.example"})
        assert foreign.status_code == 403, path
        turned = await stranger.post(path, data={"wish": "team"})
        assert (turned.status_code, turned.headers["location"]) == (303, "/signin?return_to=/dashboard"), path
    assert (await stranger.get("/billing")).headers["location"] == "/signin?return_to=/billing"
    assert len(till.asked) == before


async def test_a_stranger_signs_in_and_comes_back_to_the_prices(kit, till):
    shown = await seen(browser(await kit.client()), "/pricing")
    assert "[/signin?return_to=/pricing] Start 14 days of trial" in shown
    assert "[/signin?return_to=/pricing] Choose Team" in shown
    assert "[/signin?return_to=/dashboard] Start with Free" in shown
    assert till.asked == []


async def test_without_a_provider_the_pages_say_so(start, clock):
    kit = await start(shop_product(), clock=clock, ports={BillingProviders: BillingProviders({})})
    ada = browser(await kit.sign_in("ada"))
    assert "Nothing can be bought here yet" in await seen(ada)
    assert "Not on sale yet." in await seen(ada, "/pricing")
    refused = await ada.post("/billing/checkout", data={"wish": "pro"})
    assert refused.status_code == 503
    assert "Nothing can be bought here yet" in refused.text


async def test_what_buys_no_declared_plan_is_called_what_the_provider_calls_it(kit, till, ada):
    bought = await subscribed(kit, till, ada)
    odd = till.sell("relic", 100)
    till.move(bought, price=odd)
    await told(kit, till, bought)
    assert "Plan Product" in await seen(ada)
    assert "In force now Free" in await seen(ada)


async def test_several_subscriptions_are_all_shown(start, till, clock):
    product = shop_product(billing=Billing([Stripe()], several=True))
    kit = await start(product, clock=clock, ports={BillingProviders: BillingProviders({"fake": till})})
    ada = browser(await kit.sign_in("ada"))
    await subscribed(kit, till, ada)
    await subscribed(kit, till, ada, "team")
    shown = await seen(ada)
    assert "Your subscription Plan Team" in shown
    assert "Another subscription Plan Pro" in shown


async def test_names_of_the_providers_are_only_text(kit, till, ada):
    for price in list(till.prices.values()):
        till.products[price.product] = type(till.products[price.product])(
            external_id=price.product, name="<script>alert(1)</script>"
        )
    bought = await subscribed(kit, till, ada)
    one = till.bill(bought, receipt_url='https://till.example/"><script>')
    await told(kit, till, one, kind="payment")
    assert "<script>alert" not in (await ada.get("/billing")).text
    assert '"><script>' not in (await ada.get("/billing")).text
