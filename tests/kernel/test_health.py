import asyncio

import httpx2
import pytest
from fastapi import FastAPI

from tenantry.kernel.frame import is_private
from tenantry.kernel.health import Check, Metrics, health_router
from tenantry.kernel.problem_handlers import install_problem_handlers


async def fine() -> None:
    pass


async def broken() -> None:
    raise ConnectionError("postgresql://app:hunter2@db/app")


async def slow() -> None:
    await asyncio.sleep(60)


def client_of(checks: dict[str, Check] | None = None, peer: str = "127.0.0.1") -> httpx2.AsyncClient:
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
    ],
)
async def test_404_metrics_for_everybody_else(peer: str, headers: dict[str, str]) -> None:
    answer = await client_of(peer=peer).get("/metrics", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (404, "request.not_found")


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
