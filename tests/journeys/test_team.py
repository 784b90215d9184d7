"""Somebody is invited, joins, works for one organization and then for another, and is removed, in two browsers."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

DECLARATION = Path(__file__).with_name("team_product.py")


@pytest.fixture
def server(run_server):
    with run_server(blueprint=str(DECLARATION)) as running:
        yield running


def sign_in(tab, name):
    tab.click("link", re.compile("demo", re.IGNORECASE))
    tab.click("link", re.compile(name))


def works_for(tab, name):
    expect(tab.page.locator(".working-name")).to_have_text(name)


def says(tab, text):
    expect(tab.page.locator("main")).to_contain_text(text)


@pytest.mark.parametrize(
    ("database_kind", "scripts"), [("sqlite", True), ("postgresql", False)], indirect=["database_kind"]
)
def test_from_the_invitation_to_the_removal(server, browse, scripts):
    ada, grace = browse(server, scripts=scripts), browse(server, scripts=scripts, dark=True, phone=True)
    fits = (ada.fits, grace.fits) if scripts else (str, str)  # the checker is a script
    ada.page.goto("/signin?return_to=/team")
    sign_in(ada, "Ada Lovelace")
    works_for(ada, "Ada Lovelace's team")
    ada.page.get_by_label("E-mail address").fill("grace@example.com")
    ada.click("button", "Send the invitation")
    says(ada, "The invitation is on its way.")
    says(ada, "2 of 3")
    fits[0]()

    ada.page.goto("/mailbox")
    ada.click("link", "Join Ada Lovelace's team on Acme")
    link = re.search(r"http://\S+/invitations\?token=\w+", ada.page.locator("main").inner_text())[0]
    ada.page.goto(link)
    says(ada, "This invitation is for somebody else")
    grace.page.goto(link)
    says(grace, "Ada Lovelace (ada@example.com)")
    fits[1]()
    grace.click("link", "Sign in to answer")
    sign_in(grace, "Grace Hopper")
    expect(grace.page).to_have_url(re.compile(r"/invitations/[0-9a-f-]{36}$"))
    grace.click("button", "Join")
    says(grace, "Welcome. You belong to this organization now.")
    works_for(grace, "Ada Lovelace's team")
    expect(grace.page.get_by_role("button", name="Send the invitation")).to_have_count(0)
    fits[1]()

    # Another organization, and back to the first on the page where one is.
    grace.page.locator(".working summary").click()
    fits[1]()
    grace.click("link", "Create an organization")
    grace.page.get_by_label("Name of the organization").fill("Compilers")
    grace.click("button", "Create the organization")
    works_for(grace, "Compilers")
    grace.page.goto("/keys")
    expect(grace.page.locator(".page-of")).to_contain_text("Compilers")
    grace.page.locator(".working summary").click()
    grace.click("button", "Ada Lovelace's team")
    expect(grace.page).to_have_url(f"{server.url}/keys")
    expect(grace.page.locator(".page-of")).to_contain_text("Ada Lovelace's team")

    ada.page.goto("/team")
    fits[0]()
    ada.click("button", "Remove Grace Hopper")
    ada.click("button", "Remove from the organization")
    says(ada, "They do not belong to the organization any more.")
    grace.page.reload()
    works_for(grace, "Compilers")
    grace.page.goto(link)
    says(grace, "This invitation was accepted")
    # What the browser says of answers that refuse is all that went wrong.
    assert all("403" in fault or "409" in fault for fault in ada.faults + grace.faults), ada.faults + grace.faults
