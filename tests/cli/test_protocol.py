"""What a connection may send before anybody is known is bounded, in size and in time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import uvicorn

from tenantry.cli.protocol import BoundedProtocol

HEAD = b"POST / HTTP/1.1\r\nHost: a\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n"


class Hasty(BoundedProtocol):
    patience_seconds = 0.2


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the names of the headers, and the length of the body."""
    names, length = b",".join(name for name, _ in scope["headers"]), 0
    while (message := await receive())["type"] == "http.request":
        length += len(message["body"])
        if not message["more_body"]:
            break
    else:
        return
    body = names + b" %d" % length
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def served(protocol: type[BoundedProtocol]) -> AsyncIterator[int]:
    config = uvicorn.Config(application, port=0, http=protocol, ws="none", lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    running = asyncio.create_task(server._serve())  # without its signal handlers
    while not server.started:
        await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await running


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async with served(BoundedProtocol) as found:
        yield found


@pytest.fixture
async def hasty_port() -> AsyncIterator[int]:
    async with served(Hasty) as found:
        yield found


async def answer_to(port: int, *pieces: bytes) -> bytes:
    """Everything the server says until it is silent or gone."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with suppress(ConnectionError):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
    with suppress(ConnectionError):
        async with asyncio.timeout(10):
            said = await reader.read(65536)
    writer.close()
    return said


ENDLESS = {
    "headers": (HEAD, b"X-A: " + b"a" * 1000 + b"\r\n"),
    "one header": (HEAD + b"X-A: ", b"a" * 1000),
    "the target": (b"GET /", b"a" * 1000),
    "trailers": (CHUNKED + b"\r\n1\r\na\r\n0\r\n", b"X-A: " + b"a" * 1000 + b"\r\n"),
    "one trailer": (CHUNKED + b"\r\n1\r\na\r\n0\r\nX-A: ", b"a" * 1000),
    "a chunk's extension": (CHUNKED + b"\r\n1;a=", b"a" * 1000),
}


@pytest.mark.parametrize("what", ENDLESS)
async def test_400_for_what_does_not_end(port: int, what: str) -> None:
    start, more = ENDLESS[what]
    said = await answer_to(port, start, *[more * 100] * 20)
    assert said == b"" or said.startswith(b"HTTP/1.1 400 ")  # nothing, when it was cut off while it still sent


async def test_a_long_body_and_a_full_head_pass(port: int) -> None:
    body = b"a" * 300_000
    said = await answer_to(port, HEAD + b"X-A: " + b"a" * 30_000 + b"\r\nContent-Length: 300000\r\n\r\n", body)
    assert said.endswith(b"host,x-a,content-length 300000")
    chunk = b"%x\r\n" % len(body) + body + b"\r\n"
    assert (await answer_to(port, CHUNKED + b"\r\n", *[chunk] * 5, b"0\r\n\r\n")).endswith(b" 1500000")


async def test_a_trailer_is_no_header(port: int) -> None:
    trailers = b"X-Forwarded-For: 192.0.2.1\r\nHost: b\r\nCookie: session=c\r\n"
    said = await answer_to(port, CHUNKED + b"\r\n1\r\na\r\n0\r\n" + trailers + b"\r\n")
    assert said.endswith(b"host,transfer-encoding 1")


SILENT = (b"", b"GE", b"GET / HTTP/1.1\r\nHost: a\r\n", HEAD + b"Content-Length: 9\r\n\r\nabc")


@pytest.mark.parametrize("start", SILENT)
async def test_who_stops_sending_is_ended(hasty_port: int, start: bytes) -> None:
    assert await answer_to(hasty_port, start) == b""


async def test_who_goes_on_is_waited_for(hasty_port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", hasty_port)
    writer.write(HEAD + b"Content-Length: 8\r\n\r\n")
    for _ in range(8):
        await asyncio.sleep(0.1)
        writer.write(b"a")
    assert (await reader.read(65536)).endswith(b"host,content-length 8")
    writer.close()
