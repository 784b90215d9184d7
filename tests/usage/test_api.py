"""`/v1/me/usage`: the current windows, and those before."""

from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from sqlalchemy import update

from tenantry import UNLIMITED, Google, Meter, Plan, Product
from tenantry.holders import by_id, by_user, set_plan
from tenantry.kernel.database import param, statement
from tenantry.kernel.windows import window_end, window_start
from tenantry.usage import Window, decide, record
from tenantry.usage.models import UsageCounters
from tenantry.usage.spans import DAYS_MAX

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
        "items": [window(10, 2), window(12, 5), window(14, 1)],
        "next_cursor": None,
    }
    short = (await ada.get("/v1/me/usage/requests/history?days=3")).json()
    assert [one["used"] for one in short["items"]] == [5, 1]


@pytest.mark.parametrize(
    ("asked", "days"),
    [
        ({}, [10, 12, 13]),
        ({"days": 1}, []),
        ({"days": 2}, [13]),
        ({"from": "2026-03-12"}, [12, 13]),
        ({"to": "2026-03-12"}, [10, 12]),
        ({"from": "2026-03-11", "to": "2026-03-12"}, [12]),
        ({"from": "2026-03-10", "to": "2026-03-10"}, [10]),
        ({"from": "2026-03-20"}, []),
    ],
    ids=str,
)
async def test_a_filter_names_both_days_and_includes_them(kit, asked, days):
    ada = await kit.sign_in("ada")
    await keep(kit, ada, requests, [10, 12, 13])
    past = (await ada.get("/v1/me/usage/requests/history", params=asked)).json()
    assert [int(one["window_start"][8:10]) for one in past["items"]] == days


async def test_a_month_is_there_when_any_of_its_days_is_asked_for(kit):
    ada = await kit.sign_in("ada")
    await keep(kit, ada, tokens, [1])
    for asked, used in (({"from": "2026-03-31", "to": "2026-04-02"}, [10]), ({"from": "2026-04-01"}, [])):
        past = (await ada.get("/v1/me/usage/tokens/history", params=asked)).json()
        assert [one["used"] for one in past["items"]] == used
    assert (await ada.get("/v1/me/usage/tokens/history")).json()["items"][0]["window_end"] == "2026-04-01T00:00:00Z"


async def test_a_cursor_leads_through_all_of_it(kit):
    ada = await kit.sign_in("ada")
    await keep(kit, ada, requests, range(1, 12))
    seen, cursor = [], None
    while True:
        asked = {"limit": 4, **({"cursor": cursor} if cursor else {})}
        past = (await ada.get("/v1/me/usage/requests/history", params=asked)).json()
        seen.append([int(one["window_start"][8:10]) for one in past["items"]])
        cursor = past["next_cursor"]
        if cursor is None:
            break
    assert seen == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11]]


async def test_other_peoples_windows_are_in_no_list_and_no_file(kit):
    ada, grace = await kit.sign_in("ada"), await kit.sign_in("grace")
    await keep(kit, ada, requests, [10, 12])
    assert (await grace.get("/v1/me/usage/requests/history")).json()["items"] == []
    assert (await grace.get("/v1/me/usage/export.csv")).text == HEADER


async def test_reading_the_past_takes_one_statement(kit, statements):
    ada = await kit.sign_in("ada")
    await keep(kit, ada, requests, range(1, 14))
    await keep(kit, ada, tokens, [1])
    for path in ("/v1/me/usage", "/v1/me/usage/requests/history", "/v1/me/usage/export.csv"):
        await ada.get(path)
        with statements(kit) as count:
            assert (await ada.get(path)).status_code == 200
        assert count() == 2, path  # who asks, and what they used


HEADER = "meter,window_start,window_end,used,limit\r\n"


