"""`examples/fastapi_app.py` and `docs/metering.md` run as they stand."""

import asyncio
import re
import runpy
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from tenantry.kernel.clock import FrozenClock, SystemClock
from tenantry.testing import PUBLIC_URL, START, AppKit, TestDatabase

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
Run = Callable[[FastAPI], Any]


@pytest.fixture
async def run(
    database: TestDatabase, identity_provider: Any, provider_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Run]:
    """The environment is the test's; answers what starts an application that reads it and follows the real clock."""
    identity_provider.clear()
    provider_clock.clock = SystemClock()
    monkeypatch.setenv("TENANTRY_DATABASE_URL", database.api_url)
    if database.service_url:
        monkeypatch.setenv("TENANTRY_SERVICE_URL", database.service_url)
    monkeypatch.setenv("TENANTRY_PUBLIC_URL", PUBLIC_URL)
    monkeypatch.setenv("TENANTRY_DEMO_ISSUER", identity_provider.url)
    monkeypatch.setenv("TENANTRY_SECRET_KEYS", "test-key-of-forty-characters-0123456789ab")
    async with AsyncExitStack() as stack:

        async def begin(app: FastAPI) -> AppKit:
            await stack.enter_async_context(app.router.lifespan_context(app))
            return AppKit(app, FrozenClock(START), database, identity_provider, stack)

        yield begin


async def test_the_example_runs(run: Run) -> None:
    kit = await run(runpy.run_path(str(ROOT / "examples" / "fastapi_app.py"))["app"])
    stranger = await kit.client()
    assert (await stranger.get("/hello")).json() == {"hello": "world"}
    for path in ("/report", "/tiles/1"):
        assert (await stranger.get(path)).json()["code"] == "request.unauthenticated"
    ada = await kit.sign_in("ada")
    assert (await ada.get("/report")).json() == {"for": "ada@example.com", "plan": "free", "left": 4}
    assert (await ada.post("/render?tiles=x")).status_code == 422
    assert (await ada.post("/render?tiles=3")).headers["X-RateLimit-Remaining"] == "1"
    # How many come through depends on how quick we are; never more than are left.
    answers = await asyncio.gather(*(ada.get("/tiles/1") for _ in range(20)))
    refused = [one for one in answers if one.status_code != 200]
    assert len(refused) >= 19
    assert {one.json()["code"] for one in refused} <= {"usage.burst_exceeded", "usage.quota_exceeded"}
    assert all(int(one.headers["Retry-After"]) >= 1 for one in refused)
    described = (await stranger.get("/our-openapi.json")).json()["paths"]["/report"]["get"]["responses"]
    assert {"401", "429", "503"} <= set(described)


async def test_the_documentation_runs(run: Run) -> None:
    names: dict[str, Any] = {}
    for block in BLOCK.findall((ROOT / "docs" / "metering.md").read_text(encoding="utf-8")):
        exec(compile(block, "metering.md", "exec"), names)
    kit = await run(names["app"])
    ada = await kit.sign_in("ada")
    report = await ada.get("/report")
    assert report.json() == {"for": "Ada Lovelace", "plan": "free"}
    assert report.headers["RateLimit-Policy"] == '"requests";q=100;w=86400, "burst";q=20;w=1'
    assert (await ada.delete("/reports")).status_code == 403
    assert (await ada.get("/tiles/1")).headers["X-RateLimit-Remaining"] == "94"
    assert (await ada.post("/render?tiles=4")).headers["X-RateLimit-Remaining"] == "90"
    for wrong in (0, -1, 101, 10**13):
        assert (await ada.post(f"/render?tiles={wrong}")).status_code == 422
    assert (await (await kit.client()).post("/render?tiles=4")).status_code == 401
