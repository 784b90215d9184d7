"""A process that is told to stop loses no call; one that is killed only what it noted a moment before."""

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from tenantry.testing import environment_of, serve

CALLERS = 4
LOST_SECONDS = 3.0
"""More than the quarter of a second that calls wait, for a machine that is busy with other work."""


@pytest.fixture
def run(database, tmp_path):
    file = str(Path(__file__).with_name("killed_product.py"))
    return lambda: serve(tmp_path, file, **environment_of(database))


def call_until(server, secret, stop):
    """Call from many threads; answers when each call was answered, by the request's id."""

    def call(_caller):
        answered = {}
        with httpx2.Client(base_url=server.url, headers={"X-API-Key": secret}, timeout=5) as client:
            while not stop.is_set():
                try:
                    answer = client.get("/v1/things/4711")
                except httpx2.TransportError:
                    break
                assert answer.status_code == 200
                answered[answer.headers["x-request-id"]] = time.monotonic()
        return answered

    with ThreadPoolExecutor(CALLERS) as callers:
        return {request: at for one in callers.map(call, range(CALLERS)) for request, at in one.items()}


def stopped_after(server, seconds, how):
    """Stop the server in a while; answers what is set then, and when that was."""
    stop, times = threading.Event(), []

    def run():
        stop.wait(seconds)
        times.append(time.monotonic())
        how(server, stop)
        stop.set()

    threading.Thread(target=run, daemon=True).start()
    return stop, times


def kill(server, _stop):
    os.killpg(server.process.pid, signal.SIGKILL)
    server.process.wait(10)


def tell(server, stop):
    # Whoever asks meanwhile is answered or refused; who was answered is in the log.
    stop.set()
    time.sleep(0.1)
    server.process.send_signal(signal.SIGTERM)
    server.process.wait(20)


def logged(client, key):
    """The requests in the log, page by page, and how many the roll-ups count."""
    found, cursor = [], {}
    while cursor is not None:
        page = client.get(f"/v1/keys/{key}/calls", params={"limit": 100, **cursor}).json()
        found += [one["request_id"] for one in page["items"]]
        cursor = page["next_cursor"] and {"cursor": page["next_cursor"]}
    return found, client.get(f"/v1/keys/{key}/stats").json()["total"]["calls"]


@pytest.mark.parametrize("how", [tell, kill], ids=["told", "killed"])
def test_what_is_in_the_log_after_a_process_ended(run, how):
    with run() as server:
        with server.sign_in("ada") as ada:
            key = ada.post("/v1/keys", json={"label": "robot"}).json()
        stop, times = stopped_after(server, 2.0, how)
        answered = call_until(server, key["secret"], stop)
    with run() as server, server.sign_in("ada") as ada:
        found, counted = logged(ada, key["id"])
    assert len(found) == len(set(found)) == counted > 0
    missing = answered.keys() - set(found)
    assert all(answered[one] > times[0] - LOST_SECONDS for one in missing)
    # What was under way when it ended may be there without an answer.
    assert len(set(found) - answered.keys()) <= CALLERS
    if how is tell:
        assert not missing
    else:
        assert len(missing) < len(answered)
