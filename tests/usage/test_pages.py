"""`/usage` and the notices on the dashboard, as they are sent: the same without a script."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from uuid import UUID

import pytest

from tenantry import UNLIMITED, Gauge, Google, Meter, Plan, Product
from tenantry.holders import by_id, by_user, set_period
from tenantry.kernel.windows import window_end, window_start
from tenantry.usage import Leases, Window, decide, record
from tenantry.usage.pages import ROWS_MAX

requests, tokens = Meter("requests", per="day"), Meter("model_tokens", per="month")
PRODUCT = Product(
    "Acme",
    sign_in=[Google()],
    plans=[
        Plan("free", price=0, limits={requests: 100, tokens: 1000}),
        Plan("pro", price=900, limits={requests: 1000, tokens: UNLIMITED}),
    ],
)
NOW = datetime(2026, 3, 14, 12, tzinfo=UTC)
HTML = {"Accept": "text/html"}


@pytest.fixture
async def kit(start):
    return await start(PRODUCT)


@pytest.fixture
async def ada(kit):
    return await kit.sign_in("ada", client=await kit.client(**HTML))


async def test_each_meter_stands_there_with_its_limit_and_when_it_starts_again(kit, ada):
    await call(kit, ada, requests, 37)
    await call(kit, ada, tokens, 250)
    answer = await ada.get("/usage")
    text = words(answer)
    assert answer.status_code == 200
    assert "Requests today 37 of 100 63 of 100 left today. The count starts again in 12 hours:" in text
    assert "Model tokens this month 250 of 1,000 750 of 1,000 left this month." in text
    assert '<time datetime="2026-03-15T00:00:00Z" data-local="zone">Mar 15, 2026, 12:00 AM UTC</time>' in spaced(answer)
    assert '<a href="/usage" aria-current="page">' in answer.text


async def test_without_a_filter_the_last_thirty_days_of_the_first_meter(kit, ada):
    await keep(kit, ada, requests, [(0, 10), (29, 20), (30, 30)])
    text = (await ada.get("/usage")).text
    assert 'type="date" value="2026-02-13"' in text
    assert 'type="date" value="2026-03-14"' in text
    assert rows(text) == [("Mar 14, 2026", "10", "100", "10%"), ("Feb 13, 2026", "20", "100", "20%")]
    assert "Feb 14, 2026: 0 requests" in text
    assert "<strong>30</strong> requests" in text


async def test_a_filter_shows_its_windows_and_leads_to_the_same_file(kit, ada):
    await keep(kit, ada, requests, [(0, 10), (5, 20), (9, 100)])
    text = (await ada.get("/usage?meter=requests&from=2026-03-05&to=2026-03-09")).text
    shown = rows(text)
    assert shown == [("Mar 9, 2026", "20", "100", "20%"), ("Mar 5, 2026", "100", "100", "100%")]
    link = unescape(re.search(r'href="(/v1/me/usage/export\.csv[^"]*)" download', text)[1])
    lines = (await ada.get(link)).text.split("\r\n")[1:-1]
    assert [line.split(",")[3] for line in lines] == [row[1] for row in reversed(shown)]


async def test_months_are_shown_by_their_days_and_names(kit, ada):
    await keep(kit, ada, tokens, [(0, 10), (40, 500)])
    text = (await ada.get("/usage?meter=model_tokens")).text
    assert 'value="2025-03-01"' in text
    assert [row[:2] for row in rows(text)] == [
        ("Mar 1, 2026 \u2013 Mar 31, 2026", "10"),
        ("Feb 1, 2026 \u2013 Feb 28, 2026", "500"),
    ]
    assert "Feb 2026: 500 model tokens" in text
    assert '<option value="model_tokens" selected>Model tokens</option>' in text


async def test_a_billing_period_is_called_by_its_first_day(kit, ada):
    holder = await holder_of(kit, ada)
    start = datetime(2026, 3, 10, 8, tzinfo=UTC)
    async with kit.system.service() as ctx:
        await set_period(ctx, holder, start=start, end=start + timedelta(days=31))
    await call(kit, ada, tokens, 5)
    text = (await ada.get("/usage?meter=model_tokens")).text
    assert rows(text)[0][:2] == ("Mar 10, 2026 \u2013 Apr 10, 2026", "5")
    assert "Mar 10, 2026: 5 model tokens" in text


@pytest.mark.parametrize(
    ("asked", "field", "sentence", "kept"),
    [
        ("from=2026-03-09&to=2026-03-05", "to", "The last day is before the first.", 'type="date" value="2026-03-05"'),
        ("from=2024-03-09&to=2026-03-05", "from", "Ask for 400 days at most.", 'type="date" value="2024-03-09"'),
        ("from=soon", "from", "Write a day like 2026-03-14.", 'type="text" value="soon"'),
        ("to=%3Cb%3E", "to", "Write a day like 2026-03-14.", 'type="text" value="&lt;b&gt;"'),
        ("meter=nothing", "meter", "Choose one of the meters.", '<select class="input" id="f-meter"'),
    ],
)
async def test_422_a_filter_that_cannot_be_is_told_beside_its_field_and_kept(kit, ada, asked, field, sentence, kept):
    answer = await ada.get(f"/usage?{asked}")
    assert answer.status_code == 422
    assert kept in answer.text
    assert f'id="f-{field}-error"' in answer.text
    assert sentence in words(answer)
    assert "export.csv" not in answer.text
    assert "Requests today" in words(answer)


async def test_both_days_that_cannot_be_are_told_at_once(ada):
    answer = await ada.get("/usage?from=soon&to=later")
    assert (answer.text.count('aria-invalid="true"'), answer.status_code) == (2, 422)


async def test_a_long_time_has_pages(kit, ada):
    await keep(kit, ada, requests, [(day, day + 1) for day in range(70)])
    asked = "/usage?meter=requests&from=2025-12-01&to=2026-03-14"
    seen, address = [], asked
    while address:
        text = (await ada.get(address)).text
        seen.append([int(row[1]) for row in rows(text)])
        found = re.search(r'href="([^"]*)" rel="next"', text)
        address = unescape(found[1]) if found else ""
    assert seen == [list(range(1, 32)), list(range(32, 63)), list(range(63, 71))]
    assert len(seen[0]) == ROWS_MAX
    last = (await ada.get(f"{asked}&page=9")).text
    assert "Page 3 of 3" in last


async def test_nothing_used_is_said_in_words(ada):
    answer = await ada.get("/usage?from=2026-01-01&to=2026-01-31")
    assert answer.status_code == 200
    assert "From Jan 1, 2026 to Jan 31, 2026 no call was let in." in words(answer)
    assert "export.csv" not in answer.text


async def test_a_product_that_counts_nothing_says_so(start):
    kit = await start(Product("Acme", sign_in=[Google()], plans=[Plan("free", price=0, limits={Gauge("storage"): 5})]))
    answer = await (await kit.sign_in("ada", client=await kit.client(**HTML))).get("/usage?meter=x")
    assert (answer.status_code, "Nothing is counted here" in words(answer)) == (200, True)


async def test_the_page_costs_three_statements(kit, ada, statements):
    await keep(kit, ada, requests, [(day, day + 1) for day in range(30)])
    await ada.get("/usage")
    for path in ("/usage", "/dashboard"):
        with statements(kit) as count:
            assert (await ada.get(path)).status_code == 200
        assert count() == 3, path  # who asks, how they stand, what they used


@pytest.mark.parametrize("path", ["/usage", "/dashboard"])
async def test_who_nears_the_limit_is_told_with_a_way_out(kit, ada, path):
    await call(kit, ada, requests, 79)
    assert 'class="notice' not in (await ada.get(path)).text
    await call(kit, ada, requests, 1)
    near = await ada.get(path)
    assert "Almost used up today: 80 of 100 requests The count starts again in 12 hours:" in words(near)
    assert '<div class="notice tone-warning">' in near.text
    await call(kit, ada, requests, 20)
    full = await ada.get(path)
    said = "Today's limit is reached: 100 of 100 requests Further calls are refused. The count starts again"
    assert said in words(full)
    assert '<div class="notice tone-danger" role="alert">' in full.text
    assert '<a href="/pricing">See the plans</a>' in full.text
    await call(kit, ada, tokens, 900)
    assert "Almost used up this month: 900 of 1,000 model tokens" in words(await ada.get(path))


async def test_the_next_day_nothing_is_told_any_more(kit, ada):
    await call(kit, ada, requests, 100)
    await kit.set_time(NOW + timedelta(days=1))
    ada = await kit.sign_in("ada", client=await kit.client(**HTML))
    assert 'class="notice' not in (await ada.get("/usage")).text


async def test_german_readers_are_told_in_german(kit, ada):
    await call(kit, ada, requests, 100)
    text = words(await ada.get("/usage", headers={"Accept-Language": "de"}))
    assert "Das Limit von heute ist erreicht: 100 von 100 Anfragen" in text
    assert "Bisheriger Verbrauch" in text


async def test_the_page_is_for_who_is_signed_in(kit):
    answer = await (await kit.client(**HTML)).get("/usage?meter=requests")
    assert (answer.status_code, answer.headers["location"]) == (303, "/signin?return_to=/usage%3Fmeter%3Drequests")
    assert "Disallow: /usage" in (await (await kit.client()).get("/robots.txt")).text


async def test_head_answers_as_get(ada):
    answer = await ada.head("/usage")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")


def spaced(answer):
    return answer.text.replace("\u202f", " ")


def words(answer):
    """What a reader reads of a page."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", spaced(answer).partition("<main")[2])).split()).replace(" :", ":")


