"""The pages of the stand-in payment provider in a real Chromium: accessible, fitting, and leading back to the site."""

from collections.abc import Iterator

import httpx2
import pytest
from playwright.sync_api import expect

from tenantry import Plan, Price, Product
from tenantry.billing.demo import DEMO_KEY
from tenantry.testing.standins import start_billing
from tenantry.testing.standins.billing import BillingStandIn

pytestmark = pytest.mark.browser

PRODUCT = Product(
    "Acme",
    plans=[
        Plan("free", price=0),
        Plan("pro", price=900, features=["Fifty requests"], other_prices=[Price(9000, interval="year")]),
        Plan("team", price=2900),
    ],
)
EMAIL = "ada.lovelace.with.a.very.long.address@research.example.com"


@pytest.fixture
def shop() -> Iterator[BillingStandIn]:
    with start_billing(PRODUCT) as running:
        yield running


@pytest.fixture
def site() -> Iterator[BillingStandIn]:
    """Anything at another address, to be led back to."""
    with start_billing(PRODUCT) as running:
        yield running


@pytest.fixture
def pages(shop, site) -> dict[str, str]:
    """The address of each page, with something on it."""
    with httpx2.Client(base_url=shop.url, headers={"authorization": f"Bearer {DEMO_KEY}"}) as api:
        customer = api.post("/v1/customers", json={"holder_id": "h", "email": EMAIL}).json()["item"]["id"]
        wanted = {"holder_id": "h", "customer": customer, "price": "price_pro_month"}
        wanted |= {"success_url": f"{site.url}/?paid=1", "cancel_url": f"{site.url}/?cancelled=1"}

        def opened(**more: object) -> str:
            return api.post("/v1/checkouts", json=wanted | more).json()["url"]

        bought = opened(quantity=3)
        made = shop.pay(bought)
        shop.cancel(shop.pay(opened(price="price_team_month")), at_once=True)
        shop.refund(shop.payments(made)[0].id, 300)
        portal = api.post("/v1/portals", json={"customer": customer, "return_url": site.url}).json()["url"]
        return {
            "desk": shop.url,
            "checkout": opened(),
            "trial": opened(trial_days=14, coupon="HALF"),
            "paid": bought,
            "portal": portal,
            "receipt": shop.payments(made)[0].receipt_url or "",
        }


@pytest.mark.parametrize("look", [{}, {"dark": True}, {"phone": True}], ids=["light", "dark", "phone"])
def test_the_pages_are_accessible_and_fit(shop, pages, browse, look):
    tab = browse(shop, **look)
    for address in pages.values():
        tab.page.goto(address)
        expect(tab.page.get_by_role("note")).to_contain_text("No money moves")
        tab.fits()
    tab.clean()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_paying_and_managing(shop, site, pages, browse, scripts):
    tab = browse(shop, scripts=scripts)
    tab.page.goto(pages["checkout"])
    tab.click("link", "Cancel and go back")
    expect(tab.page).to_have_url(f"{site.url}/?cancelled=1")
    tab.page.goto(pages["checkout"])
    tab.click("button", "Pay with a card that is declined")
    expect(tab.page.get_by_role("alert")).to_have_text("The card was declined.")
    tab.click("button", "Pay 9.00 USD")
    expect(tab.page).to_have_url(f"{site.url}/?paid=1")
    tab.page.goto(pages["portal"])
    first = tab.page.locator("section").first
    first.get_by_label("Change to").select_option(label="Acme Team, 29.00 USD a month")
    first.get_by_role("button", name="Change the plan").click()
    expect(first.get_by_role("heading")).to_contain_text("Acme Team active")
    first.get_by_role("button", name="Let the next payment fail").click()
    expect(first).to_contain_text("will fail, as you asked")
    first.get_by_role("button", name="Let the period pass now").click()
    expect(first.get_by_role("heading")).to_contain_text("past due")
    first.get_by_role("button", name="Try the payment again").click()
    expect(first.get_by_role("heading")).to_contain_text("active")
    tab.page.locator("table").get_by_role("button", name="Refund").first.click()
    expect(tab.page.locator("tbody tr").first).to_contain_text("refunded")
