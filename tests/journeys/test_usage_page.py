"""The page of usage in a real browser: read, filtered, taken along as a file, in the reader's own time."""

import os
import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tenantry.testing import environment_of
from tenantry.testing.process import COMMAND

pytestmark = pytest.mark.browser

ZONES = {
    "Asia/Kolkata": r"5:30\sAM GMT\+5:30",
    "America/Los_Angeles": r"[45]:00\sPM P[DS]T",
    "UTC": r"12:00\sAM UTC",
}


@pytest.fixture
def server(run_server, database, tmp_path):
    """The demo product with a month of Ada's behind it."""
    environment = {**os.environ, **environment_of(database)}
    subprocess.run([COMMAND, "seed", "crypto_data"], cwd=tmp_path, env=environment, check=True, timeout=60)
    with run_server() as running:
        yield running


def sign_in(tab):
    tab.page.goto("/signin")
    tab.click("link", re.compile("demo", re.IGNORECASE))
    tab.click("link", re.compile("Ada Lovelace"))
    expect(tab.page).to_have_url(re.compile("/dashboard"))


@pytest.mark.parametrize("look", [{}, {"scripts": False}, {"phone": True}], ids=["scripts", "no-scripts", "phone"])
def test_a_month_is_read_filtered_and_taken_along(server, browse, look):
    tab = browse(server, **look)
    page = tab.page
    sign_in(tab)
    if look.get("phone"):
        tab.click("button", "Menu")
    tab.click("link", "Usage")
    expect(page.get_by_role("heading", name="Past usage")).to_be_visible()
    rows = page.get_by_role("table", name="Past usage").locator("tbody tr")
    expect(rows).to_have_count(30)
    expect(page.get_by_role("meter")).to_have_count(1)

    today = datetime.now(UTC).date()
    page.get_by_label("First day").fill(str(today - timedelta(days=6)))
    page.get_by_label("Last day").fill(str(today - timedelta(days=2)))
    tab.click("button", "Show")
    expect(rows).to_have_count(5)
    expect(page.get_by_label("First day")).to_have_value(str(today - timedelta(days=6)))
    shown = [int(text) for text in page.locator("tbody td[data-label=Used]").all_inner_texts()]

    with page.expect_download() as downloading:
        tab.click("link", "Download CSV")
    downloaded = downloading.value
    assert downloaded.suggested_filename == (
        f"usage-requests-{today - timedelta(days=6)}-to-{today - timedelta(days=2)}.csv"
    )
    lines = Path(downloaded.path()).read_text().splitlines()[1:]
    assert [int(line.split(",")[3]) for line in lines] == shown[::-1]
    tab.clean()


def test_days_that_cannot_be_are_told_beside_the_field(server, browse):
    tab = browse(server)
    sign_in(tab)
    tab.page.goto("/usage?from=soon")
    field = tab.page.get_by_label("First day")
    expect(field).to_have_value("soon")
    expect(field).to_have_accessible_description("Write a day like 2026-03-14.")
    field.fill("2026-01-02")
    tab.page.get_by_label("Last day").fill("2026-01-01")
    tab.click("button", "Show")
    expect(tab.page.get_by_label("Last day")).to_have_accessible_description("The last day is before the first.")


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("path", ["/usage", "/dashboard"])
def test_when_the_count_starts_again_is_told_in_the_readers_own_time(server, browse, path, zone):
    tab = browse(server, zone=zone)
    sign_in(tab)
    tab.page.goto(path)
    shown = tab.page.locator('main time[title*="UTC"]').filter(has_text=re.compile(ZONES[zone])).first
    expect(shown).to_be_visible()
    # The server's own words are still to be had.
    expect(shown).to_have_attribute("title", re.compile(r"12:00\sAM UTC"))
    # Soon after midnight it is nearly a day away.
    expect(tab.page.locator("main")).to_contain_text(re.compile("in \\d+ (day|hour|minute|second)|tomorrow"))
    tab.clean()


def test_without_a_script_times_are_utc_and_say_so(server, browse):
    tab = browse(server, scripts=False, zone="Asia/Kolkata")
    sign_in(tab)
    tab.page.goto("/usage")
    expect(tab.page.locator("main")).to_contain_text(re.compile(r"The count starts again .*12:00\sAM UTC\."))
