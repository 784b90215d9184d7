"""A host that would fill our memory, over a plain socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tenantry.kernel.clock import FrozenClock
from tenantry.sources import Host


@asynccontextmanager
async def server(answer: bytes, heads: list[bytes]) -> AsyncIterator[str]:
    """Answers every request alike, and remembers how it was asked."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        await writer.drain()
        writer.close()

    running = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with running:
        yield f"http://127.0.0.1:{running.sockets[0].getsockname()[1]}"


async def test_cookies_of_a_host_are_neither_kept_nor_sent(clock: FrozenClock) -> None:
    heads: list[bytes] = []
    cookies = b"".join(b"Set-Cookie: c%d=%s\r\n" % (number, b"x" * 500) for number in range(20))
    answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\n" + cookies + b"Content-Length: 2\r\n\r\n{}"
    async with server(answer, heads) as url:
        host = Host(url, clock)
        for _ in range(3):
            await host.get("/")
        await host.aclose()
    assert len({len(head) for head in heads}) == 1
    assert not any(b"cookie" in head.lower() for head in heads)
