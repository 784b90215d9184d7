"""A person gets from the landing page to a price in four clicks, in a real browser."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

AXE = Path(__file__).parents[1] / "node" / "node_modules" / "axe-core" / "axe.min.js"


def sign_in(tab, server, person="Ada Lovelace"):
    tab.page.goto("/")
    tab.click("link", re.compile("Sign in|Start"))
    tab.click("link", re.compile("demo", re.IGNORECASE))
    tab.click("link", re.compile(person))
    expect(tab.page).to_have_url(re.compile("/dashboard"))


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
def test_four_clicks_from_the_landing_page_to_a_price(server, browse, scripts):
    tab = browse(server, scripts=scripts)
    sign_in(tab, server)
    tab.click("button", re.compile("price", re.IGNORECASE))
    expect(tab.page.get_by_text("BTCUSDT").first).to_be_visible()
    expect(tab.page.locator("body")).to_contain_text(re.compile(r"\b1\b.*\b100\b", re.DOTALL))
    assert tab.clicks == 4
    tab.clean()


def test_sign_out_ends_the_session(server, browse):
    tab = browse(server)
    sign_in(tab, server)
    kept = tab.page.context.cookies()
    tab.page.locator("[data-menu] summary").click()
    tab.page.get_by_role("button", name="Sign out").click()
    expect(tab.page).to_have_url(f"{server.url}/")
    tab.page.context.add_cookies(kept)
    tab.page.goto("/dashboard")
    expect(tab.page).to_have_url(re.compile("/signin"))
    tab.clean()


def test_the_page_says_what_the_stand_ins_are(server, browse):
    tab = browse(server)
    tab.page.goto("/")
    expect(tab.page.locator("body")).to_contain_text(re.compile("stand-in"))


@pytest.mark.timeout(240)
@pytest.mark.parametrize("look", [{}, {"dark": True}, {"phone": True}], ids=["light", "dark", "phone"])
@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_pages_are_accessible_and_fit(server, browse, look):
    if not AXE.exists():
        pytest.fail("axe-core is missing; run `npm ci` in tests/node")
    tab = browse(server, **look)
    for path in ("/", "/pricing", "/signin", "/docs", "/problems", "/design", "/nowhere"):
        tab.page.goto(path)
        assert_accessible(tab, path)
    sign_in(tab, server)
    for path in ("/dashboard", "/usage", "/usage?from=soon&to=2024-01-01&meter=x", "/settings", "/pricing"):
        tab.page.goto(path)
        assert_accessible(tab, path)


def assert_accessible(tab, path):
    # The page's own policy forbids foreign scripts, so the checker is evaluated, not added as a tag.
    tab.page.evaluate(AXE.read_text())
    found = tab.page.evaluate("axe.run()")
    assert [(path, one["id"], one["nodes"][0]["html"]) for one in found["violations"]] == []
    wide, seen = tab.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide <= seen, f"{path} scrolls sideways: {wide} > {seen}"
