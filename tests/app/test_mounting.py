"""A product inside somebody's own FastAPI application."""

import re
import runpy
import textwrap
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI, Request

import tenantry
from tenantry import Google, Meter, Plan, Product, Settings
from tenantry.app.lifespan import schema_revisions
from tenantry.kernel.clock import Clock, FrozenClock
from tenantry.testing import PUBLIC_URL, START, AppKit

README = Path(__file__).parents[2] / "README.md"
HTML = {"Accept": "text/html"}
PRODUCT = Product("Acme", sign_in=[Google()], plans=[Plan("free", price=0, limits={Meter("requests", per="day"): 5})])


@pytest.fixture
async def own(database, identity_provider, provider_clock):
    """Somebody's application with a route, a lifespan and the small product, running; a kit to browse it."""
    identity_provider.clear()
    provider_clock.clock = clock = FrozenClock(START)
    await database.freeze(START)
    settings = Settings(
        database_url=database.api_url,
        service_url=database.service_url,
        public_url=PUBLIC_URL,
        secret_keys=("test-key-of-forty-characters-0123456789ab",),
        demo_issuer=identity_provider.url,
    )
    inner = tenantry.create_app(PRODUCT, settings, worker=False, log_requests=False, ports={Clock: clock})

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[dict[str, object]]:
        # The product's databases are open by now: their start-up may use them.
        yield {"revisions": await schema_revisions(inner.state.runtime)}

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    tenantry.mount(app, inner)

    @app.get("/quotes/{name}")
    async def quote(name: str, request: Request) -> dict[str, object]:
        return {"name": name, "is_theirs": request.app is app}

    async with AsyncExitStack() as stack:
        state = await stack.enter_async_context(app.router.lifespan_context(app))
        app.state.runtime, app.state.yielded = inner.state.runtime, state
        yield AppKit(app, clock, database, identity_provider, stack)
        await database.freeze(None)


async def test_their_routes_answer_first_though_they_were_added_later(own):
    client = await own.client()
    answer = await client.get("/quotes/ada")
    assert (answer.status_code, answer.json()["is_theirs"]) == (200, True)
    assert (await client.post("/quotes/ada")).status_code == 405


async def test_both_lifespans_run_and_theirs_keeps_its_state(own):
    assert own.app.state.yielded["revisions"]
    assert (await (await own.client()).get("/readyz")).status_code == 200


async def test_people_sign_in_and_find_pages_static_files_and_the_api(own):
    ada = await own.sign_in("ada")
    assert (await ada.get("/v1/me")).json()["email"] == "ada@example.com"
    page = await ada.get("/dashboard", headers=HTML)
    assert "Ada Lovelace" in page.text
    for address in re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text):
        assert (await ada.get(address)).status_code == 200
    for address in set(re.findall(r'href="(/[^"#]*)"', page.text)):
        assert (await ada.get(address)).status_code == 200
    away = await ada.post("/auth/signout")
    assert (away.status_code, away.headers["location"]) == (303, "/")


async def test_the_frame_is_the_products_own(own):
    client = await own.client()
    assert (await client.get("/docs", headers=HTML)).status_code == 200
    missing = await client.get("/nowhere")
    assert missing.json()["code"] == "request.not_found"
    assert "x-request-id" in missing.headers
    assert "content-security-policy" in missing.headers
    assert (await client.get("/v1/me", headers={"Host": "evil.example"})).status_code == 421
    figures = (await client.get("/metrics")).text
    assert 'route="/docs"' in figures


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_the_example_in_the_readme_runs(database, tmp_path, monkeypatch):
    declared, mounted = (
        block for block in re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    )
    (tmp_path / "product.py").write_text(declared)
    (tmp_path / "main.py").write_text(textwrap.dedent(mounted))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("TENANTRY_DATABASE_URL", database.api_url)
    app = runpy.run_path(str(tmp_path / "main.py"))["app"]
    transport = httpx2.ASGITransport(app=app, client=("127.0.0.1", 50_000))
    async with app.router.lifespan_context(app), httpx2.AsyncClient(transport=transport, base_url=PUBLIC_URL) as client:
        assert (await client.get("/hello")).json() == {"hello": "world"}
        assert "Acme" in (await client.get("/", headers=HTML)).text
        for path in ("/v1/me", "/report"):
            assert (await client.get(path)).json()["code"] == "request.unauthenticated"
