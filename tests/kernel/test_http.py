"""The frame around a real application."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from fastapi import APIRouter, FastAPI
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from tenantry.kernel.frame import FrameOptions
from tenantry.kernel.health import Metrics
from tenantry.kernel.http import Frame
from tenantry.kernel.logs import access_log
from tenantry.kernel.problem_handlers import install_problem_handlers
from tenantry.kernel.problems import Forbidden

DEVELOPMENT = FrameOptions(production=False, public_url="http://localhost:8000")
JSON = {"content-type": "application/json"}


def build() -> FastAPI:
    app = FastAPI(max_body_size=2_000)
    install_problem_handlers(app, page=None)
    router = APIRouter(prefix="/v1")

    @router.get("/seen/{name}")
    async def seen(name: str) -> str:
        return name

    @router.post("/notes")
    async def note(body: dict[str, Any]) -> int:
        return len(body)

    @router.get("/crash")
    async def crash() -> None:
        raise RuntimeError("the password is hunter2")

    @router.get("/crash-late")
    async def crash_late() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"one"
            raise RuntimeError("too late")

        return StreamingResponse(parts())

    @router.get("/wait")
    async def wait() -> None:
        await asyncio.sleep(60)

    app.include_router(router)
    return app


class World:
    """One framed application, its client, its figures and its access lines."""

    def __init__(self, options: FrameOptions = DEVELOPMENT, app: Any = None) -> None:
        self.metrics = Metrics()
        self.lines = io.StringIO()
        access = access_log(production=True, stream=self.lines)
        self.app = Frame(app or build(), options, metrics=self.metrics, access=access)
        transport = httpx2.ASGITransport(app=self.app, client=("10.0.0.9", 1))
        self.client = httpx2.AsyncClient(transport=transport, base_url="http://localhost:8000")

    @property
    def access(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines.getvalue().splitlines()]


@pytest.fixture
async def development() -> AsyncIterator[World]:
    world = World()
    async with world.client:
        yield world


def refused(answer: httpx2.Response) -> tuple[int, str, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["request_id"] == answer.headers["x-request-id"]
    return answer.status_code, body["code"], body["errors"][0]["field"] if "errors" in body else ""


async def pieces(content: bytes) -> AsyncIterator[bytes]:
    for place in range(0, len(content), 7):
        yield content[place : place + 7]


@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/notes"), ("GET", "/v1/seen/a"), ("POST", "/nowhere")])
async def test_413_a_body_that_says_it_is_too_large(development: World, method: str, path: str) -> None:
    answer = await development.client.request(method, path, content=b"x" * 3_000, headers=JSON)
    assert refused(answer) == (413, "request.too_large", "")


async def test_413_a_streamed_body(development: World) -> None:
    answer = await development.client.post("/v1/notes", content=pieces(b"x" * 3_000), headers=JSON)
    assert refused(answer) == (413, "request.too_large", "")


async def test_500_a_crash_is_answered_and_logged_once(development: World, caplog: pytest.LogCaptureFixture) -> None:
    answer = await development.client.get("/v1/crash")
    assert refused(answer) == (500, "internal.error", "")
    assert "hunter2" not in answer.text
    assert caplog.text.count("request.crashed") == 1


async def test_500_and_403_without_any_handlers() -> None:
    async def crash(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("no framework here")

    async def forbid(scope: Scope, receive: Receive, send: Send) -> None:
        raise Forbidden("Not you.")

    assert refused(await World(app=crash).client.get("/")) == (500, "internal.error", "")
    world = World(app=forbid)
    assert refused(await world.client.get("/")) == (403, "request.forbidden", "")
    assert world.access[0]["status"] == 403


async def test_a_crash_after_the_start_sends_no_second_answer(development: World) -> None:
    messages: list[Message] = []

    async def send(message: Message) -> None:
        messages.append(message)

    async def receive() -> Message:
        await asyncio.sleep(60)
        return {"type": "http.disconnect"}

    headers = [(b"host", b"localhost")]
    scope = {"type": "http", "method": "GET", "path": "/v1/crash-late", "query_string": b"", "headers": headers}
    await development.app(scope, receive, send)
    # One start, one piece and no end: the server cuts the connection, and the client sees that something is missing.
    assert [message.get("status", message.get("body")) for message in messages] == [200, b"one"]
    assert messages[-1]["more_body"]


async def test_one_access_line_with_the_template_and_no_address(development: World) -> None:
    answer = await development.client.get("/v1/seen/secret-name?token=hunter2")
    line = development.access[0]
    assert (line["method"], line["route"], line["status"]) == ("GET", "/v1/seen/{name}", 200)
    assert line["request_id"] == answer.headers["x-request-id"]
    assert line["ms"] >= 0
    assert "secret" not in str(line)
    assert "hunter2" not in str(line)


async def test_metrics_count_by_template(development: World) -> None:
    for path in ("/v1/seen/a", "/v1/seen/b", "/nowhere/1", "/nowhere/2", "/v1/crash"):
        await development.client.get(path)
    await development.client.request("HACK", "/v1/seen/a")
    text = development.metrics.render().decode()
    assert 'tenantry_http_requests_total{method="GET",route="/v1/seen/{name}",status="200"} 2.0' in text
    assert 'tenantry_http_requests_total{method="GET",route="(none)",status="404"} 2.0' in text
    assert 'tenantry_http_requests_total{method="GET",route="/v1/crash",status="500"} 1.0' in text
    assert 'tenantry_http_requests_total{method="OTHER",route="/v1/seen/{name}",status="405"} 1.0' in text
    assert 'tenantry_http_request_seconds_count{method="GET",route="/v1/seen/{name}"} 2.0' in text


async def test_a_client_that_leaves_is_499(development: World) -> None:
    asking = asyncio.create_task(development.client.get("/v1/wait"))
    while not asking.done() and not development.lines.getvalue():
        await asyncio.sleep(0.01)
        asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert [line["status"] for line in development.access] in ([499], [])


async def test_a_layer_in_front_names_its_own_template() -> None:
    async def authorize(scope: Scope, receive: Receive, send: Send) -> None:
        scope["route_template"] = "/v1/authorize"
        await PlainTextResponse("ok")(scope, receive, send)

    world = World(app=authorize)
    await world.client.get("/v1/authorize")
    assert world.access[0]["route"] == "/v1/authorize"


async def test_other_scopes_pass_untouched() -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    async def receive() -> Message:
        return {"type": "lifespan.startup"}

    async def send(message: Message) -> None:
        pass

    await World(app=app).app({"type": "lifespan"}, receive, send)
    assert seen == ["lifespan"]
