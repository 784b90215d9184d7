"""`/v1/sources` and `/v1/prices/{symbol}`: who may call what, in which order it is refused, and what it costs."""

import pytest

from sources.asking import to_pro, used
from tenantry import Burst, DataSource, Google, Meter, Plan, Product
from tenantry.sources import Binance

requests = Meter("requests", per="day")
OPTIONS = {"description": "Prices", "adapter": Binance(timeout_seconds=0.5)}

product = Product(
    "Acme",
    sign_in=[Google()],
    plans=[
        Plan("free", price=0, limits={requests: 100}, burst=Burst(1000)),
        Plan("pro", price=900, limits={requests: 1000}, burst=Burst(1000)),
    ],
    sources=[
        DataSource("Prices", key="prices", availability="free", status="active", **OPTIONS),
        DataSource("Fast prices", key="fast", availability="pro", status="active", **OPTIONS),
        DataSource("News", key="news", description="Lines", availability="free", status="planned"),
        DataSource("Signals", key="signals", description="Signs", availability="pro", status="planned"),
    ],
)


@pytest.fixture
async def kit(start, exchange):
    return await start(product, binance_base_url=exchange.url)


async def test_sources_are_listed_with_what_the_plan_may_call(kit):
    ada = await kit.sign_in("ada")
    listed = (await ada.get("/v1/sources")).json()
    assert [(one["key"], one["availability"], one["status"], one["callable"]) for one in listed["items"]] == [
        ("prices", "free", "active", True),
        ("fast", "pro", "active", False),
        ("news", "free", "planned", False),
        ("signals", "pro", "planned", False),
    ]
    assert listed["next_cursor"] is None
    await to_pro(kit, ada)
    assert (await ada.get("/v1/sources")).json()["items"][1]["callable"] is True


async def test_a_price_200(kit):
    ada = await kit.sign_in("ada")
    answer = await ada.get("/v1/prices/btcusdt")
    assert answer.status_code == 200
    price = answer.json()
    assert price["symbol"] == "BTCUSDT"
    assert price["source"] == "prices"
    assert (price["price"], price["change_24h"]) == ("62400.00000000", "1200.00000000")
    assert price["stale"] is False
    assert answer.headers["RateLimit-Policy"] == '"requests";q=100;w=86400, "burst";q=1000;w=1'
    assert answer.headers["RateLimit"] == '"requests";r=99;t=43200'
    assert answer.headers["X-RateLimit-Limit"] == "100"
    assert answer.headers["X-RateLimit-Remaining"] == "99"
    assert answer.headers["X-RateLimit-Reset"] == "1773532800"


@pytest.mark.parametrize(
    ("source", "status", "code"),
    [
        ("no-such", 404, "sources.not_found"),
        ("news", 409, "sources.planned"),
        ("signals", 409, "sources.planned"),  # planned is said first, also to those whose plan is too small
        ("fast", 403, "sources.plan_too_small"),
    ],
)
async def test_what_may_not_be_called_is_refused_and_costs_nothing(kit, exchange, source, status, code):
    ada = await kit.sign_in("ada")
    answer = await ada.get("/v1/prices/BTCUSDT", params={"source": source})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert (await used(ada), exchange.requests) == (0, 0)


async def test_pro_calls_what_is_for_pro_but_not_what_is_planned(kit):
    ada = await kit.sign_in("ada")
    await to_pro(kit, ada)
    assert (await ada.get("/v1/prices/BTCUSDT?source=fast")).status_code == 200
    assert (await ada.get("/v1/prices/BTCUSDT?source=signals")).status_code == 409


async def test_the_101st_call_429_consumes_nothing_and_says_when_to_come_back(kit):
    ada = await kit.sign_in("ada")
    for number in range(1, 101):
        answer = await ada.get("/v1/prices/BTCUSDT")
        assert (answer.status_code, answer.headers["X-RateLimit-Remaining"]) == (200, str(100 - number))
    await kit.move(minutes=30)
    refused = await ada.get("/v1/prices/BTCUSDT")
    assert refused.status_code == 429
    assert refused.headers["content-type"] == "application/problem+json"
    problem = refused.json()
    assert (problem["code"], problem["meter"], problem["plan"]) == ("usage.quota_exceeded", "requests", "free")
    assert (problem["limit"], problem["used"], problem["remaining"]) == (100, 100, 0)
    assert problem["reset_at"] == "2026-03-15T00:00:00Z"
    assert refused.headers["Retry-After"] == "41401"
    assert refused.headers["RateLimit-Policy"] == '"requests";q=100;w=86400, "burst";q=1000;w=1'
    assert refused.headers["RateLimit"] == '"requests";r=0;t=41400'
    assert refused.headers["X-RateLimit-Remaining"] == "0"
    assert await used(ada) == 100
    await kit.move(hours=12)
    assert (await ada.get("/v1/prices/BTCUSDT")).status_code == 401  # the session lasted an hour
    ada = await kit.sign_in("ada")
    assert (await ada.get("/v1/prices/BTCUSDT")).headers["X-RateLimit-Remaining"] == "99"


@pytest.mark.parametrize(("symbol", "status", "code"), [
    ("NOPE", 404, "sources.symbol_unknown"),
    ("BTC-USDT", 404, "sources.symbol_unknown"),
    ("OLDUSDT", 404, "sources.no_price"),
])  # fmt: skip
async def test_a_symbol_without_a_price_404_counts(kit, symbol, status, code):
    ada = await kit.sign_in("ada")
    answer = await ada.get(f"/v1/prices/{symbol}")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["X-RateLimit-Remaining"] == "99"
    assert await used(ada) == 1


@pytest.mark.parametrize(
    ("fault", "details", "reason"),
    [
        ("500", {}, "failing"),
        ("slow", {"seconds": 2.0}, "timeout"),
        ("drop", {}, "unreachable"),
        ("lying", {"kind": "nan"}, "invalid"),
        ("429", {"retry_after": "7"}, "throttled"),
    ],
)
async def test_a_source_that_is_away_503_counts(kit, exchange, fault, details, reason):
    ada = await kit.sign_in("ada")
    exchange.fault(fault, **details)
    answer = await ada.get("/v1/prices/ETHUSDT")
    assert (answer.status_code, answer.json()["code"]) == (503, "sources.unavailable")
    assert answer.json()["reason"] == reason
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.headers["X-RateLimit-Remaining"] == "99"
    assert await used(ada) == 1


async def test_strangers_401(kit):
    client = await kit.client()
    for path in ("/v1/sources", "/v1/prices/BTCUSDT"):
        assert (await client.get(path)).status_code == 401


async def test_a_product_without_an_active_source_404(start):
    kit = await start(Product("Acme", sign_in=[Google()], plans=[Plan("free", price=0, limits={requests: 5})]))
    ada = await kit.sign_in("ada")
    assert (await ada.get("/v1/prices/BTCUSDT")).json()["code"] == "sources.not_found"
    assert await used(ada) == 0
