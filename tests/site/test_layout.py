"""The frame: where one can go, who one is, and what is not real here."""

import re
from dataclasses import replace

import pytest

from tenantry import Credits, Google, Plan, Product
from tenantry.kernel import Module
from tenantry.kernel.module import NavItem


async def test_a_stranger_can_sign_in_from_everywhere(coinlens, browse):
    client = await browse(coinlens)
    for path in ("/", "/pricing", "/docs", "/problems", "/nowhere"):
        header = (await client.get(path)).text.partition("<main")[0]
        assert 'href="/signin"' in header
        assert "/dashboard" not in header


async def test_who_is_signed_in_finds_the_dashboard_and_the_way_out(coinlens, browse):
    ada = await browse(coinlens, "ada")
    assert 'href="/dashboard"' in (await ada.get("/")).text.partition("<main")[0]
    inside = (await ada.get("/dashboard")).text
    assert "Ada Lovelace" in inside
    assert 'action="/auth/signout"' in inside
    assert '<a href="/dashboard" aria-current="page">' in inside


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("DELETE", "/dashboard", 405)])
async def test_who_is_signed_in_is_known_where_no_route_is(coinlens, browse, statements, method, path, status):
    ada, stranger = await browse(coinlens, "ada"), await browse(coinlens)
    with statements(coinlens) as count:
        page = await ada.request(method, path)
    assert (page.status_code, count()) == (status, 1)
    assert "Ada Lovelace" in page.text
    assert 'action="/auth/signout"' in page.text
    with statements(coinlens) as count:
        page = await stranger.request(method, path)
        answer = await ada.request(method, path, headers={"Accept": "application/json"})
    # Nobody is looked up for a stranger, nor for a program.
    assert (page.status_code, answer.status_code, count()) == (status, status, 0)
    assert 'href="/signin"' in page.text.partition("<main")[0]


async def test_a_missing_page_is_404_whatever_is_in_the_way_of_knowing_who_asks(coinlens, browse):
    async def broken(_request, _runtime):
        raise RuntimeError("the database is away")

    ada, runtime = await browse(coinlens, "ada"), coinlens.runtime
    coinlens.app.state.runtime = replace(runtime, resolvers=[broken])
    page = await ada.get("/nowhere")
    coinlens.app.state.runtime = runtime
    assert page.status_code == 404
    assert 'href="/signin"' in page.text.partition("<main")[0]
    crossed = await ada.post("/nowhere", headers={"Origin": "https://evil.example"})
    assert crossed.status_code == 404
    assert "Ada Lovelace" not in crossed.text


async def test_links_of_modules_are_shown_to_whom_they_are_for(start, browse):
    own = Module("own", nav=[NavItem("Reports", "/reports"), NavItem("About", "/about", signed_in=False)])
    plans = [Plan("free", price=0)]
    kit = await start(Product("Acme", sign_in=[Google()], plans=plans, credits=Credits("tokens"), modules=[own]))
    outside, inside = await browse(kit), await browse(kit, "ada")
    page = (await outside.get("/pricing")).text
    assert "/about" in page
    assert "/reports" not in page
    page = (await inside.get("/dashboard")).text
    assert "/reports" in page
    assert "/about" not in page
    # In the product's own words, and no way to where nothing is counted.
    assert re.search(r'href="/credits".*?Tokens\s*</a>', page, re.DOTALL)
    assert 'href="/usage"' not in page


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("http://127.0.0.1:9", "Prices are made up by a stand-in at 127.0.0.1:9."),
        ("http://localhost:9", "Prices are made up by a stand-in at localhost:9."),
        ("https://data-api.binance.vision", "Prices are real, from data-api.binance.vision."),
    ],
)
async def test_development_says_where_prices_come_from(start, browse, words, coinlens_product, address, sentence):
    kit = await start(coinlens_product, binance_base_url=address)
    text = words(await (await browse(kit)).get("/"))
    assert sentence in text
    assert f"You sign in as a made-up person at {kit.identity.url.partition('//')[2]}." in text


async def test_a_product_without_prices_says_nothing_about_them(kit, browse, words):
    assert "Prices are" not in words(await (await browse(kit)).get("/"))
