"""A person uses up a day's quota, is told so, and goes on the next day."""

import asyncio
import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from journeys.test_first_price import sign_in
from journeys.test_quota import ask

pytestmark = pytest.mark.browser


def run(work):
    """In a thread of its own: the browser has an event loop of its own in this one."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()


def wait_until_admitted(program):
    """A process refuses from memory for a second, or until the window that it knew ends."""
    while (status := ask(program, "BTCUSDT").status_code) != 200:
        assert status == 429
        time.sleep(0.05)


# The windows are the database's, and only PostgreSQL's clock can be moved from outside of the server. That the same
# happens on SQLite is in usage/test_api.py::test_a_new_day_begins_a_new_window.
@pytest.mark.timeout(240)
@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_from_the_landing_page_to_the_429_and_to_the_next_days_reset(server, database, browse):
    tab = browse(server)
    sign_in(tab, server, "Grace Hopper")
    expect(tab.page.locator("body")).to_contain_text("100 of 100 left today")
    with server.sign_in("grace") as program:
        assert [ask(program, "BTCUSDT").status_code for _ in range(101)] == [200] * 100 + [429]
    tab.click("button", re.compile("price", re.IGNORECASE))
    told = tab.page.locator("#price")
    expect(told).to_contain_text("429 usage.quota_exceeded")
    expect(told).to_contain_text("The count starts again")
    expect(tab.page.locator("body")).to_contain_text("0 of 100 left today")
    # What the browser says of an answer that is no success is all that went wrong.
    assert all("429" in fault for fault in tab.faults)
    run(database.run_ahead(timedelta(days=1)))
    try:
        # The session of an hour is over too.
        with server.sign_in("grace") as program:
            wait_until_admitted(program)
        tab.page.goto("/dashboard")
        expect(tab.page).to_have_url(re.compile("/signin"))
        sign_in(tab, server, "Grace Hopper")
        expect(tab.page.locator("body")).to_contain_text("99 of 100 left today")
        tab.click("button", re.compile("price", re.IGNORECASE))
        expect(tab.page.locator("body")).to_contain_text("98 of 100 left today")
    finally:
        run(database.freeze(None))
