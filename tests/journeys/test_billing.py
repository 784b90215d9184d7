"""A stranger buys a plan in a browser, changes it, ends it and does not pay; what the provider tells comes late."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from journeys.selling import Sale, selling
from journeys.test_next_day import run

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]


@pytest.fixture
def sale(database, tmp_path) -> Iterator[Sale]:
    with selling(database, tmp_path) as running:
        yield running


def sign_in(tab, person, *, leads_to):
    tab.click("link", re.compile("demo", re.IGNORECASE))
    tab.click("link", re.compile(person))
    expect(tab.page).to_have_url(re.compile(f"{leads_to}$"))


def says(tab, path, *texts):
    """A page says all of it."""
    tab.page.goto(path)
    for text in texts:
        expect(tab.page.locator("main")).to_contain_text(text)


def is_on(tab, plan):
    tab.page.goto("/dashboard")
    expect(tab.page.locator("main")).to_contain_text(re.compile(rf"Plan\s*{plan}"))


def ask(tab, question, answer):
    """Say yes in the dialog that a button opens."""
    tab.page.get_by_text(question, exact=True).first.click()
    tab.page.get_by_role("button", name=answer).click()


@pytest.mark.parametrize(
    ("database_kind", "scripts"), [("sqlite", True), ("postgresql", False)], indirect=["database_kind"]
)
def test_from_the_pricing_page_to_a_plan_and_all_that_can_be_done_with_it(sale, browse, scripts):
    tab, shop = browse(sale.server, scripts=scripts), sale.shop
    fits = tab.fits if scripts else str  # the checker is a script
    says(tab, "/pricing", "Or for $90 a year")
    fits()
    tab.click("link", "Start 14 days of trial")
    sign_in(tab, "Ada Lovelace", leads_to="/pricing")
    tab.click("button", "Start 14 days of trial")
    tab.click("button", "Pay with a card that is declined")
    expect(tab.page.get_by_role("alert")).to_have_text("The card was declined.")

    # Nobody tells of it, and nobody answers when asked: the page after paying says so, and looks again by itself.
    shop.fault("away", count=1000)
    tab.click("button", "Start without paying today")
    expect(tab.page).to_have_url(f"{sale.server.url}/billing/success")
    expect(tab.page.locator("main")).to_contain_text("Your payment is being confirmed")
    fits()
    shop.clear()
    expect(tab.page.locator("main")).to_contain_text("Team is active", timeout=20_000)
    is_on(tab, "Team")
    for seed in (1, 2):
        sale.carry(shuffled=seed, times=2)
        sale.carry_again(shuffled=seed)
    sale.settle()
    is_on(tab, "Team")
    says(tab, "/billing", "Trial", "First payment", "Failed")  # the declined card
    fits()

    tab.page.get_by_label("New plan").select_option(label="Pro: $90 a year")
    tab.page.get_by_label("The rest of the period").select_option(label="Is settled at once")
    tab.click("button", "Change the plan")
    expect(tab.page.locator("main")).to_contain_text("The plan was changed.")
    is_on(tab, "Pro")
    shop.let_pass(sale.bought)
    shop.refund(shop.payments(sale.bought)[0].id, 300)
    sale.carry(shuffled=3)
    sale.settle()
    says(tab, "/billing", "Active", "$90 a year", "$3 paid back", "Partly paid back")
    fits()
    tab.click("link", "Receipt")
    expect(tab.page.locator("body")).to_contain_text("No money moves")

    cancel_and_resume(tab, sale, fits)
    is_on(tab, "Pro")
    # What the browser says of a card that was declined is all that went wrong.
    assert all("402" in fault for fault in tab.faults)


def cancel_and_resume(tab, sale, fits):
    """And look at the provider's own page meanwhile."""
    tab.page.goto("/billing")
    ask(tab, "Cancel the subscription", "Let it end")
    expect(tab.page.locator("main")).to_contain_text("The subscription was cancelled.")
    says(tab, "/dashboard", "Your subscription will end")
    tab.click("link", "Look at your subscription")
    fits()
    tab.click("button", "Resume")
    expect(tab.page.locator("main")).to_contain_text("The subscription goes on.")
    tab.click("button", "Cards and invoices")
    expect(tab.page).to_have_url(re.compile("/portals/"))
    tab.click("link", "Back to")
    expect(tab.page).to_have_url(f"{sale.server.url}/billing")
    expect(tab.page.locator("main")).to_contain_text("It is renewed on")


# Days pass at the database, and only PostgreSQL's clock can be moved from outside of the server.
@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_who_does_not_pay_keeps_the_plan_for_the_grace_and_has_it_back_after_paying(sale, browse):
    tab, shop = browse(sale.server, dark=True, phone=True), sale.shop
    tab.page.goto("/pricing")
    tab.fits()
    tab.click("link", "Choose Pro")
    sign_in(tab, "Grace Hopper", leads_to="/pricing")
    shop.fault("away", count=1000)
    tab.click("button", "Choose Pro")
    expect(tab.page.locator("main")).to_contain_text("The payment provider does not answer at the moment.")
    tab.fits()
    shop.clear()
    tab.click("button", "Go on to payment")
    tab.click("button", "Pay 9.00 USD")
    expect(tab.page.locator("main")).to_contain_text("Pro is active")
    tab.fits()

    shop.fail_payments(sale.bought, 9)
    shop.let_pass(sale.bought)
    sale.carry(shuffled=5)
    sale.settle()
    is_on(tab, "Pro")
    expect(tab.page.locator("main")).to_contain_text("Your last payment failed")
    tab.fits()
    says(tab, "/billing", "The plan stays until", "Failed")
    tab.fits()
    says(tab, "/mailbox", "Your payment for Pro failed")
    run(sale.database.run_ahead(timedelta(days=8)))
    try:
        # The session of an hour is over too.
        tab.page.goto("/signin?return_to=/dashboard")
        sign_in(tab, "Grace Hopper", leads_to="/dashboard")
        is_on(tab, "Free")
        expect(tab.page.locator("main")).to_contain_text("Your plan is stopped, because a payment failed")
        tab.fits()
        says(tab, "/billing", "In force now", "The plan is back as soon as the payment is made.")
        tab.fits()
        tab.click("button", "See to your payment")
        tab.click("button", "Let the next payment succeed")
        tab.click("button", "Try the payment again")
        tab.click("link", "Back to")
        sale.carry(shuffled=6)
        sale.settle()
        is_on(tab, "Pro")
        expect(tab.page.locator("main")).not_to_contain_text("failed")
    finally:
        run(sale.database.freeze(None))
    # What the browser says of an answer that is no success is all that went wrong.
    assert all("503" in fault for fault in tab.faults)
