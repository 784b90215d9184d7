"""A person sets an authenticator app up, signs in with it, loses it, and comes in with a recovery code."""

import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pyotp
import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

AXE = Path(__file__).parents[1] / "node" / "node_modules" / "axe-core" / "axe.min.js"
PATH = "/settings/second-factor"


def sign_in(tab):
    tab.page.goto("/signin")
    tab.click("link", re.compile("demo", re.IGNORECASE))
    tab.click("link", re.compile("Ada Lovelace"))


def begin(tab):
    """The secret that the page shows."""
    tab.page.goto(PATH)
    tab.click("button", "Set up an app")
    expect(tab.page.get_by_role("img", name="QR code")).to_be_visible()
    assert tab.page.get_by_role("img", name="QR code").evaluate("picture => picture.naturalWidth") > 0
    return tab.page.locator("[data-copy-text]").inner_text().replace(" ", "")


def finish(tab, secret):
    """The recovery codes that are shown once."""
    tab.page.get_by_label("Code that the app shows").fill(code_of(secret, -1))
    tab.click("button", "Turn it on")
    expect(tab.page.get_by_role("heading", level=1)).to_have_text("Your recovery codes")
    return tab.page.locator("[data-copy-text]").inner_text().split()


def code_of(secret, steps):
    """What an app shows, or so many steps off: each code works once, and nobody here waits half a minute."""
    return pyotp.TOTP(secret).at(datetime.now(UTC), counter_offset=steps)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("look", [{}, {"dark": True, "phone": True}, {"scripts": False}], ids=["", "phone", "plain"])
def test_an_app_and_when_it_is_lost_a_recovery_code(server, browse, look):
    tab = browse(server, **look)
    sign_in(tab)
    secret = begin(tab)
    codes = finish(tab, secret)
    assert len(codes) == 10
    with tab.page.expect_download() as download:
        tab.click("link", "Download as a text file")
    assert download.value.suggested_filename == "recovery-codes.txt"
    assert codes == download.value.path().read_text().split()[-10:]
    tab.click("link", "I have kept them")
    expect(tab.page.locator("#second-factor")).to_contain_text("Your second factor is on.")

    tab.page.context.clear_cookies()
    sign_in(tab)
    expect(tab.page).to_have_url(re.compile("/auth/second-factor"))
    tab.page.get_by_label("Code of your authenticator app").fill("000000")
    tab.click("button", "Confirm")
    expect(tab.page.get_by_label("Code of your authenticator app")).to_have_accessible_description(
        re.compile("Take the one that the app shows now")
    )
    tab.faults.clear()  # Chromium calls the answer 422 an error.
    tab.page.get_by_label("Code of your authenticator app").fill(code_of(secret, 1))
    tab.page.get_by_label("Code of your authenticator app").press("Enter")
    expect(tab.page).to_have_url(re.compile("/dashboard"))

    tab.page.context.clear_cookies()
    sign_in(tab)
    tab.page.get_by_text("Use a recovery code instead").click()
    tab.page.get_by_label("Recovery code").fill(codes[0])
    tab.page.get_by_label("Recovery code").press("Enter")
    expect(tab.page).to_have_url(re.compile("/dashboard"))
    tab.page.goto(PATH)
    expect(tab.page.locator("#codes")).to_contain_text("9 codes are left.")
    tab.click("button", "Remove")
    tab.click("button", "Remove the app")
    expect(tab.page.locator("#second-factor")).to_contain_text("Your second factor is off.")
    assert_undisturbed(tab)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("look", [{}, {"dark": True}, {"phone": True}], ids=["light", "dark", "phone"])
@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_the_pages_of_second_factors_are_accessible_and_fit(server, browse, database, look):
    if not AXE.exists():
        pytest.fail("axe-core is missing; run `npm ci` in tests/node")
    tab = browse(server, **look)
    sign_in(tab)
    let_it_be_long_ago(database)
    tab.page.goto(PATH)
    assert_accessible(tab, "/auth/confirm")
    tab.click("button", "Send a code")
    assert_accessible(tab, "/auth/confirm")
    tab.page.context.clear_cookies()
    sign_in(tab)
    tab.page.goto(PATH)
    assert_accessible(tab, PATH)
    secret = begin(tab)
    assert_accessible(tab, f"{PATH}/app")
    finish(tab, secret)
    assert_accessible(tab, f"{PATH}/app/confirm")
    for path in (PATH, "/settings"):
        tab.page.goto(path)
        assert_accessible(tab, path)
    let_it_be_long_ago(database)
    tab.page.goto(PATH)
    assert_accessible(tab, "/auth/confirm")
    tab.page.context.clear_cookies()
    sign_in(tab)
    tab.page.get_by_text("Use a recovery code instead").click()
    assert_accessible(tab, "/auth/second-factor")
    assert_undisturbed(tab)


def let_it_be_long_ago(database):
    """Everybody's last proof: a step-up is asked for then."""
    with closing(sqlite3.connect(database.api_url.removeprefix("sqlite:///"), timeout=10)) as file:
        file.execute("UPDATE sessions SET authenticated_at = '2020-01-01T00:00:00.000000Z'")
        file.commit()


def assert_accessible(tab, path):
    expect(tab.page).to_have_url(re.compile(re.escape(path)))
    # The page's own policy forbids foreign scripts, so the checker is evaluated, not added as a tag.
    tab.page.evaluate(AXE.read_text())
    found = tab.page.evaluate("axe.run()")
    assert [(path, one["id"], one["nodes"][0]["html"]) for one in found["violations"]] == []
    wide, seen = tab.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide <= seen, f"{path} scrolls sideways: {wide} > {seen}"


def assert_undisturbed(tab):
    # Going on before the icon has come is no fault.
    assert [one for one in tab.faults if "favicon" not in one] == []
