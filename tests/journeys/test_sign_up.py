"""A person makes an account with a password and the mail's code, leaves, and comes back by a mailed link."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tenantry.testing import environment_of, serve

pytestmark = pytest.mark.browser

AXE = Path(__file__).parents[1] / "node" / "node_modules" / "axe-core" / "axe.min.js"
EMAIL, PASSWORD = "ada@example.com", "correct horse 7"
PRODUCT = """
from tenantry import MagicLink, Password, Plan, Product

product = Product("Notes", sign_in=[Password(), MagicLink()], plans=[Plan("free", price=0)])
"""


@pytest.fixture
def notes(database, tmp_path):
    """A product that people sign up to by mail."""
    (tmp_path / "product.py").write_text(PRODUCT)
    with serve(tmp_path, "product.py", **environment_of(database)) as running:
        yield running


@pytest.mark.timeout(180)
@pytest.mark.parametrize("look", [{}, {"dark": True, "phone": True}, {"scripts": False}], ids=["", "phone", "plain"])
def test_sign_up_by_password_sign_out_and_come_back_by_mail(notes, browse, look):
    tab = browse(notes, **look)
    begin_sign_up(tab)
    read_mail(tab, "Confirm your address for Notes")
    code = re.search(r"Your code: (\d{6})", tab.page.locator("main").inner_text())[1]
    tab.page.goto("/auth/sent")
    tab.page.get_by_label("Code").fill(code)
    tab.click("button", "Make my account")
    expect(tab.page).to_have_url(re.compile("/dashboard"))
    tab.page.locator("[data-menu] summary").click()
    expect(tab.page.locator(".menu-person")).to_contain_text(EMAIL)
    tab.page.get_by_role("button", name="Sign out", exact=True).click()
    expect(tab.page).to_have_url(f"{notes.url}/")

    tab.page.goto("/signin")
    tab.page.get_by_label("E-mail address").fill(EMAIL)
    tab.click("button", "Mail me a link instead")
    expect(tab.page).to_have_url(re.compile("/auth/sent"))
    read_mail(tab, "Sign in to Notes")
    tab.page.get_by_role("link", name="/auth/verify").click()
    expect(tab.page.locator("main")).to_contain_text(EMAIL)
    expect(tab.page.locator("main")).not_to_contain_text("not asked for in this browser")
    tab.click("button", "Sign in")
    expect(tab.page).to_have_url(re.compile("/dashboard"))
    tab.clean()


@pytest.mark.timeout(180)
@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_the_mails_html_part_leads_on_and_another_browser_is_told(notes, browse):
    tab, other = browse(notes), browse(notes, phone=True)
    begin_sign_up(tab)
    read_mail(other, "Confirm your address for Notes")
    other.page.goto(f"{other.page.url}/html")
    other.page.get_by_role("link", name="Make my account").click()
    expect(other.page.locator("main")).to_contain_text("This was not asked for in this browser")
    other.page.get_by_label("Password", exact=True).fill(PASSWORD)
    other.click("button", "Make my account")
    expect(other.page).to_have_url(re.compile("/dashboard"))
    other.clean()


@pytest.mark.timeout(240)
@pytest.mark.parametrize("look", [{}, {"dark": True}, {"phone": True}], ids=["light", "dark", "phone"])
@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_the_pages_of_mailed_flows_are_accessible_and_fit(notes, browse, look):
    if not AXE.exists():
        pytest.fail("axe-core is missing; run `npm ci` in tests/node")
    tab, other = browse(notes, **look), browse(notes, **look)
    for path in ("/signin", "/signup", "/mailbox"):
        tab.page.goto(path)
        assert_accessible(tab, path)
    begin_sign_up(tab)
    assert_accessible(tab, "/auth/sent")
    tab.page.locator("main summary").click()
    assert_accessible(tab, "/auth/sent, opened")
    tab.page.goto("/mailbox")
    assert_accessible(tab, "/mailbox with a mail")
    read_mail(tab, "Confirm your address for Notes")
    assert_accessible(tab, "a mail")
    link = tab.page.get_by_role("link", name="/auth/verify").get_attribute("href")
    for window in (tab, other):
        window.page.goto(link)
        assert_accessible(window, "/auth/verify")
    other.page.locator("main summary").click()
    assert_accessible(other, "/auth/verify, opened")
    tab.clean()


def begin_sign_up(tab):
    tab.page.goto("/signin")
    tab.click("link", "Create an account")
    tab.page.get_by_label("E-mail address").fill(EMAIL)
    tab.page.get_by_label("Name").fill("Ada Lovelace")
    tab.page.get_by_label("Password").fill(PASSWORD)
    tab.click("button", "Sign up")
    expect(tab.page).to_have_url(re.compile("/auth/sent"))
    expect(tab.page.locator("main")).to_contain_text(EMAIL)


def read_mail(tab, subject):
    """Open the newest mail of that subject in the development mailbox."""
    tab.page.goto("/mailbox")
    tab.page.get_by_role("link", name=subject).first.click()
    expect(tab.page.get_by_role("heading", level=1)).to_have_text(subject)


def assert_accessible(tab, path):
    # The page's own policy forbids foreign scripts, so the checker is evaluated, not added as a tag.
    tab.page.evaluate(AXE.read_text())
    found = tab.page.evaluate("axe.run()")
    assert [(path, one["id"], one["nodes"][0]["html"]) for one in found["violations"]] == []
    wide, seen = tab.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide <= seen, f"{path} scrolls sideways: {wide} > {seen}"
