"""A person signs up with a password, forgets it, chooses another by mail, and changes it in the settings."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tenantry.testing import environment_of, serve

pytestmark = pytest.mark.browser

AXE = Path(__file__).parents[1] / "node" / "node_modules" / "axe-core" / "axe.min.js"
EMAIL, FIRST, SECOND, THIRD = "ada@example.com", "seven grey herons", "nine quiet otters", "four late trains"
PRODUCT = """
from tenantry import MagicLink, Password, Plan, Product

product = Product("Notes", sign_in=[Password(), MagicLink()], plans=[Plan("free", price=0)])
"""


@pytest.fixture
def notes(database, tmp_path):
    """A product that people sign in to with a password."""
    (tmp_path / "product.py").write_text(PRODUCT)
    with serve(tmp_path, "product.py", **environment_of(database)) as running:
        yield running


def sign_up(tab):
    tab.page.goto("/signup")
    tab.page.get_by_label("E-mail address").fill(EMAIL)
    tab.page.get_by_label(re.compile("^Password")).fill(FIRST)
    tab.page.locator("main form button[type=submit]").first.click()
    read_mail(tab, "Confirm your address for Notes")
    code = re.search(r"Your code: (\d{6})", tab.page.locator("main").inner_text())[1]
    tab.page.goto("/auth/sent")
    tab.page.get_by_label("Code").fill(code)
    tab.page.locator("main form button[type=submit]").first.click()
    expect(tab.page).to_have_url(re.compile("/dashboard"))


def read_mail(tab, subject):
    """Open the newest mail of that subject in the development mailbox; it is written within moments."""
    expect(tab.page).to_have_url(re.compile("/auth/sent"))
    tab.page.goto("/mailbox")
    tab.page.get_by_role("link", name=subject).first.click()
    expect(tab.page.get_by_role("heading", level=1)).to_have_text(subject)


def ask_for_reset(tab):
    tab.page.goto("/signin")
    tab.click("link", "Forgot your password?")
    tab.page.get_by_label("E-mail address").fill(EMAIL)
    tab.click("button", "Send the mail")
    read_mail(tab, "Choose a new password for Notes")


def sign_in(tab, password):
    tab.page.get_by_label("E-mail address").fill(EMAIL)
    tab.page.get_by_label("Password").fill(password)
    # Enter does what the first button does, although there are two.
    tab.page.get_by_label("Password").press("Enter")


def sign_out(tab):
    tab.page.locator("[data-menu] summary").click()
    tab.page.get_by_role("button", name="Sign out", exact=True).click()
    tab.page.wait_for_url(re.compile("/$"))


@pytest.mark.timeout(180)
@pytest.mark.parametrize("look", [{}, {"dark": True, "phone": True}, {"scripts": False}], ids=["", "phone", "plain"])
def test_forget_the_password_choose_another_and_change_it(notes, browse, look):
    tab = browse(notes, **look)
    sign_up(tab)
    if look.get("scripts", True):
        sign_out(tab)
    else:
        tab.page.context.clear_cookies()
    ask_for_reset(tab)
    tab.page.get_by_role("link", name="/auth/verify").click()
    tab.page.get_by_label("New password").fill(SECOND)
    tab.click("button", "Set the password")
    expect(tab.page.locator("main")).to_contain_text("Your new password is set.")
    sign_in(tab, SECOND)
    expect(tab.page).to_have_url(re.compile("/dashboard"))
    tab.page.goto("/settings")
    tab.click("link", "Change or remove it")
    tab.page.get_by_label("New password").fill(THIRD)
    tab.click("button", "Save")
    expect(tab.page.locator("main")).to_contain_text("Your password is saved.")
    tab.page.context.clear_cookies()
    tab.page.goto("/signin")
    sign_in(tab, THIRD)
    expect(tab.page).to_have_url(re.compile("/dashboard"))
    assert_undisturbed(tab)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_a_wrong_password_keeps_the_address_and_the_code_works_too(notes, browse):
    tab = browse(notes)
    sign_up(tab)
    tab.page.context.clear_cookies()
    tab.page.goto("/signin?return_to=/settings")
    sign_in(tab, "not this one")
    expect(tab.page.get_by_label("E-mail address")).to_have_value(EMAIL)
    expect(tab.page.get_by_label("Password")).to_have_value("")
    expect(tab.page.get_by_label("Password")).to_have_accessible_description(
        "The e-mail address or the password is not right."
    )
    tab.faults.clear()  # The browser notes the 401.
    ask_for_reset(tab)
    code = re.search(r"Your code: (\d{6})", tab.page.locator("main").inner_text())[1]
    tab.page.goto("/auth/sent")
    tab.page.get_by_label("Code").fill(code)
    tab.page.get_by_label("New password").fill(SECOND)
    tab.click("button", "Set the password")
    sign_in(tab, SECOND)
    expect(tab.page).to_have_url(re.compile("/dashboard"))
    assert_undisturbed(tab)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_a_double_click_sends_one_mail_and_signs_in_once(notes, browse):
    tab = browse(notes)
    # As far away as most people are: the second click comes before the answer to the first.
    far = tab.page.context.new_cdp_session(tab.page)
    away = {"offline": False, "latency": 400, "downloadThroughput": -1, "uploadThroughput": -1}
    far.send("Network.emulateNetworkConditions", away)
    tab.page.goto("/signin")
    tab.page.get_by_label("E-mail address").fill(EMAIL)
    tab.page.get_by_role("button", name="Mail me a link instead").dblclick()
    read_mail(tab, "Sign in to Notes")
    mails = tab.page.context.new_page()
    mails.goto("/mailbox")
    expect(mails.get_by_role("link", name="Sign in to Notes")).to_have_count(1)
    tab.page.get_by_role("link", name="/auth/verify").click()
    tab.page.locator("main form button[type=submit]").dblclick()
    expect(tab.page).to_have_url(re.compile("/dashboard"))
    assert_undisturbed(tab)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("look", [{}, {"dark": True}, {"phone": True}], ids=["light", "dark", "phone"])
@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_the_pages_of_passwords_are_accessible_and_fit(notes, browse, look):
    if not AXE.exists():
        pytest.fail("axe-core is missing; run `npm ci` in tests/node")
    tab = browse(notes, **look)
    sign_up(tab)
    for path in ("/settings/password", "/settings"):
        tab.page.goto(path)
        assert_accessible(tab, path)
    tab.page.context.clear_cookies()
    for path in ("/signin", "/auth/reset"):
        tab.page.goto(path)
        assert_accessible(tab, path)
    ask_for_reset(tab)
    tab.page.get_by_role("link", name="/auth/verify").click()
    assert_accessible(tab, "/auth/verify")
    tab.page.goto("/auth/sent")
    assert_accessible(tab, "/auth/sent")
    assert_undisturbed(tab)


def assert_accessible(tab, path):
    # The page's own policy forbids foreign scripts, so the checker is evaluated, not added as a tag.
    tab.page.evaluate(AXE.read_text())
    found = tab.page.evaluate("axe.run()")
    assert [(path, one["id"], one["nodes"][0]["html"]) for one in found["violations"]] == []
    wide, seen = tab.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide <= seen, f"{path} scrolls sideways: {wide} > {seen}"


def assert_undisturbed(tab):
    # Going on before the icon has come is no fault.
    assert [one for one in tab.faults if "favicon" not in one] == []
