"""A server that is killed while it counts: whatever it answered is there when it starts again (SQLite, durable)."""

import signal
import sqlite3
import threading
from contextlib import closing

import httpx2
import pytest

from tenantry.testing.standins import start_binance


@pytest.fixture
def exchange(monkeypatch):
    with start_binance() as running:
        monkeypatch.setenv("TENANTRY_BINANCE_BASE_URL", running.url)
        yield running


class Callers:
    """Several callers that go on until the server is gone; they count what they were answered."""

    def __init__(self, url, cookies, number):
        self.sent = self.answered = 0
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._call, args=(url, cookies)) for _ in range(number)]
        for one in self._threads:
            one.start()

    def _call(self, url, cookies):
        with httpx2.Client(base_url=url, cookies=cookies, timeout=10) as client:
            while True:
                with self._lock:
                    self.sent += 1
                try:
                    answer = client.get("/v1/prices/BTCUSDT")
                except httpx2.TransportError:
                    return
                with self._lock:
                    self.answered += answer.status_code == 200

    def join(self):
        for one in self._threads:
            one.join(20)


def counted():
    """What is counted as used, and with what processes held when they were killed."""
    with closing(sqlite3.connect("var/tenantry.db")) as connection:
        found: tuple[int, int] = connection.execute(
            "SELECT sum(used), sum(used + leased) FROM usage_counters"
        ).fetchone()
    return found


@pytest.mark.parametrize("workers", [1, 2])
def test_every_answered_call_is_counted_after_a_crash(workers, product, exchange, serve, wait_for):
    server = serve("--workers", str(workers))
    with server.browser("ada") as ada:
        cookies = httpx2.Cookies(ada.cookies)
    before, _ = counted()
    callers = Callers(server.url, cookies, 4)
    wait_for(lambda: callers.answered >= 50)
    assert server.send(signal.SIGKILL, to_group=True) == -signal.SIGKILL
    callers.join()

    used, held = counted()
    # What was spent from a lease stays leased; what was on its way may be counted: one call for each caller at most.
    assert callers.answered <= held - before
    assert used - before <= callers.sent
    again = serve()
    with httpx2.Client(base_url=again.url, cookies=cookies, timeout=10) as ada:
        assert ada.get("/v1/prices/BTCUSDT").status_code == 200
        shown = ada.get("/v1/me/usage").json()["items"][0]["used"]
        assert ada.get("/v1/prices/BTCUSDT").status_code == 200
        assert ada.get("/v1/me/usage").json()["items"][0]["used"] == shown + 1
