"""Somebody puts their settings in order, in two real browsers."""

import re

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

NEW = "ada.king@example.org"


def sign_in(tab):
    tab.page.goto("/signin")
    tab.click("link", re.compile("demo", re.IGNORECASE))
    tab.click("link", re.compile("Ada Lovelace"))
    expect(tab.page).to_have_url(re.compile("/dashboard"))


def link_in_mail(tab, subject):
    """The link of the newest mail with that subject, read on the development mailbox."""
    tab.page.goto("/mailbox")
    tab.page.get_by_role("link", name=subject).first.click()
    found = re.search(r"http://[^\s]+/auth/verify\?token=\w+", tab.page.locator("main").inner_text())
    assert found
    return found[0]


@pytest.mark.timeout(120)
def test_name_sessions_and_address(server, browse):
    here, there = browse(server), browse(server, phone=True)
    sign_in(here)
    sign_in(there)

    # The name.
    here.page.goto("/settings")
    here.page.get_by_label("Name").fill("Ada King")
    here.click("button", "Save")
    expect(here.page.locator("#profile")).to_contain_text("Your name is saved.")

    # Both browsers are listed; the other one is signed out.
    listed = here.page.locator("#sessions")
    expect(listed.get_by_role("row")).to_have_count(3)
    others = listed.get_by_role("row").filter(has_text="Sign out").filter(has_not_text="This browser")
    expect(others).to_have_count(1)
    others.get_by_role("button").click()
    expect(here.page.locator("#sessions")).to_contain_text("Signed out there.")
    expect(listed.get_by_role("row")).to_have_count(2)
    there.page.goto("/settings")
    expect(there.page).to_have_url(re.compile("/signin"))

    # The address: both must agree, from any browser.
    here.click("link", "Change e-mail address")
    here.page.get_by_label("New e-mail address").fill("nonsense")
    here.click("button", "Send the mails")
    expect(here.page.get_by_label("New e-mail address")).to_have_value("nonsense")
    expect(here.page.locator("main")).to_contain_text("Use an e-mail address")
    here.faults.clear()  # Chromium calls the answer 422 an error.
    here.page.get_by_label("New e-mail address").fill(NEW)
    here.click("button", "Send the mails")
    expect(here.page.locator("#email")).to_contain_text(f"Changing to {NEW}")

    there.page.goto(link_in_mail(there, "Confirm your new e-mail address"))
    there.click("button", "Confirm this address")
    expect(there.page.locator("h1")).to_have_text("Thank you, the address is confirmed")
    expect(there.page.locator("main")).to_contain_text(NEW)
    here.page.reload()
    expect(here.page.locator("#email")).to_contain_text("The new address has confirmed.")
    here.page.goto(link_in_mail(here, "Approve your new e-mail address"))
    here.click("button", "Approve the change")
    expect(here.page.locator("#email")).to_contain_text("Your e-mail address is changed.")
    expect(here.page.locator("#email strong").filter(has_text=NEW)).to_be_visible()
    here.page.goto("/mailbox")
    expect(here.page.locator("main")).to_contain_text("Your e-mail address was changed")
    here.clean()
    there.clean()
