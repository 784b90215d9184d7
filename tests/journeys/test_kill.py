"""kill -9 at any moment: nothing that was answered is lost, and the database starts again."""

import os
import random
import signal
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

CALLERS = 8


@pytest.mark.parametrize("rounds", [2, pytest.param(25, marks=[pytest.mark.deep, pytest.mark.timeout(1800)])])
def test_kill_9_of_all_workers_at_any_moment(run_server, database, rounds):
    answered = used = 0
    chance = random.Random(20261121)
    for _ in range(rounds):
        with run_server("--workers", "2") as server:
            with server.sign_in("grace") as grace:
                before = used_by(grace)
                assert answered <= before
                cookies = dict(grace.cookies)
            took = hammer_and_kill(server, cookies, after=chance.uniform(0.05, 0.6))
            answered = before + took
        check_file(database)
    with run_server() as server, server.sign_in("grace") as grace:
        used = used_by(grace)
    # What was in flight may have been counted without an answer; what was answered must have been counted.
    assert answered <= used <= min(100, answered + CALLERS)


def hammer_and_kill(server, cookies, *, after):
    """Call from many threads until every process of the server is killed; answers how many calls were admitted."""
    stop = threading.Event()

    def call_until_stopped(_):
        admitted = 0
        with httpx2.Client(base_url=server.url, cookies=cookies, timeout=5) as client:
            while not stop.is_set():
                try:
                    admitted += client.get("/v1/prices/BTCUSDT").status_code == 200
                except httpx2.TransportError:
                    return admitted
        return admitted

    with ThreadPoolExecutor(CALLERS) as callers:
        counts = callers.map(call_until_stopped, range(CALLERS))
        stop.wait(after)
        os.killpg(server.process.pid, signal.SIGKILL)
        server.process.wait(10)
        wait_until_gone(server)
        stop.set()
        return sum(counts)


def wait_until_gone(server):
    for _ in range(100):
        try:
            httpx2.get(f"{server.url}/healthz", timeout=1)
        except httpx2.TransportError:
            return
        time.sleep(0.1)
    pytest.fail("a worker outlived kill -9 of its group")


def used_by(client):
    return client.get("/v1/me/usage").json()["items"][0]["used"]


def check_file(database):
    if database.kind == "sqlite":
        with closing(sqlite3.connect(Path(database.api_url.removeprefix("sqlite:///")))) as file:
            assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
