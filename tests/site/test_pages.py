"""Landing, pricing, dashboard: what they say, to whom, and in which words."""

import re
from uuid import UUID

import pytest

from tenantry import UNLIMITED, Count, Gauge, Google, Meter, Plan, Price, Product
from tenantry.holders import by_user, set_plan
from tenantry.kernel import Module
from tenantry.kernel.module import Panel

FEATURES = [
    "Core crypto prices (Binance adapter)",
    "Basic news (coming soon)",
    "Rate limits apply",
    "Everything in Free",
    "On\u2011chain & social signals (rolling out)",
    "Higher limits, priority queue",
]
SOURCES = [
    ("Binance Prices", "Spot price, 24h change, 24h volume", "Free", "Active"),
    ("Crypto News (aggregated)", "Headline feed curated for crypto tickers", "Free", "Planned"),
    ("On\u2011chain Metrics", "Network activity, exchange flows", "Pro", "Planned"),
    ("Social Signals", "X/Telegram curated signals and sentiment", "Pro", "Planned"),
]
PUBLIC = ["/", "/pricing", "/docs", "/problems", "/design"]
INSIDE = ["/dashboard", "/settings"]


@pytest.mark.parametrize("path", PUBLIC)
async def test_public_pages_are_for_everybody(coinlens, browse, path):
    stranger, ada = await browse(coinlens), await browse(coinlens, "ada")
    for client in (stranger, ada):
        page = await client.get(path)
        assert page.status_code == 200
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "style=" not in page.text
        assert "<script>" not in page.text


@pytest.mark.parametrize("path", [*PUBLIC, *INSIDE, "/robots.txt", "/favicon.ico", "/dashboard/prices"])
async def test_head_answers_like_get(coinlens, browse, path):
    ada = await browse(coinlens, "ada")
    got, headed = await ada.get(path), await ada.head(path)
    assert (headed.status_code, headed.headers["content-type" if got.text else "location"]) == (
        got.status_code,
        got.headers["content-type" if got.text else "location"],
    )


@pytest.mark.parametrize("path", ["/", "/pricing"])
async def test_plans_are_shown_in_their_own_words(coinlens, browse, words, path):
    text = words(await (await browse(coinlens)).get(path))
    for feature in FEATURES:
        assert feature in text
    assert "Free 100 requests a day $0 free of charge" in text
    assert "Pro 1,000 requests a day To be announced" in text


async def test_the_landing_page_sells_what_is_declared(coinlens, browse, words):
    page = await (await browse(coinlens)).get("/")
    text = words(page)
    for name, description, plan, status in SOURCES:
        assert f"{name} {description} {status} {plan}" in text
    assert "Crypto market data behind one key." in text
    assert "Spot prices today; news, on\u2011chain metrics and social signals next." in text
    assert f"{coinlens.runtime.settings.public_url}/v1/prices/BTCUSDT" in text
    assert 'href="/signin' in page.text


async def test_a_product_without_sources_shows_no_call(kit, browse, words):
    text = words(await (await browse(kit)).get("/"))
    assert "curl" not in text
    assert "Data sources" not in text


async def test_the_plan_of_who_is_signed_in_is_marked(coinlens, browse, words):
    ada = await browse(coinlens, "ada")
    text = words(await ada.get("/pricing"))
    assert "Free Your plan" in text
    assert "Pro Your plan" not in text
    await put_on(coinlens, ada, "pro")
    text = words(await ada.get("/pricing"))
    assert "Pro Your plan" in text
    assert "Your plan" not in words(await (await browse(coinlens)).get("/pricing"))


async def test_prices_and_limits_of_every_kind_are_put_into_words(start, browse, words):
    tokens, storage, rows, jobs = Meter("tokens", per="month"), Gauge("storage"), Count("saved_views"), Meter("jobs")
    small = {tokens: 5000, storage: 52_000_000, rows: 3, jobs: 1}
    big = {tokens: UNLIMITED, storage: 10**12, rows: UNLIMITED, jobs: UNLIMITED}
    plans = [
        Plan("hobby", price=0, limits=small),
        Plan("club", price=Price(1950, "EUR", "year"), limits=big),
        Plan("old", price=500, limits=big, is_active=False),
    ]
    kit = await start(Product("Acme", sign_in=[Google()], plans=plans))
    text = words(await (await browse(kit)).get("/pricing"))
    assert "5,000 tokens a month · 52 MB of storage · 3 saved views · 1 job a day" in text
    assert "Tokens without a limit · 1 TB of storage" in text
    assert "€19.50 a year" in text
    assert "Old" not in text  # an inactive plan is not offered


