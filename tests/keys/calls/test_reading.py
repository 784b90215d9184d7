"""`/v1/keys/{id}/calls`, `.csv` and `/stats`."""

import csv
from datetime import timedelta
from io import StringIO
from uuid import UUID, uuid4

import pytest

from keys.calls.world import caller, fill
from tenantry.keys.calls import CallLog


@pytest.fixture
async def log(kit):
    return kit.runtime.port(CallLog)


@pytest.fixture
async def noted(kit, key, log, written):
    """Calls over five hours, oldest first; many of the same moment."""
    for hour in range(5):
        fill(log, caller(kit, key), 40, seed=hour)
        await kit.move(hours=1)
    return await written()


def path(key, more=""):
    return f"/v1/keys/{key['id']}/{more}"


async def listed(client, key, **query):
    answer = await client.get(path(key, "calls"), params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def all_listed(client, key, **query):
    """Page by page, by the cursor."""
    found, cursor = [], {}
    while cursor is not None:
        page = await listed(client, key, **query, **cursor)
        found += page["items"]
        cursor = page["next_cursor"] and {"cursor": page["next_cursor"]}
    return found


async def test_calls_are_listed_newest_first(ada, key, robot, kit, log):
    await robot.get("/v1/things/1")
    await kit.move(seconds=1)
    await robot.get("/v1/things/2/scoped")
    await log.flush()
    page = await listed(ada, key)
    assert [one["endpoint"] for one in page["items"]] == ["/v1/things/{thing}/scoped", "/v1/things/{thing}"]
    assert page["next_cursor"] is None
    newest = page["items"][0]
    assert (newest["method"], newest["status"], newest["at"]) == ("GET", 403, "2026-03-14T12:00:01Z")
    assert (newest["request_body"], newest["response_body"]) == (None, None)


async def test_a_key_without_calls_has_an_empty_list(ada, key):
    assert await listed(ada, key) == {"items": [], "next_cursor": None}


@pytest.mark.parametrize("limit", [1, 7, 40, 100])
async def test_pages_by_cursor_and_by_offset_tell_every_call_once(ada, key, noted, limit):
    expected = [str(one["id"]) for one in sorted(noted, key=lambda one: (one["at"], one["id"]), reverse=True)]
    assert [one["id"] for one in await all_listed(ada, key, limit=limit)] == expected
    some = [one["id"] for one in (await listed(ada, key, limit=limit, offset=13))["items"]]
    assert some == expected[13 : 13 + limit]


FILTERS = {
    "a code": ({"status": "404"}, lambda one: one["status"] == 404),
    "a class": ({"status": "4xx"}, lambda one: 400 <= one["status"] < 500),
    "no answer": ({"status": "0"}, lambda one: one["status"] == 0),
    "an endpoint": ({"endpoint": "/v1/work"}, lambda one: one["endpoint"] == "/v1/work"),
    "a method": ({"method": "post"}, lambda one: one["method"] == "POST"),
    "a span": (
        {"since": "2026-03-14T13:00:00Z", "until": "2026-03-14T16:00:00+01:00"},
        lambda one: 13 <= one["at"].hour < 15,
    ),
    "several": (
        {"status": "2xx", "method": "GET", "endpoint": "/v1/work", "since": "2026-03-14T14:00:00Z"},
        lambda one: (
            200 <= one["status"] < 300
            and (one["method"], one["endpoint"]) == ("GET", "/v1/work")
            and one["at"].hour >= 14
        ),
    ),
}


@pytest.mark.parametrize(("query", "wanted"), FILTERS.values(), ids=FILTERS)
async def test_filters(ada, key, noted, query, wanted):
    found = await all_listed(ada, key, limit=9, **query)
    expected = {str(one["id"]) for one in noted if wanted(one)}
    assert expected
    assert {one["id"] for one in found} == expected
    text = (await ada.get(path(key, "calls.csv"), params=query)).text
    assert len(text.splitlines()) == len(expected) + 1


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"status": "6xx"}, "query.status"),
        ({"status": "abc"}, "query.status"),
        ({"since": "yesterday"}, "query.since"),
        ({"limit": "0"}, "query.limit"),
        ({"cursor": "x"}, "query.cursor"),
        ({"cursor": "2026-03-14T12:00:00Z_x"}, "query.cursor"),
        ({"cursor": "9999-99-99_00000000-0000-0000-0000-000000000000"}, "query.cursor"),
    ],
)
async def test_422_what_no_call_can_match(ada, key, query, field):
    refused = await ada.get(path(key, "calls"), params=query)
    assert (refused.status_code, refused.json()["code"]) == (422, "request.invalid")
    assert [one["field"] for one in refused.json()["errors"]] == [field]