def rows(text):
    """The cells of the table of past usage."""
    table = text.partition('<table class="table is-tight"')[2].partition("</table>")[0]
    found = re.findall(r'<tr role="row">(.*?)</tr>', table.partition("<tbody")[2], re.DOTALL)
    cells = [re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL) for row in found]
    return [tuple(unescape(re.sub(r"<[^>]*>", "", cell)).strip() for cell in row) for row in cells]


async def holder_of(kit, client):
    user = UUID((await client.get("/v1/me")).json()["id"])
    async with kit.system.service(writes=False) as ctx:
        return (await by_user(ctx.db, user)).id


async def keep(kit, client, meter, windows):
    """Windows as they were: so many days ago, so much used of the plan's limit."""
    holder = await holder_of(kit, client)
    async with kit.system.service() as ctx:
        held = await by_id(ctx.db, holder)
        for ago, used in windows:
            at = NOW - timedelta(days=ago)
            start, end = window_start(meter.per, at), window_end(meter.per, at)
            limit = ctx.product.limit("free", meter)
            assert await record(ctx.db, held, Window(meter.name, start, end, used, limit))


async def call(kit, client, meter, cost):
    assert (await decide(kit.system, await holder_of(kit, client), meter, cost)).allowed
    await kit.runtime.port(Leases).notices.written()
