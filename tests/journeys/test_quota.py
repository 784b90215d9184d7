"""The story of a day's quota, told over HTTP to a server process."""

import time
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

TOO_FAST = "usage.burst_exceeded"


def ask(client: httpx2.Client, symbol: str) -> httpx2.Response:
    """Ask as a polite program does: who was too fast comes again a moment later. A 20th of a second admits one more."""
    while True:
        answer = client.get(f"/v1/prices/{symbol}")
        if answer.status_code != 429 or answer.json()["code"] != TOO_FAST:
            return answer
        assert answer.headers["Retry-After"] == "1"
        time.sleep(0.05)


def test_the_101st_call_of_the_day_is_a_429_problem_with_headers(server):
    with server.sign_in("grace") as grace:
        for number in range(1, 101):
            answer = ask(grace, "BTCUSDT")
            assert answer.status_code == 200, answer.text
            assert answer.headers["X-RateLimit-Remaining"] == str(100 - number)
        refused = ask(grace, "BTCUSDT")
        assert refused.status_code == 429
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert refused.json()["code"] == "usage.quota_exceeded"
        assert refused.json()["limit"] == 100
        assert int(refused.headers["Retry-After"]) > 0
        assert refused.headers["RateLimit-Policy"] == '"requests";q=100;w=86400, "burst";q=20;w=1'
        assert refused.headers["RateLimit"].startswith('"requests";r=0;t=')
        usage = grace.get("/v1/me/usage").json()["items"][0]
        assert (usage["used"], usage["remaining"]) == (100, 0)


def test_callers_at_once_get_exactly_the_quota_from_several_workers(run_server):
    with run_server("--workers", "2") as server, server.sign_in("grace") as grace:
        with ThreadPoolExecutor(16) as callers:
            codes = list(callers.map(lambda _: ask(grace, "ETHUSDT").status_code, range(160)))
        assert (codes.count(200), codes.count(429)) == (100, 60)


def test_429_too_fast_is_told_apart_and_counts_nothing(server):
    with server.sign_in("grace") as grace:
        with ThreadPoolExecutor(16) as callers:
            answers = list(callers.map(lambda _: grace.get("/v1/prices/ETHUSDT"), range(90)))
        admitted = [one for one in answers if one.status_code == 200]
        # Twenty at once and twenty a second: how many that are depends on how quick we are.
        assert len(admitted) >= 20
        assert {one.json()["code"] for one in answers if one.status_code != 200} <= {TOO_FAST}
        assert grace.get("/v1/me/usage").json()["items"][0]["used"] == len(admitted)


def test_sign_out_ends_the_session_at_once(server):
    with server.sign_in("alan") as alan:
        cookies = dict(alan.cookies)
        assert alan.get("/v1/me").json()["email"] == "alan@example.com"
        assert alan.post("/auth/signout").status_code == 303
        alan.cookies.update(cookies)
        assert alan.get("/v1/me").status_code == 401


def test_a_stranger_is_told_to_sign_in(server):
    refused = httpx2.get(f"{server.url}/v1/prices/BTCUSDT")
    assert refused.status_code == 401
    assert refused.json()["code"] == "request.unauthenticated"


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_kill_9_loses_no_counted_call(run_server):
    with run_server() as server, server.sign_in("grace") as grace:
        answered = sum(ask(grace, "BTCUSDT").status_code == 200 for _ in range(20))
        server.process.kill()
        server.process.wait(10)
    with run_server() as server, server.sign_in("grace") as grace:
        assert grace.get("/v1/me/usage").json()["items"][0]["used"] == answered == 20
