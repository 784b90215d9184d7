"""A person makes a passkey in the settings, signs in with it, and confirms with it, in a real browser.

Chromium's own virtual authenticator stands for the device (Web Authentication, Level 3, 11): it makes keys, keeps them,
verifies its user, and signs.
"""

import asyncio
import re
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import asyncpg
import pytest
from playwright.sync_api import expect

from tenantry.testing import environment_of, serve

pytestmark = pytest.mark.browser

AXE = Path(__file__).parents[1] / "node" / "node_modules" / "axe-core" / "axe.min.js"
PRODUCT = """
from tenantry import Google, Passkey, Password, Plan, Product

product = Product("Notes", sign_in=[Google(), Password(), Passkey()], plans=[Plan("free", price=0)])
"""
DEVICE = {
    "protocol": "ctap2",
    "ctap2Version": "ctap2_1",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


class Authenticator:
    """The device of one page, driven as Chromium's developer tools do."""

    def __init__(self, tab, **options):
        self.session = tab.page.context.new_cdp_session(tab.page)
        # Without its own window, so that what one types meanwhile meets the list of the browser.
        self.session.send("WebAuthn.enable", {"enableUI": False})
        added = self.session.send("WebAuthn.addVirtualAuthenticator", {"options": {**DEVICE, **options}})
        self.id = added["authenticatorId"]

    def send(self, what, **more):
        return self.session.send(f"WebAuthn.{what}", {"authenticatorId": self.id, **more})

    @property
    def credentials(self):
        return self.send("getCredentials")["credentials"]


@pytest.fixture
def notes(database, tmp_path):
    """A product that takes passkeys, at a name: browsers make none for an address of numbers."""
    (tmp_path / "product.py").write_text(PRODUCT)
    with serve(tmp_path, "product.py", host="localhost", **environment_of(database)) as running:
        yield running


def sign_in_by_demo(tab):
    tab.page.goto("/signin")
    tab.page.wait_for_load_state("networkidle")  # Else what the page asks for is broken off.
    tab.click("link", re.compile("demo", re.IGNORECASE))
    tab.click("link", re.compile("Ada Lovelace"))


def add_passkey(tab, name):
    tab.page.goto("/settings/passkeys")
    tab.page.get_by_label("Name").fill(name)
    tab.click("button", "Add a passkey")


def sign_out(tab):
    tab.page.locator("summary").filter(has_text="Account menu").click()
    tab.click("button", "Sign out")
    expect(tab.page).to_have_url(re.compile(r":\d+/$"))
    tab.page.wait_for_load_state("networkidle")


def accessible(tab):
    tab.page.evaluate(AXE.read_text(encoding="utf-8"))
    found = tab.page.evaluate("async () => (await axe.run()).violations.map((one) => one.help)")
    assert found == [], tab.page.url


def rename_and_remove(tab):
    tab.click("link", "Change Work laptop")
    accessible(tab)
    tab.page.get_by_label("Name").fill("Old laptop")
    tab.click("button", "Save")
    expect(tab.page.get_by_role("row").filter(has_text="Old laptop")).to_be_visible()
    tab.click("link", "Change Old laptop")
    tab.click("button", "Remove")
    tab.click("button", "Remove the passkey")
    expect(tab.page.locator("main")).to_contain_text("The passkey is removed.")
    expect(tab.page.locator("main")).to_contain_text("No passkeys yet")


async def forget_proofs(database):
    """Let everybody's last proof be old, as only time does; answers how many sessions there are."""
    if database.owner_url is None:
        with closing(sqlite3.connect(database.api_url.removeprefix("sqlite:///"))) as file, file:
            return file.execute("UPDATE sessions SET authenticated_at = '2020-01-01T00:00:00.000000Z'").rowcount
    owner = await asyncpg.connect(database.owner_url)
    try:
        return int((await owner.execute("UPDATE sessions SET authenticated_at = '2020-01-01'")).split()[-1])
    finally:
        await owner.close()


@pytest.mark.timeout(180)
def test_made_in_the_settings_then_to_sign_in_and_to_confirm(notes, browse, database):
    tab = browse(notes)
    device = Authenticator(tab)
    # On the sign-in page a passkey is offered while one types, too; here it is made first.
    device.send("setAutomaticPresenceSimulation", enabled=False)
    sign_in_by_demo(tab)
    expect(tab.page).to_have_url(re.compile("/dashboard"))
    device.send("setAutomaticPresenceSimulation", enabled=True)

    add_passkey(tab, "Work laptop")
    expect(tab.page.get_by_text("They are shown this once.")).to_be_visible()
    (credential,) = device.credentials
    assert (credential["rpId"], credential["isResidentCredential"]) == ("localhost", True)
    accessible(tab)
    tab.page.goto("/settings/passkeys")
    expect(tab.page.get_by_role("row").filter(has_text="Work laptop")).to_contain_text("Never")
    accessible(tab)
    # The device has one already, and says so.
    add_passkey(tab, "Once more")
    expect(tab.page.get_by_role("status")).to_have_text("This device has a passkey of yours already.")
    expect(tab.page.get_by_role("button", name="Add a passkey")).to_be_enabled()

    # Signing in: nobody is verified, then the person is.
    device.send("setAutomaticPresenceSimulation", enabled=False)
    sign_out(tab)
    tab.page.goto("/signin?return_to=/settings")
    device.send("setAutomaticPresenceSimulation", enabled=True)
    device.send("setUserVerified", isUserVerified=False)
    tab.click("button", "Sign in with a passkey")
    expect(tab.page.get_by_role("status")).to_have_text("It was cancelled, or took too long. Nothing has changed.")
    accessible(tab)
    device.send("setUserVerified", isUserVerified=True)
    tab.click("button", "Sign in with a passkey")
    expect(tab.page).to_have_url(re.compile(r"/settings$"))
    expect(tab.page.locator("#sessions")).to_contain_text("Passkey")
    assert device.credentials[0]["signCount"] == 2

    # The other way in asks for it as a second factor, and then for confirming.
    device.send("setAutomaticPresenceSimulation", enabled=False)
    sign_out(tab)
    sign_in_by_demo(tab)
    expect(tab.page).to_have_url(re.compile("/auth/second-factor"))
    device.send("setAutomaticPresenceSimulation", enabled=True)
    tab.click("button", "Use a passkey")
    expect(tab.page).to_have_url(re.compile("/dashboard"))
    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(asyncio.run, forget_proofs(database)).result() > 0
    tab.page.goto("/settings/passkeys")
    expect(tab.page).to_have_url(re.compile("/auth/confirm"))
    accessible(tab)
    tab.click("button", "Use a passkey")
    expect(tab.page).to_have_url(re.compile(r"/settings/passkeys$"))

    rename_and_remove(tab)
    tab.clean()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_offered_while_one_types_and_gone_from_the_device_once_removed(notes, browse):
    tab = browse(notes, phone=True, dark=True)
    device = Authenticator(tab)
    device.send("setAutomaticPresenceSimulation", enabled=False)
    sign_in_by_demo(tab)
    expect(tab.page).to_have_url(re.compile("/dashboard"))
    device.send("setAutomaticPresenceSimulation", enabled=True)
    add_passkey(tab, "Phone")
    expect(tab.page.get_by_text("They are shown this once.")).to_be_visible()
    sign_out(tab)
    # The virtual device picks its passkey from the browser's list by itself: nothing is pressed.
    tab.page.goto("/signin?return_to=/settings/passkeys")
    expect(tab.page).to_have_url(re.compile(r"/settings/passkeys$"))
    tab.click("link", "Change Phone")
    tab.click("button", "Remove")
    tab.click("button", "Remove the passkey")
    expect(tab.page.locator("main")).to_contain_text("The passkey is removed.")
    tab.clean()


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_without_scripts_the_page_says_that_passkeys_need_them(notes, browse):
    tab = browse(notes, scripts=False)
    tab.page.goto("/signin")
    expect(tab.page.get_by_text("Passkeys need JavaScript")).to_be_visible()
    expect(tab.page.get_by_role("button", name="Sign in with a passkey")).to_be_hidden()
    sign_in_by_demo(tab)
    expect(tab.page).to_have_url(re.compile("/dashboard"))
    tab.page.goto("/settings/passkeys")
    expect(tab.page.get_by_text("Passkeys need JavaScript")).to_be_visible()


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_a_browser_without_passkeys_is_told_so(notes, browse):
    tab = browse(notes)
    tab.page.add_init_script("delete window.PublicKeyCredential")
    tab.page.goto("/signin")
    expect(tab.page.get_by_role("status")).to_contain_text("This browser cannot use passkeys here.")
    expect(tab.page.get_by_role("button", name="Sign in with a passkey")).to_be_hidden()
    tab.clean()
