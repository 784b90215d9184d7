"""The page about authorizing runs, and so does the client in another language."""

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from keys.asked import FAULTS, PATH, bearer, service_secret, shown
from tenantry.kernel import Problem

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "authorize.md").read_text()


def run_page() -> dict[str, Any]:
    """What the page's Python defines, block after block."""
    names: dict[str, Any] = {}
    for block in PAGE.split("```python\n")[1:]:
        exec(compile(block.split("```")[0], "docs/authorize.md", "exec"), names)
    return names


@pytest.fixture
def page() -> dict[str, Any]:
    return run_page()


@pytest.fixture
async def kit(start, page):
    return await start(page["product"])


async def test_the_page_names_every_refusal_in_its_order():
    found = [PAGE.index(f"`{code}`") for code in FAULTS]
    assert found == sorted(found)


async def test_the_pages_routes_and_code_do_what_it_says(kit, ada, program, page):
    key = await shown(kit, ada, scopes=["maps:draw"])
    drawn = await program.get("/v1/maps/draw", headers=key.headers)
    assert (drawn.json(), drawn.headers["x-ratelimit-remaining"]) == ({"map": "drawn"}, "98")
    assert await page["admit"](kit.system, key.secret) == "free: 97 left"
    plain = await shown(kit, ada)
    refused = await program.get("/v1/maps/draw", headers=plain.headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "keys.scope_missing")
    with pytest.raises(Problem):
        await page["admit"](kit.system, plain.secret)
    question = {"key": key.secret, "meter": "calls", "cost": 2, "scope": "maps:draw"}
    answer = await program.post(PATH, json=question, headers=bearer(await service_secret(kit)))
    # The call that had no scope cost nothing.
    assert (answer.json()["allowed"], answer.json()["remaining"]) == (True, 95)


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")
async def test_the_client_in_node_asks(kit, ada, page):
    key, service = await shown(kit, ada, scopes=["maps:draw"]), await service_secret(kit)
    server = uvicorn.Server(uvicorn.Config(kit.app, port=0, lifespan="off", log_config=None, ws="none"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"

    async def node(*arguments: str, service: str = service) -> tuple[int | None, dict[str, Any], str]:
        told = await asyncio.create_subprocess_exec(
            "node", ROOT / "examples" / "authorize.mjs", *arguments,
            env={"TENANTRY_URL": url, "SERVICE_KEY": service, "PATH": "/usr/bin:/bin"},
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, wrong = await told.communicate()
        return told.returncode, json.loads(out or "{}"), wrong.decode()

    try:
        status, answer, wrong = await node(key.secret, "maps:draw")
        assert (status, answer.get("allowed"), answer.get("remaining")) == (0, True, 99), wrong
        await key.befall("keys.revoked")
        status, answer, _ = await node(key.secret)
        assert (status, answer["code"]) == (1, "keys.revoked")
        status, _, wrong = await node(key.secret, service="nobodys")
        assert status == 1
        assert "keys.missing" in wrong
        assert key.secret not in wrong
    finally:
        server.should_exit = True
        await serving
