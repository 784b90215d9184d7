"""A person makes an API key in a browser, a program calls with it, and it ends where it was made."""

import re

import httpx2
import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


@pytest.fixture
def server(run_server):
    with run_server(blueprint="screening_api") as running:
        yield running


def sign_in(tab):
    tab.page.goto("/signin")
    tab.click("link", re.compile("demo", re.IGNORECASE))
    tab.click("link", re.compile("Ada Lovelace"))
    expect(tab.page).to_have_url(re.compile("/dashboard"))


def make_key(tab, name, **fields):
    tab.page.goto("/keys")
    tab.page.get_by_label("Name").fill(name)
    for label in fields.get("ticked", ()):
        tab.page.get_by_label(label).check()
    tab.click("button", "Make the key")
    expect(tab.page.get_by_role("heading", name="Your new key")).to_be_visible()
    return tab.page.get_by_role("group", name="Secret").inner_text().strip()


def screen(server, secret, name="Виктор Морозов"):
    return httpx2.post(
        f"{server.url}/api/v1/screen", headers={"Authorization": f"Bearer {secret}"}, json={"name": name}, timeout=20
    )


@pytest.mark.parametrize("look", [{}, {"phone": True, "dark": True}], ids=["desk", "dark phone"])
def test_from_a_new_key_to_its_end(server, browse, look):
    tab = browse(server, **look)
    sign_in(tab)
    if look.get("phone"):
        tab.click("button", "Menu")
    tab.click("link", "API keys")
    expect(tab.page.get_by_role("heading", name="No keys yet")).to_be_visible()
    secret = make_key(tab, "Onboarding", ticked=["list:read"])
    found = screen(server, secret)
    assert (found.status_code, found.json()["matches"][0]["entry"]["id"]) == (200, "WL-1001")
    tab.click("link", "I have kept it")
    assert secret not in tab.page.content()

    tab.click("button", "Rotate Onboarding")
    tab.click("button", "Make the new key")
    second = tab.page.get_by_role("group", name="Secret").inner_text().strip()
    assert [screen(server, one).status_code for one in (secret, second)] == [200, 200]
    tab.fits()

    tab.page.goto("/keys")
    rows = tab.page.get_by_role("table", name="API keys").locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.nth(1)).to_contain_text("Replaced")
    tab.fits()
    rows.nth(1).get_by_role("button", name="Revoke").click()
    tab.page.get_by_role("dialog").get_by_role("button", name="Revoke it").click()
    expect(tab.page.locator("main")).to_contain_text("The key was revoked.")
    refused = screen(server, secret)
    assert (refused.status_code, refused.json()["code"]) == (401, "keys.revoked")
    assert screen(server, second).status_code == 200
    tab.clean()


def test_without_scripts_a_key_is_made_all_the_same(server, browse):
    tab = browse(server, scripts=False)
    sign_in(tab)
    assert screen(server, make_key(tab, "Batch"), "John Smith").json()["matches"] == []
    tab.clean()
