"""Connecting an account in a real browser, whose content policy judges where a form may end."""

import re

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

FORM = """() => {
  document.body.insertAdjacentHTML(
    "beforeend", '<form id="connect" method="post" action="/settings/accounts/demo/connect"></form>');
  document.getElementById("connect").submit();
}"""


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_a_form_leads_to_the_provider_and_back_to_the_settings(server, browse):
    tab = browse(server)
    tab.page.goto("/signin")
    tab.click("link", re.compile("demo", re.IGNORECASE))
    tab.click("link", re.compile("Ada Lovelace"))
    expect(tab.page).to_have_url(re.compile("/dashboard"))
    tab.page.goto("/settings")
    # The demo has one provider, of which Ada has an account already; the page offers no second one.
    tab.page.evaluate(FORM)
    tab.click("link", re.compile("Grace Hopper"))
    expect(tab.page).to_have_url(re.compile(r"/settings\?done=accounts"))
    expect(tab.page.locator("#accounts")).to_contain_text("grace@example.com")
    tab.clean()
