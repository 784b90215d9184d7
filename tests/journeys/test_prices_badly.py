"""Prices with the network closed, slow and lying, through a server process: clear refusals, honest ages, paid once."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import expect

from tenantry.testing import Server, TestDatabase, environment_of, serve
from tenantry.testing.standins import StandIn, start_binance

ServeOn = Callable[[str], AbstractContextManager[Server]]


@pytest.fixture
def exchange() -> Iterator[StandIn]:
    with start_binance() as running:
        yield running


@pytest.fixture
def serve_on(database: TestDatabase, tmp_path: Path) -> ServeOn:
    """What starts the demo product with an exchange of the test's own."""
    return lambda url: serve(tmp_path, "crypto_data", TENANTRY_BINANCE_BASE_URL=url, **environment_of(database))


@pytest.fixture
def grace(serve_on: ServeOn, exchange: StandIn) -> Iterator[httpx2.Client]:
    with serve_on(exchange.url) as server, server.sign_in("grace") as client:
        client.timeout = httpx2.Timeout(20)
        yield client


def price(client: httpx2.Client, symbol: str) -> httpx2.Response:
    return client.get(f"/v1/prices/{symbol}")


def used(client: httpx2.Client) -> int:
    count: int = client.get("/v1/me/usage").json()["items"][0]["used"]
    return count


def is_away(answer: httpx2.Response, reason: str) -> bool:
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["Retry-After"]) >= 1
    found = answer.json()
    return (answer.status_code, found["code"], found["reason"]) == (503, "sources.unavailable", reason)


LIES = {
    "ETHUSDT": {"kind": "symbol"},
    "BNBUSDT": {"kind": "html"},
    "SOLUSDT": {"kind": "huge"},
    "XRPUSDT": {"kind": "nan"},
    "ADAUSDT": {"kind": "negative"},
    "DOGEUSDT": {"kind": "exponent"},
    "LTCUSDT": {"kind": "gzip"},
    "LINKUSDT": {"kind": "future"},
}


def test_lies_are_503_or_a_stale_value_with_its_age_and_each_call_counts_once(grace, exchange):
    assert price(grace, "BTCUSDT").status_code == 200
    for symbol, details in LIES.items():
        exchange.fault("lying", **details)
        answer = price(grace, symbol)
        assert is_away(answer, "invalid"), answer.text
        assert answer.headers["X-RateLimit-Limit"] == "100"
    exchange.fault("lying", kind="html", count=1000)
    stale = wait_for_stale(grace)
    assert stale["symbol"] == "BTCUSDT"
    assert stale["age_seconds"] >= 2
    before = used(grace)
    assert [price(grace, symbol).status_code for symbol in ("NOSUCH", "not-a-symbol")] == [404, 404]
    assert used(grace) == before + 2
    ahead = datetime.now(UTC) + timedelta(hours=1)  # their clock is wrong, or ours: no reason for a negative age
    exchange.fault("lying", kind="time", until_ms=int(ahead.timestamp() * 1000))
    found = price(grace, "ATOMUSDT").json()
    assert found["age_seconds"] >= 0
    assert datetime.fromisoformat(found["as_of"]) > datetime.now(UTC)


def wait_for_stale(client: httpx2.Client) -> dict[str, object]:
    """Ask until the fresh seconds are over; every answer is the known price, and its age is never negative."""
    for calls in range(1, 60):
        answer = price(client, "BTCUSDT")
        found: dict[str, object] = answer.json()
        assert answer.status_code == 200
        assert found["age_seconds"] >= 0
        if found["stale"]:
            assert used(client) == 1 + len(LIES) + calls
            return found
        time.sleep(0.1)
    pytest.fail("the price never became stale")


def test_a_ban_with_a_date_is_kept_and_told(grace, exchange):
    assert price(grace, "BTCUSDT").status_code == 200
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=10)
    exchange.fault("418", retry_after=format_datetime(until, usegmt=True))
    banned = price(grace, "ETHUSDT")
    assert is_away(banned, "banned")
    assert 540 <= int(banned.headers["Retry-After"]) <= 600
    asked = exchange.requests
    assert is_away(price(grace, "XRPUSDT"), "banned")
    source = grace.get("/v1/sources").json()["items"][0]
    assert source["state"] == "unavailable"
    assert abs(datetime.fromisoformat(source["retry_at"]) - until) < timedelta(seconds=5)
    assert exchange.requests == asked
    assert used(grace) == 3
    assert price(grace, "BTCUSDT").status_code == 200  # still fresh, or stale


def test_a_host_that_drips_or_hangs_is_503_in_time(grace, exchange):
    for symbol, mode in (("BTCUSDT", "drip"), ("ETHUSDT", "hang")):
        exchange.fault(mode, seconds=0.5)
        assert is_away(price(grace, symbol), "timeout")
    exchange.clear()
    assert price(grace, "BTCUSDT").status_code == 200
    assert used(grace) == 3


def test_a_closed_port_is_503_at_once_and_then_not_even_tried(serve_on):
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # taken, and nobody listens
        with serve_on(f"http://127.0.0.1:{reserved.getsockname()[1]}") as server, server.sign_in("grace") as grace:
            assert is_away(price(grace, "BTCUSDT"), "unreachable")
            answers = [price(grace, "BTCUSDT") for _ in range(6)]
            assert is_away(answers[-1], "failing")
            assert {answer.status_code for answer in answers} == {503}
            assert grace.get("/v1/sources").json()["items"][0]["state"] == "unavailable"
            assert used(grace) == 7
            for path in ("/", "/dashboard", "/pricing", "/readyz", "/v1/me"):
                assert grace.get(path).status_code == 200, path


@pytest.mark.browser
@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_the_dashboard_says_that_a_source_does_not_answer(serve_on, exchange, browse, scripts):
    with serve_on(exchange.url) as server:
        tab = browse(server, scripts=scripts)
        tab.page.goto("/auth/demo/start")
        tab.page.get_by_role("link", name="Ada Lovelace").click()
        status = tab.page.get_by_role("row").filter(has_text="Binance Prices")
        expect(status).to_contain_text("Active")
        expect(status).not_to_contain_text("Not answering now")
        until = datetime.now(UTC) + timedelta(minutes=10)
        exchange.fault("418", retry_after=format_datetime(until, usegmt=True))
        tab.page.get_by_role("button", name="Get price").click()
        expect(tab.page.get_by_text("The data source cannot be reached just now.")).to_be_visible()
        expect(tab.page.get_by_text("503 sources.unavailable")).to_be_visible()
        expect(status).to_contain_text("Not answering now")
        expect(status).to_contain_text("Asked again in 10 minutes")
        tab.page.goto("/dashboard")
        expect(status).to_contain_text("Not answering now")
        assert [fault for fault in tab.faults if "503" not in fault] == []
