"""A trial in a browser: begun, called with a key of its own, and ended."""

import re

import httpx2
import pytest
from playwright.sync_api import expect

from journeys.test_keys_page import screen, sign_in

pytestmark = pytest.mark.browser


@pytest.fixture
def server(run_server):
    with run_server(blueprint="screening_api") as running:
        yield running


@pytest.mark.parametrize("look", [{"dark": True}, {"phone": True}], ids=["dark desk", "phone"])
def test_from_the_start_of_a_trial_to_its_end(server, browse, look):
    tab = browse(server, **look)
    page = tab.page
    sign_in(tab)
    if look.get("phone"):
        tab.click("button", "Menu")
    tab.click("link", "Trials")
    page.get_by_label("Name").fill("Pilot at Müller & Söhne")
    tab.click("button", "Start the trial")
    expect(page).to_have_url(re.compile("done=started"))
    expect(page.locator("main")).to_contain_text("pilot-at-muller-sohne")
    page.get_by_label("Name").fill("Test server")
    tab.click("button", "Make the key")
    secret = page.get_by_role("group", name="Secret").inner_text().strip()
    answer = screen(server, secret)
    # The limit is that of the trial's plan, not the person's own.
    assert (answer.status_code, answer.headers["x-ratelimit-limit"]) == (200, "5000")
    tab.click("link", "I have kept it")
    expect(page.get_by_role("table", name="API keys")).to_contain_text("Test server")
    tab.fits()
    tab.click("button", "Cancel the trial")
    tab.click("button", "End it now")
    expect(page.locator("main")).to_contain_text("The trial has ended.")
    refused = screen(server, secret)
    assert (refused.status_code, refused.json()["code"]) == (403, "keys.trial_ended")
    tab.click("link", "Trials")
    tab.fits()
    tab.clean()


def test_a_converted_trial_keeps_its_keys(server, browse):
    tab = browse(server)
    sign_in(tab)
    with server.sign_in("ada") as person:
        made = person.post("/v1/trials", json={"name": "Pilot"}).json()
        secret = person.post(f"/v1/trials/{made['id']}/keys", json={"label": "kept"}).json()["secret"]
    tab.page.goto(f"/trials/{made['id']}")
    tab.click("button", "Convert")
    tab.click("button", "Convert it")
    expect(tab.page.locator("main")).to_contain_text("The keys are your own now.")
    assert screen(server, secret).headers["x-ratelimit-limit"] == "100"
    tab.page.goto("/keys")
    expect(tab.page.get_by_role("table", name="API keys")).to_contain_text("kept")
    unknown = httpx2.get(f"{server.url}/api/v1/watch-list", headers={"X-API-Key": secret}, timeout=20)
    assert unknown.json()["code"] == "keys.scope_missing"
    tab.clean()