async def test_a_file_has_what_the_filter_names(kit):
    ada = await kit.sign_in("ada")
    await keep(kit, ada, requests, [10, 12, 14])
    await keep(kit, ada, tokens, [1], quota=None)
    answer = await ada.get("/v1/me/usage/export.csv", params={"meter": "requests", "from": "2026-03-11"})
    assert answer.text == (
        HEADER
        + "requests,2026-03-12T00:00:00Z,2026-03-13T00:00:00Z,120,1000\r\n"
        + "requests,2026-03-14T00:00:00Z,2026-03-15T00:00:00Z,140,1000\r\n"
    )
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    name = "usage-requests-2026-03-11-to-2026-03-14.csv"
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
    assert (answer.headers["cache-control"], answer.headers["x-content-type-options"]) == ("no-store", "nosniff")
    every = await ada.get("/v1/me/usage/export.csv", params={"from": "2026-03-13"})
    assert every.text == (
        HEADER
        + "requests,2026-03-14T00:00:00Z,2026-03-15T00:00:00Z,140,1000\r\n"
        + "tokens,2026-03-01T00:00:00Z,2026-04-01T00:00:00Z,10,\r\n"
    )
    assert 'filename="usage-all-2026-03-13-to-2026-03-14.csv"' in every.headers["content-disposition"]


async def test_the_file_is_described(kit):
    described = (await (await kit.client()).get("/openapi.json")).json()["paths"]["/v1/me/usage/export.csv"]["get"]
    assert list(described["responses"]["200"]["content"]) == ["text/csv"]
    assert [one["name"] for one in described["parameters"]] == ["meter", "from", "to"]


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


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"days": "0"}, "days"),
        ({"days": "401"}, "days"),
        ({"days": "many"}, "days"),
        ({"days": "3", "from": "2026-03-01"}, "days"),
        ({"from": "yesterday"}, "from"),
        ({"from": "1999-12-31"}, "from"),
        ({"to": "9999-12-31"}, "to"),
        ({"from": "2026-03-02", "to": "2026-03-01"}, "to"),
        ({"from": "2025-01-01", "to": "2026-03-01"}, "from"),
        ({"limit": "0"}, "limit"),
        ({"cursor": "2026-03-01T00:00:00"}, "cursor"),
        ({"cursor": "0001-01-01T00:00:00+14:00"}, "cursor"),
    ],
    ids=str,
)
async def test_422_a_span_that_cannot_be(kit, asked, field):
    answer = await (await kit.sign_in("ada")).get("/v1/me/usage/requests/history", params=asked)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, f"query.{field}")


@pytest.mark.parametrize(
    ("asked", "field"),
    [({"meter": "nothing"}, "meter"), ({"from": "2025-01-01", "to": "2026-03-01"}, "from"), ({"to": "soon"}, "to")],
    ids=str,
)
async def test_422_a_file_that_cannot_be(kit, asked, field):
    answer = await (await kit.sign_in("ada")).get("/v1/me/usage/export.csv", params=asked)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, f"query.{field}")
    assert answer.headers["content-type"] == "application/problem+json"


async def test_400_days_are_not_too_many(kit):
    ada = await kit.sign_in("ada")
    asked = {"from": "2025-02-08", "to": "2026-03-14"}
    assert (date(2026, 3, 14) - date(2025, 2, 8)).days + 1 == DAYS_MAX
    assert (await ada.get("/v1/me/usage/requests/history", params=asked)).status_code == 200
    assert (await ada.get("/v1/me/usage/requests/history", params={"days": DAYS_MAX})).status_code == 200


@pytest.mark.parametrize("path", ["", "/requests/history", "/export.csv"])
async def test_strangers_401(kit, path):
    assert (await (await kit.client()).get(f"/v1/me/usage{path}")).status_code == 401


async def holder_of(kit, client):
    user = UUID((await client.get("/v1/me")).json()["id"])
    async with kit.system.service(writes=False) as ctx:
        return (await by_user(ctx.db, user)).id


def window(day, used):
    return {
        "window_start": f"2026-03-{day:02}T00:00:00Z",
        "window_end": f"2026-03-{day + 1:02}T00:00:00Z",
        "used": used,
        "limit": 5,
    }


async def keep(kit, client, meter, days, *, quota=1000):
    """Windows of March as they were, ten units a day of the month."""
    holder = await holder_of(kit, client)
    async with kit.system.service() as ctx:
        held = await by_id(ctx.db, holder)
        for day in days:
            at = datetime(2026, 3, day, 9, tzinfo=UTC)
            start, end = window_start(meter.per, at), window_end(meter.per, at)
            assert await record(ctx.db, held, Window(meter.name, start, end, 10 * day, quota))


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
