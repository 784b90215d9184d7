import asyncio

import httpx2
import pytest
from fastapi import FastAPI

from tenantry.kernel.frame import is_private
from tenantry.kernel.health import Metrics, Probe, health_router
from tenantry.kernel.problem_handlers import install_problem_handlers

BOUNDS = ("0.001", "0.0025", "0.25", "0.5", "10.0", "+Inf")


async def fine() -> None:
    pass


async def broken() -> None:
    raise ConnectionError("postgresql://app:hunter2@db/app")


async def slow() -> None:
    await asyncio.sleep(60)


def client_of(checks: dict[str, Probe] | None = None, peer: str = "127.0.0.1") -> httpx2.AsyncClient:
    app = FastAPI()
    install_problem_handlers(app, page=None)
    metrics = Metrics()
    metrics.observe("GET", "/x", 200, 0.01)
    app.include_router(health_router(checks or {}, metrics))
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app, client=(peer, 1)), base_url="http://localhost")


async def test_alive_asks_nobody() -> None:
    answer = await client_of({"database": broken}).get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_ready() -> None:
    answer = await client_of({"database": fine, "jobs": fine}).get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})
    assert (await client_of().get("/readyz")).status_code == 200


async def test_503_names_what_failed_and_not_why() -> None:
    started = asyncio.get_running_loop().time()
    answer = await client_of({"database": broken, "jobs": fine, "mail": slow}).get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["code"] == "health.not_ready"
    assert answer.json()["failed"] == ["database", "mail"]
    assert "hunter2" not in answer.text
    assert asyncio.get_running_loop().time() - started < 30


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "10.1.2.3", "192.168.0.1", "fd00::1", "::ffff:10.0.0.1"])
async def test_metrics_for_the_same_network(peer: str) -> None:
    answer = await client_of(peer=peer).get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'tenantry_http_requests_total{method="GET",route="/x",status="200"} 1.0' in answer.text


@pytest.mark.parametrize(
    ("peer", "headers"),
    [
        ("8.8.8.8", {}),
        ("2606:4700::1", {}),
        ("", {}),
        ("testclient", {}),
        ("127.0.0.1", {"x-forwarded-for": "10.0.0.1"}),
        ("127.0.0.1", {"forwarded": "for=10.0.0.1"}),
        ("127.0.0.1", {"x-real-ip": "10.0.0.1"}),
        ("127.0.0.1", {"X-Forwarded-Host": "demo.example.com"}),
    ],
)
async def test_404_metrics_for_everybody_else(peer: str, headers: dict[str, str]) -> None:
    answer = await client_of(peer=peer).get("/metrics", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (404, "request.not_found")


def test_times_are_told_in_buckets_over_all_statuses() -> None:
    metrics = Metrics()
    for status, seconds in ((200, 0.001), (200, 0.002), (404, 0.3), (200, 60.0)):
        metrics.observe("GET", "/x", status, seconds)
    lines = metrics.render().decode().splitlines()
    counted = {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if "_http_" in line[:20]}
    route = 'method="GET",route="/x"'
    assert counted[f'tenantry_http_requests_total{{{route},status="200"}}'] == 3
    assert counted[f'tenantry_http_requests_total{{{route},status="404"}}'] == 1
    upto = {bound: counted[f'tenantry_http_request_seconds_bucket{{le="{bound}",{route}}}'] for bound in BOUNDS}
    assert upto == {"0.001": 1, "0.0025": 2, "0.25": 2, "0.5": 3, "10.0": 3, "+Inf": 4}
    assert counted[f"tenantry_http_request_seconds_count{{{route}}}"] == 4
    assert counted[f"tenantry_http_request_seconds_sum{{{route}}}"] == pytest.approx(60.303)
    assert "# TYPE tenantry_http_request_seconds histogram" in lines


@pytest.mark.parametrize("host", ["app.example.com", "APP.example.com.", "app.example.com:443", "x@app.example.com:x"])
async def test_404_metrics_under_the_public_host_however_it_is_spelled(host: str) -> None:
    app = FastAPI()
    install_problem_handlers(app, page=None)
    app.include_router(health_router({}, Metrics(), public_host="app.example.com"))
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=app, client=("127.0.0.1", 1)), base_url="http://app"
    ) as client:
        assert (await client.get("/metrics", headers={"host": host})).status_code == 404
        assert (await client.get("/metrics", headers={"host": "app.example.com.internal"})).status_code == 200


def test_each_metrics_has_a_registry_of_its_own() -> None:
    one, other = Metrics(), Metrics()
    one.observe("GET", "/x", 200, 0.01)
    assert b'route="/x"' in one.render()
    assert b'route="/x"' not in other.render()


@pytest.mark.parametrize(
    ("address", "expected"), [("0.0.0.0", False), ("::", False), ("100.64.0.1", False), ("fe80::1%eth0", True)]
)
def test_private_addresses(address: str, expected: bool) -> None:
    assert is_private(address) is expected
