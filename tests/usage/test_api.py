"""`/v1/me/usage`: the current windows, and those before."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy import update

from tenantry import UNLIMITED, Google, Meter, Plan, Product
from tenantry.holders import by_user, set_plan
from tenantry.kernel.database import param, statement
from tenantry.usage import decide
from tenantry.usage.models import UsageCounters

lease = statement(update(UsageCounters).values(leased=param("units")))
requests, tokens = Meter("requests", per="day"), Meter("tokens", per="month")
product = Product(
    "Acme",
    sign_in=[Google()],
    plans=[
        Plan("free", price=0, limits={requests: 5, tokens: 1000}),
        Plan("pro", price=900, limits={requests: 50, tokens: UNLIMITED}),
    ],
)


@pytest.fixture
async def kit(start):
    return await start(product)


async def test_before_the_first_call_nothing_is_used(kit):
    ada = await kit.sign_in("ada")
    assert (await ada.get("/v1/me/usage")).json() == {
        "plan": "free",
        "items": [
            {
                "meter": "requests",
                "per": "day",
                "used": 0,
                "limit": 5,
                "remaining": 5,
                "window_start": "2026-03-14T00:00:00Z",
                "reset_at": "2026-03-15T00:00:00Z",
            },
            {
                "meter": "tokens",
                "per": "month",
                "used": 0,
                "limit": 1000,
                "remaining": 1000,
                "window_start": "2026-03-01T00:00:00Z",
                "reset_at": "2026-04-01T00:00:00Z",
            },
        ],
        "next_cursor": None,
    }


async def test_calls_are_counted_on_their_meter_for_their_holder(kit):
    ada, grace = await kit.sign_in("ada"), await kit.sign_in("grace")
    await call(kit, ada, requests, times=3)
    await call(kit, ada, tokens, cost=250)
    assert await figures(ada) == [("requests", 3, 5, 2), ("tokens", 250, 1000, 750)]
    assert await figures(grace) == [("requests", 0, 5, 5), ("tokens", 0, 1000, 1000)]


async def test_a_new_day_begins_a_new_window(kit):
    ada = await kit.sign_in("ada")
    await call(kit, ada, requests, times=2)
    await call(kit, ada, tokens, cost=7)
    await kit.set_time(datetime(2026, 3, 15, 0, 0, tzinfo=UTC))
    ada = await kit.sign_in("ada")
    assert await figures(ada) == [("requests", 0, 5, 5), ("tokens", 7, 1000, 993)]


async def test_a_larger_plan_moves_the_limit_at_once_and_a_smaller_one_never_below_what_was_used(kit):
    ada = await kit.sign_in("ada")
    await call(kit, ada, requests, times=5)
    await to_plan(kit, ada, "pro")
    assert await figures(ada) == [("requests", 5, 50, 45), ("tokens", 0, None, None)]
    await call(kit, ada, requests, times=2)
    await to_plan(kit, ada, "free")
    assert await figures(ada) == [("requests", 7, 7, 0), ("tokens", 0, 1000, 1000)]


async def test_history_has_the_windows_that_were_used_oldest_first(kit):
    for day, times in ((10, 2), (12, 5), (14, 1)):
        await kit.set_time(datetime(2026, 3, day, 9, tzinfo=UTC))
        ada = await kit.sign_in("ada")
        await call(kit, ada, requests, times=times)
    past = (await ada.get("/v1/me/usage/requests/history")).json()
    assert past == {
        "meter": "requests",
        "items": [
            {"window_start": "2026-03-10T00:00:00Z", "used": 2, "limit": 5},
            {"window_start": "2026-03-12T00:00:00Z", "used": 5, "limit": 5},
            {"window_start": "2026-03-14T00:00:00Z", "used": 1, "limit": 5},
        ],
        "next_cursor": None,
    }
    short = (await ada.get("/v1/me/usage/requests/history?days=3")).json()
    assert [one["used"] for one in short["items"]] == [5, 1]


async def test_the_dashboard_draws_the_same_days(kit):
    ada = await kit.sign_in("ada")
    await call(kit, ada, requests, times=4)
    page = (await ada.get("/dashboard", headers={"Accept": "text/html"})).text
    assert "Mar 14, 2026: 4 requests" in page
    assert "Feb 13, 2026: 0 requests" in page
    assert "Feb 12, 2026" not in page
    assert "1 of 5 left today." in page
    assert "1,000 of 1,000 left this month." in page


async def test_units_set_aside_are_named_apart(kit):
    ada = await kit.sign_in("ada")
    await call(kit, ada, requests, times=1)
    await set_aside(kit, 2)
    assert await figures(ada) == [("requests", 1, 5, 2), ("tokens", 0, 1000, 1000)]
    page = (await ada.get("/dashboard", headers={"Accept": "text/html"})).text
    assert "2 of 5 left today. 2 more are set aside for calls under way." in page


async def test_an_unknown_meter_404(kit):
    answer = await (await kit.sign_in("ada")).get("/v1/me/usage/nothing/history")
    assert (answer.status_code, answer.json()["code"]) == (404, "request.not_found")


@pytest.mark.parametrize("days", ["0", "401", "many"])
async def test_a_span_that_cannot_be_422(kit, days):
    answer = await (await kit.sign_in("ada")).get("/v1/me/usage/requests/history", params={"days": days})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "query.days")


@pytest.mark.parametrize("path", ["/v1/me/usage", "/v1/me/usage/requests/history"])
async def test_strangers_401(kit, path):
    assert (await (await kit.client()).get(path)).status_code == 401


async def holder_of(kit, client):
    user = UUID((await client.get("/v1/me")).json()["id"])
    async with kit.system.service(writes=False) as ctx:
        return (await by_user(ctx.db, user)).id


async def call(kit, client, meter, *, times=1, cost=1):
    holder = await holder_of(kit, client)
    for _ in range(times):
        assert (await decide(kit.system, holder, meter, cost)).allowed


async def figures(client):
    items = (await client.get("/v1/me/usage")).json()["items"]
    return [(one["meter"], one["used"], one["limit"], one["remaining"]) for one in items]


async def to_plan(kit, client, plan):
    holder = await holder_of(kit, client)
    async with kit.system.service() as ctx:
        await set_plan(ctx, holder, plan=plan, source="admin", reason="a test")


async def set_aside(kit, units):
    async with kit.system.service() as ctx:
        await ctx.db.run(lease, units=units)
