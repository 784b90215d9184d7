"""What is told of a source that does not answer just now: in `/v1/sources`, on the dashboard, to monitors."""

import re
from datetime import UTC, datetime

import pytest

from sources.asking import TICKERS, learned, used
from tenantry import DataSource, Google, Meter, Plan, Product
from tenantry.sources import Binance, Feeds

requests = Meter("requests", per="day")
HTML = {"Accept": "text/html"}


def product_of(**adapter):
    plans = [Plan("free", price=0, limits={requests: 100}), Plan("pro", price=900, limits={requests: 1000}, priority=1)]
    values = {"availability": "free", "description": "Spot"}
    adapter = Binance(**{"timeout_seconds": 0.5, "failures_max": 2, "open_seconds": 30, **adapter})
    sources = [
        DataSource("Prices", key="prices", status="active", adapter=adapter, **values),
        DataSource("News", key="news", status="planned", **values),
    ]
    return Product("Acme", sign_in=[Google()], plans=plans, sources=sources)


@pytest.fixture
async def kit(start, exchange):
    return await start(product_of(), binance_base_url=exchange.url)


async def states(client):
    return [(one["state"], one["retry_at"]) for one in (await client.get("/v1/sources")).json()["items"]]


async def test_a_source_is_ok_until_it_fails_and_a_planned_one_has_no_state(kit, exchange):
    ada = await kit.sign_in("ada")
    assert await states(ada) == [("ok", None), (None, None)]
    await ada.get("/v1/prices/BTCUSDT")
    assert await states(ada) == [("ok", None), (None, None)]
    assert exchange.asked[TICKERS] == 1


async def test_an_open_circuit_is_unavailable_until_it_is_tried_again(kit, exchange):
    ada = await kit.sign_in("ada")
    exchange.fault("500", count=2)
    for _ in range(2):
        assert (await ada.get("/v1/prices/BTCUSDT")).status_code == 503
    [(state, retry_at), _] = await states(ada)
    assert state == "unavailable"
    assert "2026-03-14T12:00:29" < retry_at <= "2026-03-14T12:00:30Z"
    asked = exchange.requests
    await states(ada)
    assert exchange.requests == asked  # nobody is asked for it
    await kit.move(seconds=31)
    assert (await states(ada))[0] == ("ok", None)
    assert (await ada.get("/v1/prices/BTCUSDT")).status_code == 200


async def test_a_ban_is_unavailable_until_its_end(kit, exchange):
    ada = await kit.sign_in("ada")
    until = datetime(2026, 3, 14, 13, 0, tzinfo=UTC)
    exchange.fault("418", until_ms=int(until.timestamp() * 1000))
    assert (await ada.get("/v1/prices/BTCUSDT")).json()["reason"] == "banned"
    [(state, retry_at), _] = await states(ada)
    assert (state, retry_at[:16]) == ("unavailable", "2026-03-14T12:59")


async def test_a_place_that_is_not_served_has_no_time(kit, exchange):
    ada = await kit.sign_in("ada")
    exchange.fault("451")
    await ada.get("/v1/prices/BTCUSDT")
    assert (await states(ada))[0] == ("unavailable", None)


async def test_the_dashboard_says_it_in_words_without_asking(kit, exchange):
    ada = await kit.sign_in("ada", client=await kit.client(**HTML))
    page = (await ada.get("/dashboard")).text
    assert "Not answering now" not in page
    exchange.fault("418", until_ms=int(datetime(2026, 3, 14, 13, 0, tzinfo=UTC).timestamp() * 1000))
    tried = await ada.post("/dashboard/prices", data={"symbol": "BTCUSDT"})
    assert tried.status_code == 503
    assert "Not answering now" in tried.text
    assert "in 1 hour" in tried.text
    asked = exchange.requests
    page = (await ada.get("/dashboard", headers={"Accept-Language": "de"})).text
    assert "Antwortet gerade nicht" in page
    assert exchange.requests == asked


async def test_monitors_see_requests_calls_units_and_whether_it_is_up(kit, exchange):
    ada = await kit.sign_in("ada")
    for symbol in ("BTCUSDT", "BTCUSDT", "NOSUCH", "OLDUSDT"):
        await ada.get(f"/v1/prices/{symbol}")
    figures = await metrics(ada)
    assert figures["tenantry_source_up", "prices", ""] == 1
    assert figures["tenantry_source_calls_total", "prices", "asked"] == 1
    assert figures["tenantry_source_calls_total", "prices", "cached"] == 1
    assert figures["tenantry_source_calls_total", "prices", "unknown"] == 1
    assert figures["tenantry_source_calls_total", "prices", "no_price"] == 1
    assert figures["tenantry_source_requests_total", "prices", "200"] >= 2
    assert figures["tenantry_source_units_used", "prices", ""] >= 4
    assert figures["tenantry_source_units_limit", "prices", ""] in (1200, 6000)
    assert figures["tenantry_source_waits_total", "prices", "sent"] >= 2
    assert figures["tenantry_source_waiting", "prices", ""] == 0
    exchange.fault("429", retry_after="7")
    await ada.get("/v1/prices/ETHUSDT")
    figures = await metrics(ada)
    assert figures["tenantry_source_up", "prices", ""] == 0
    assert figures["tenantry_source_requests_total", "prices", "429"] == 1
    assert figures["tenantry_source_calls_total", "prices", "throttled"] == 1


async def metrics(client):
    found = {}
    for line in (await client.get("/metrics")).text.splitlines():
        if match := re.fullmatch(r'(\w+)\{(?:outcome="(\w+)",)?source="(\w+)"(?:,outcome="(\w+)")?\} (\S+)', line):
            name, before, source, after, value = match.groups()
            found[name, source, before or after or ""] = float(value)
    return found


async def test_503_busy_where_the_upstreams_limit_is_used_up_counts_and_says_when(start, exchange):
    kit = await start(product_of(wait_seconds=0.2), binance_base_url=exchange.url)
    ada = await kit.sign_in("ada")
    assert (await ada.get("/v1/prices/BTCUSDT")).status_code == 200
    await learned(kit.runtime.port(Feeds).feed("prices"), exchange)
    exchange.fault("odd_weight", kind="5999", count=100)  # others of this address are greedy
    assert (await ada.get("/v1/prices/XRPUSDT")).status_code == 200
    refused = await ada.get("/v1/prices/ADAUSDT")
    assert (refused.status_code, refused.json()["code"]) == (503, "sources.busy")
    assert refused.json()["reason"] == "short"
    assert refused.headers["Retry-After"] == "60"
    assert refused.headers["X-RateLimit-Remaining"] == "97"
    assert await used(ada) == 3
    assert (await ada.get("/v1/sources")).json()["items"][0]["state"] == "ok"
    await kit.move(seconds=3)
    stale = (await ada.get("/v1/prices/XRPUSDT")).json()
    assert (stale["stale"], stale["age_seconds"] >= 3) == (True, True)
    await kit.move(seconds=57)
    exchange.clear()
    assert (await ada.get("/v1/prices/ADAUSDT")).status_code == 200
