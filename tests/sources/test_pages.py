"""`POST /dashboard/prices`: a price tried on the dashboard, by a form and by a script."""

from html import unescape

import pytest

from tenantry import DataSource, Google, Meter, Plan, Product
from tenantry.sources import Binance

requests = Meter("requests", per="day")
HTML = {"Accept": "text/html"}
SCRIPT = {**HTML, "HX-Request": "true", "HX-Request-Type": "partial"}


def product_of(limit=100, **changes):
    values = {
        "key": "prices",
        "description": "Spot",
        "availability": "free",
        "status": "active",
        "adapter": Binance(timeout_seconds=0.5),
        **changes,
    }
    plans = [Plan("free", price=0, limits={requests: limit}), Plan("pro", price=900, limits={requests: 1000})]
    return Product("Acme", sign_in=[Google()], plans=plans, sources=[DataSource("Prices", **values)])


@pytest.fixture
async def ada(start, exchange):
    return await browser(start, exchange, product_of())


async def browser(start, exchange, product):
    kit = await start(product, binance_base_url=exchange.url)
    return await kit.sign_in("ada", client=await kit.client(**HTML))


async def test_the_form_is_there_with_a_symbol_to_try(ada):
    page = (await ada.get("/dashboard")).text
    assert 'action="/dashboard/prices"' in page
    assert 'value="BTCUSDT"' in page
    assert 'class="reading"' not in page


async def test_a_form_shows_the_price_and_the_new_count_on_the_whole_dashboard(ada):
    answer = await ada.post("/dashboard/prices", data={"symbol": " ethusdt "})
    page = answer.text
    assert answer.status_code == 200
    assert page.startswith("<!doctype html>")
    assert "3,435.00" in page
    assert "+2.84%" in page
    assert "+95.00" in page
    assert "310,000" in page
    assert "99 of 100 calls left." in page
    assert "99 of 100 left today." in page
    assert 'aria-valuenow="1"' in page
    assert 'value="ethusdt"' in page
    assert answer.headers["X-RateLimit-Remaining"] == "99"


async def test_a_script_gets_the_panels_only(ada):
    answer = await ada.post("/dashboard/prices", data={"symbol": "BTCUSDT"}, headers=SCRIPT)
    assert answer.status_code == 200
    assert "<html" not in answer.text
    assert "62,400.00" in answer.text
    assert 'aria-valuenow="1"' in answer.text


async def test_small_prices_keep_every_digit(ada):
    assert "0.0000127" in (await ada.post("/dashboard/prices", data={"symbol": "SHIBUSDT"})).text


async def test_figures_are_written_as_the_reader_does(ada):
    page = (await ada.post("/dashboard/prices", data={"symbol": "BTCUSDT"}, headers={"Accept-Language": "de"})).text
    assert "62.400,00" in page
    assert "Heute noch 99 von 100 übrig." in page


@pytest.mark.parametrize(
    ("symbol", "status", "code", "used"),
    [
        ("NOPE", 404, "sources.symbol_unknown", 1),
        ("OLDUSDT", 404, "sources.no_price", 1),
        ("<b>x</b>", 404, "sources.symbol_unknown", 1),
        ("", 422, "sources.symbol_missing", 0),
        ("   ", 422, "sources.symbol_missing", 0),
    ],
)
@pytest.mark.parametrize("headers", [HTML, SCRIPT], ids=["form", "script"])
async def test_what_cannot_be_priced_is_said_beside_the_field(ada, symbol, status, code, used, headers):
    answer = await ada.post("/dashboard/prices", data={"symbol": symbol}, headers=headers)
    assert answer.status_code == status
    assert f"<code>{status} {code}</code>" in answer.text
    assert f'aria-valuenow="{used}"' in answer.text
    assert "<b>x</b>" not in answer.text
    assert symbol.strip() in unescape(answer.text)


async def test_a_missing_field_is_an_empty_one(ada):
    assert (await ada.post("/dashboard/prices")).status_code == 422


@pytest.mark.parametrize(("fault", "details"), [("500", {}), ("slow", {"seconds": 2.0})])
async def test_a_source_that_is_away_is_503_in_the_panel_and_counts(ada, exchange, fault, details):
    exchange.fault(fault, **details)
    answer = await ada.post("/dashboard/prices", data={"symbol": "BTCUSDT"})
    assert answer.status_code == 503
    assert "<code>503 sources.unavailable</code>" in answer.text
    assert "Try again in" in answer.text
    assert 'aria-valuenow="1"' in answer.text
    assert int(answer.headers["Retry-After"]) >= 1


async def test_at_the_limit_429_the_panel_says_when_it_starts_again(start, exchange):
    ada = await browser(start, exchange, product_of(limit=2))
    for _ in range(2):
        assert (await ada.post("/dashboard/prices", data={"symbol": "BTCUSDT"})).status_code == 200
    answer = await ada.post("/dashboard/prices", data={"symbol": "BTCUSDT"})
    assert answer.status_code == 429
    assert "<code>429 usage.quota_exceeded</code>" in answer.text
    assert "Limit reached." in answer.text
    assert '<time datetime="2026-03-15T00:00:00Z" data-local>Mar 15, 2026, 12:00\u202fAM UTC</time>' in answer.text
    assert 'aria-valuenow="2"' in answer.text
    assert answer.headers["Retry-After"] == "43201"
    assert answer.headers["X-RateLimit-Remaining"] == "0"


async def test_a_source_for_a_larger_plan_is_403_in_the_panel(start, exchange):
    ada = await browser(start, exchange, product_of(availability="pro"))
    assert "needs Pro" in (await ada.get("/dashboard")).text
    answer = await ada.post("/dashboard/prices", data={"symbol": "BTCUSDT"})
    assert answer.status_code == 403
    assert "<code>403 sources.plan_too_small</code>" in answer.text
    assert 'aria-valuenow="0"' in answer.text


async def test_without_an_active_source_there_is_no_form(start, exchange):
    ada = await browser(start, exchange, product_of(status="planned", adapter=None))
    assert "/dashboard/prices" not in (await ada.get("/dashboard")).text


async def test_a_reload_leads_back_to_the_dashboard(ada):
    answer = await ada.get("/dashboard/prices")
    assert (answer.status_code, answer.headers["location"]) == (303, "/dashboard")
