"""The limit of a body's size holds on the wire, whatever the head of the request says about the body."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI, Request
from starlette.middleware.body_limit import MAX_BODY_SIZE_SCOPE_KEY
from starlette.types import Receive, Scope, Send

from tenantry.kernel.body_limit import BodyLimit
from tenantry.kernel.frame import FrameOptions
from tenantry.kernel.health import Metrics
from tenantry.kernel.http import Frame
from tenantry.kernel.problem_handlers import install_problem_handlers

LIMIT = 2_000
Ask = Callable[[str, bytes], Awaitable[bytes]]


class Seen:
    """Stands behind the limit and notes whether it was passed by: the limit leaves its name in the scope."""

    def __init__(self, app: Any, asked: list[str]) -> None:
        self._app, self._asked = app, asked

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._asked.append("limited" if MAX_BODY_SIZE_SCOPE_KEY in scope else "bodiless")
        await self._app(scope, receive, send)


@pytest.fixture
def asked() -> list[str]:
    return []


def framed(asked: list[str]) -> Frame:
    app = FastAPI()
    install_problem_handlers(app, page=None)

    @app.api_route("/size", methods=["GET", "POST"])
    async def size(request: Request) -> int:
        return len(await request.body())

    @app.post("/unread")
    async def unread() -> str:
        return "done"

    @app.post("/more", max_body_size=2 * LIMIT)
    async def more(request: Request) -> int:
        return len(await request.body())

    app.add_middleware(Seen, asked=asked)
    app.add_middleware(BodyLimit, max_body_size=LIMIT)
    options = FrameOptions(production=False, public_url="http://localhost:8000")
    return Frame(app.build_middleware_stack(), options, metrics=Metrics(), access=None)


@pytest.fixture(params=["httptools", "h11"])
async def ask(asked: list[str], request: pytest.FixtureRequest) -> AsyncIterator[Ask]:
    server = uvicorn.Server(uvicorn.Config(framed(asked), port=0, http=request.param, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]

    async def ask(head: str, body: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)
        answer = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        return answer

    yield ask
    server.should_exit = True
    await serving


def head(method: str, *lines: str, path: str = "/size") -> str:
    return "\n".join([f"{method} {path} HTTP/1.1", "Host: localhost:8000", "Connection: close", *lines])


def chunked(size: int) -> bytes:
    return b"%x\r\n%s\r\n0\r\n\r\n" % (size, b"x" * size)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_request_without_a_body_goes_past_the_limit(ask: Ask, asked: list[str], method: str) -> None:
    answer = await ask(head(method), b"")
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"\r\n\r\n0")
    assert asked == ["bodiless"]


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_413_for_a_length_above_the_limit(ask: Ask, asked: list[str], method: str) -> None:
    answer = await ask(head(method, f"Content-Length: {LIMIT + 1}"), b"x" * (LIMIT + 1))
    assert answer.startswith(b"HTTP/1.1 413")
    assert asked == ["limited"]


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_413_for_chunks_above_the_limit(ask: Ask, asked: list[str], method: str) -> None:
    answer = await ask(head(method, "Transfer-Encoding: chunked"), chunked(LIMIT + 1))
    assert answer.startswith(b"HTTP/1.1 413")
    assert asked == ["limited"]


async def test_413_for_a_body_that_nobody_reads(ask: Ask) -> None:
    answer = await ask(head("POST", f"Content-Length: {LIMIT + 1}", path="/unread"), b"x" * (LIMIT + 1))
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"request.too_large" in answer


async def test_a_route_may_take_more(ask: Ask) -> None:
    size = 2 * LIMIT
    answer = await ask(head("POST", f"Content-Length: {size}", path="/more"), b"x" * size)
    assert answer.endswith(b"4000")
    answer = await ask(head("POST", "Transfer-Encoding: chunked", path="/more"), chunked(size + 1))
    assert answer.startswith(b"HTTP/1.1 413")


async def test_200_at_the_limit(ask: Ask) -> None:
    assert (await ask(head("POST", f"Content-Length: {LIMIT}"), b"x" * LIMIT)).endswith(b"2000")
    assert (await ask(head("POST", "Transfer-Encoding: chunked"), chunked(LIMIT))).endswith(b"2000")


@pytest.mark.parametrize("told", [[], ["Content-Length: 0"], ["Content-Length: 5"]])
async def test_what_is_sent_beyond_the_told_length_is_no_body(ask: Ask, told: list[str]) -> None:
    answer = await ask(head("POST", *told), b"x" * (LIMIT + 1))
    size = told[0][-1:].encode() if told else b"0"
    assert answer.startswith(b"HTTP/1.1 400") or answer.split(b"\r\n\r\n", 1)[1].startswith(size)


@pytest.mark.parametrize(
    "told",
    [
        [f"Content-Length: {LIMIT + 1}", "Content-Length: 0"],
        ["Content-Length: 0", f"Content-Length: {LIMIT + 1}"],
        ["Content-Length: -1"],
        ["Content-Length: none"],
    ],
)
async def test_4xx_for_lengths_that_contradict_or_are_none(ask: Ask, told: list[str]) -> None:
    answer = await ask(head("POST", *told), b"x" * (LIMIT + 1))
    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 413"))


async def test_413_where_the_protocol_needs_no_field_for_a_body(asked: list[str]) -> None:
    sent: list[Any] = []
    scope: dict[str, Any] = {"type": "http", "method": "POST", "path": "/size", "raw_path": b"/size", "asgi": {}}
    scope |= {"query_string": b"", "root_path": "", "scheme": "http", "http_version": "2", "state": {}}
    scope |= {"headers": [(b"host", b"localhost:8000")], "server": ("localhost", 8000), "client": ("127.0.0.1", 1)}

    async def receive() -> Any:
        return {"type": "http.request", "body": b"x" * (LIMIT + 1), "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message.get("status"))

    await framed(asked)(scope, receive, send)
    assert (sent[0], asked) == (413, ["limited"])