async def test_who_holds_an_inactive_plan_still_sees_it(start, browse, words):
    requests = Meter("requests")
    plans = [
        Plan("free", price=0, limits={requests: 5}),
        Plan("early_bird", price=100, limits={requests: 9}, is_active=False),
    ]
    kit = await start(Product("Acme", sign_in=[Google()], plans=plans))
    ada = await browse(kit, "ada")
    assert "Early Bird" not in words(await ada.get("/pricing"))
    await put_on(kit, ada, "early_bird")
    assert "Early Bird Your plan" in words(await ada.get("/pricing"))


@pytest.mark.parametrize("path", INSIDE)
async def test_a_stranger_is_sent_to_the_sign_in_and_back(coinlens, browse, path):
    client = await browse(coinlens)
    sent = await client.get(f"{path}?from=mail")
    assert (sent.status_code, sent.headers["location"]) == (303, f"/signin?return_to={path}%3Ffrom%3Dmail")
    back = await client.get(sent.headers["location"])
    assert back.status_code == 200
    started = await client.get(
        re.search(r'href="(http[^"]*/auth/demo/start[^"]*)"', back.text)[1].replace("&amp;", "&")
    )
    landed = await coinlens.finish_sign_in(client, "ada", started)
    assert (landed.status_code, landed.headers["location"]) == (303, f"{path}?from=mail")


@pytest.mark.parametrize("path", INSIDE)
async def test_a_stranger_who_asks_for_json_is_told_401(coinlens, path):
    answer = await (await coinlens.client(Accept="application/json")).get(path)
    assert (answer.status_code, answer.json()["code"]) == (401, "request.unauthenticated")


async def test_a_script_whose_session_ended_is_led_to_the_sign_in(coinlens, browse):
    client = await browse(coinlens, **{"HX-Request": "true", "HX-Request-Type": "partial"})
    answer = await client.post("/dashboard/prices", data={"symbol": "BTCUSDT"})
    assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/signin?return_to=/dashboard")


async def test_a_form_of_an_ended_session_leads_back_to_the_dashboard(coinlens, browse):
    answer = await (await browse(coinlens)).post("/dashboard/prices", data={"symbol": "BTCUSDT"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/signin?return_to=/dashboard")


async def test_the_dashboard_shows_plan_usage_reset_and_sources(coinlens, browse, words):
    ada = await browse(coinlens, "ada")
    page = await ada.get("/dashboard")
    text = words(page)
    assert "Signed in as ada@example.com." in text
    assert "Plan Free" in text
    assert "Used today 0" in text
    assert "100 of 100 left today." in text
    assert '<time datetime="2026-03-15T00:00:00Z" data-local="zone">' in page.text
    assert "in 12 hours" in text
    for name, description, plan, status in SOURCES:
        assert f"{name} {description} {plan} {status}" in text
    assert text.count("needs Pro") == 2
    assert "ready to call" in text


async def test_the_dashboard_costs_three_statements(coinlens, browse, statements):
    ada = await browse(coinlens, "ada")
    with statements(coinlens) as count:
        assert (await ada.get("/dashboard")).status_code == 200
    assert count() == 3  # the session; the meter's window; its last days


async def test_panels_of_the_authors_own_stand_among_ours_and_a_failing_one_fails_the_page(start, browse):
    async def broken(_ctx, request):
        if "broken" in request.query_params:
            raise RuntimeError("nothing to show")
        return {"cards": [], "plan": Plan("mine", price=0, display_name="My own")}

    own = Module("own", panels=[Panel("own", "usage/panel.html", broken, order=5)])
    kit = await start(Product("Acme", sign_in=[Google()], plans=[Plan("free", price=0)], modules=[own]))
    ada = await browse(kit, "ada")
    page = await ada.get("/dashboard")
    assert page.text.index("My own") < page.text.index("Free")
    assert (await ada.get("/dashboard?broken=1")).status_code == 500


@pytest.mark.parametrize(("language", "title"), [("de-AT,de;q=0.9", "Preise"), ("fr,en;q=0.5", "Pricing")])
async def test_pages_speak_the_readers_language(coinlens, browse, words, language, title):
    page = await (await browse(coinlens, **{"Accept-Language": language})).get("/pricing")
    assert f"<title>{title} · Coinlens</title>" in page.text
    assert FEATURES[0] in words(page)  # the declaration's own words stay


async def test_design_is_not_there_in_production(start, browse):
    https = {"environment": "production", "public_url": "https://acme.example", "demo_issuer": None}
    google = {"google_client_id": "id", "google_client_secret": "secret"}
    kit = await start(None, **https, **google)
    client = await browse(kit)
    client.base_url = "https://acme.example"
    assert (await client.get("/design")).status_code == 404
    assert "environment" not in (await client.get("/")).text


async def put_on(kit, client, plan):
    user = UUID((await client.get("/v1/me", headers={"Accept": "application/json"})).json()["id"])
    async with kit.system.service() as ctx:
        holder = await by_user(ctx.db, user)
        await set_plan(ctx, holder.id, plan=plan, source="admin", reason="a test")