async def test_404_other_peoples_keys_and_keys_that_are_not_there(kit, key):
    grace = await kit.sign_in("grace")
    for one in (key["id"], uuid4()):
        for what in ("calls", "calls.csv", "stats"):
            refused = await grace.get(f"/v1/keys/{one}/{what}")
            assert (refused.status_code, refused.json()["code"]) == (404, "keys.not_found")


async def test_403_a_key_does_not_read_about_itself(robot, key):
    for what in ("calls", "calls.csv", "stats"):
        assert (await robot.get(path(key, what))).status_code == 403


async def test_the_file_has_a_line_for_each_call_and_no_formula(kit, ada, key, log):
    log.add(caller(kit, key), method="GET", endpoint="=HYPERLINK(1)", status=200, seconds=0.012)
    log.add(caller(kit, key), method="GET", endpoint='/v1/a,"b"', status=404, seconds=0.001)
    await log.flush()
    answer = await ada.get(path(key, "calls.csv"))
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert f"calls-{key['id']}.csv" in answer.headers["content-disposition"]
    lines = list(csv.DictReader(StringIO(answer.text)))
    assert {one["endpoint"] for one in lines} == {"'=HYPERLINK(1)", '/v1/a,"b"'}
    first = next(one for one in lines if one["status"] == "200")
    assert (first["at"], first["method"], first["latency_ms"]) == ("2026-03-14T12:00:00Z", "GET", "12")
    assert len((await ada.get(path(key, "calls.csv"), params={"limit": 1})).text.splitlines()) == 2


def close_to(found, calls):
    """Whether a summary is that of these calls."""
    values = sorted(one["latency_ms"] for one in calls)
    assert found["calls"] == len(values)
    assert found["errors"] == sum(one["status"] >= 400 or one["status"] == 0 for one in calls)
    if not values:
        return [found["mean_ms"], found["p50_ms"], found["p95_ms"]] == [None, None, None]
    assert found["mean_ms"] == pytest.approx(sum(values) / len(values))
    for name, share in (("p50_ms", 0.5), ("p95_ms", 0.95)):
        true = values[max(1, -(-int(share * 100) * len(values) // 100)) - 1]
        assert abs(found[name] - true) <= 0.1 * true + 1e-9
    return True


async def test_the_stats_of_a_day_are_told_by_the_hour(ada, key, noted):
    found = (await ada.get(path(key, "stats"))).json()
    assert (found["since"], found["until"]) == ("2026-03-13T18:00:00Z", "2026-03-14T18:00:00Z")
    assert (found["step_seconds"], len(found["steps"])) == (3600, 24)
    assert close_to(found["total"], noted)
    for step in found["steps"]:
        assert close_to(step, [one for one in noted if one["at"].isoformat()[:13] == step["at"][:13]])
    assert {(one["method"], one["endpoint"]) for one in found["endpoints"]} == {
        (one["method"], one["endpoint"]) for one in noted
    }
    for one in found["endpoints"]:
        assert close_to(
            one, [call for call in noted if (call["method"], call["endpoint"]) == (one["method"], one["endpoint"])]
        )


async def test_the_stats_of_many_days_are_told_by_the_day(kit, ada, key, log, written):
    for _ in range(6):
        fill(log, caller(kit, key), 30)
        await kit.move(timedelta(hours=17))
    noted = await written()
    found = (await ada.get(path(key, "stats"), params={"days": 7})).json()
    assert (found["step_seconds"], len(found["steps"])) == (86400, 7)
    assert (found["steps"][0]["at"], found["until"]) == ("2026-03-12T00:00:00Z", "2026-03-19T00:00:00Z")
    for step in found["steps"]:
        assert close_to(step, [one for one in noted if one["at"].isoformat()[:10] == step["at"][:10]])
    assert close_to(found["total"], noted)


async def test_a_key_without_calls_has_empty_stats(ada, key):
    found = (await ada.get(path(key, "stats"), params={"days": 30})).json()
    assert (found["total"]["calls"], found["endpoints"], len(found["steps"])) == (0, [], 30)
    assert {one["calls"] for one in found["steps"]} == {0}


async def test_each_is_one_statement(kit, ada, key, noted, statements):
    # The session is renewed by the first request after hours.
    await ada.get(f"/v1/keys/{UUID(key['id'])}")
    with statements(kit) as count:
        await ada.get(f"/v1/keys/{UUID(key['id'])}")
        one = count()
    for what in ("calls", "calls?status=2xx&limit=3", "calls.csv", "stats", "stats?days=90"):
        with statements(kit) as count:
            assert (await ada.get(path(key, what))).status_code == 200
            assert count() == one, what
