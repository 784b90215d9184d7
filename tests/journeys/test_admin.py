"""An operator in a browser: what needs somebody, what a provider told, worked on again, and who did it."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from playwright.sync_api import expect

from journeys.selling import Sale, asked, selling
from tenantry.testing import TestDatabase

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]


@pytest.fixture
def sale(database, tmp_path) -> Iterator[Sale]:
    with selling(database, tmp_path) as running:
        yield running


def promote(database: TestDatabase) -> None:
    """Who is there looks after the product from now on; written past the server."""
    change = "UPDATE users SET role = 'ADMIN', role_until = NULL"
    if database.owner_url is not None:
        asked(database, change)
        return
    with closing(sqlite3.connect(database.api_url.removeprefix("sqlite:///"), timeout=10)) as file, file:
        file.create_function("tenantry_now", 0, lambda: "2026-01-01T00:00:00.000000Z")
        file.execute(change)


@pytest.mark.parametrize(
    ("database_kind", "look"),
    [("sqlite", {}), ("postgresql", {"dark": True, "phone": True})],
    ids=["light desk", "dark phone"],
    indirect=["database_kind"],
)
def test_from_the_overview_to_an_event_and_what_was_done_about_it(sale, browse, look):
    tab = browse(sale.server, **look)
    main = tab.page.locator("main")
    with sale.server.sign_in("ada") as ada:
        bought = ada.post("/v1/checkout", json={"plan": "pro"})
        assert bought.status_code == 201, bought.text
        sale.shop.pay(bought.json()["url"])
        sale.carry()
        sale.settle()
    tab.page.goto("/admin")
    tab.click("link", re.compile("demo", re.IGNORECASE))
    tab.click("link", re.compile("Ada Lovelace"))
    expect(main).to_contain_text("There is nothing here")
    promote(sale.database)

    def choose(name: str) -> None:
        if look.get("phone"):
            tab.click("button", "Menu")
        tab.page.get_by_role("navigation", name="Main").get_by_role("link", name=name, exact=True).click()
        expect(tab.page.get_by_role("heading", level=1)).to_have_text(name)

    tab.page.goto("/admin")
    expect(main).to_contain_text("Nothing needs anybody.")
    tab.fits()
    _through_people_and_money(tab, main, choose)
    choose("Billing events")
    tab.page.get_by_label("State").select_option(label="Done")
    tab.click("button", "Show")
    tab.fits()
    main.get_by_role("table").get_by_role("link").first.click()
    tab.page.get_by_label("Reason").fill("To see that it changes nothing")
    tab.fits()
    tab.click("button", "Replay")
    expect(main).to_contain_text("It is worked on again.")
    sale.settle()
    choose("Audit log")
    tab.click("link", "billing.event_replayed")
    expect(main.get_by_role("table")).to_contain_text("ada@example.com")
    main.get_by_role("table").get_by_text("Details").last.click()
    expect(main).to_contain_text("To see that it changes nothing")
    tab.fits()
    # The one refused request: what is not there for who is no operator.
    assert tab.faults == [one for one in tab.faults if "404" in one]


def _through_people_and_money(tab, main, choose) -> None:
    """Find a person, give them a plan, and see what comes in."""
    choose("Users")
    tab.page.get_by_label("Address, name or id").fill("LOVE")
    tab.click("button", "Show")
    tab.fits()
    main.get_by_role("link", name="ada@example.com").click()
    expect(main).to_contain_text("sub_")
    tab.fits()
    main.get_by_role("link", name="Give a plan").click()
    tab.page.get_by_label("Plan").select_option(label="Team")
    tab.page.get_by_label("Reason").fill("Half a year for the talk")
    tab.fits()
    tab.click("button", "Give a plan")
    expect(main).to_contain_text("The plan was given.")
    choose("Revenue")
    expect(main).to_contain_text("1 subscription")
    tab.fits()
