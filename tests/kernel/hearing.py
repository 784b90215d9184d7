"""What the tests of notices share: an ear, and a wire that can be cut."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Self
from urllib.parse import urlsplit
from uuid import UUID

from tenantry.kernel import new_id
from tenantry.kernel.clock import Clock
from tenantry.kernel.notices import Notices, tell
from tenantry.testing import AppKit

TOPIC = "house"


class Ear:
    """Hears one topic: what it was told, and how often it was to forget everything."""

    def __init__(self, notices: Notices) -> None:
        self.notices = notices
        self.heard: list[UUID] = []
        self.forgotten = 0
        notices.subscribe(TOPIC, self.heard.append, self._forget)

    @classmethod
    @asynccontextmanager
    async def beside(cls, kit: AppKit, clock: Clock | None = None) -> AsyncIterator[Self]:
        """One of its own on the application's database, as another process has it, trusted."""
        notices = Notices.of(kit.runtime.settings, clock or kit.clock)
        ear = cls(notices)
        await notices.open()
        try:
            await ear.trusts()
            # The application's own, so that a test knows who listens.
            await until(lambda: kit.runtime.port(Notices).is_trusted)
            yield ear
        finally:
            await notices.aclose()

    async def trusts(self) -> None:
        await until(lambda: self.notices.is_trusted)

    async def doubts(self) -> None:
        """Until everything was to be forgotten once more, and it is trusted again."""
        before = self.notices.doubts
        await until(lambda: self.notices.doubts > before and self.notices.is_trusted)

    def _forget(self) -> None:
        assert not self.notices.is_trusted
        self.forgotten += 1


async def told(kit: AppKit, *subjects: UUID) -> UUID:
    """Commit a notice of each, or of something new; answers the last."""
    subjects = subjects or (new_id(),)
    async with kit.system.service() as ctx:
        for one in subjects:
            await tell(ctx, TOPIC, one)
    return subjects[-1]


async def until(reached: Callable[[], Any]) -> None:
    async with asyncio.timeout(30):
        while not reached():
            await asyncio.sleep(0.005)


class Wire:
    """A proxy on loopback in front of a server: it can swallow what passes, and be cut."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = parts.hostname, parts.port
        self._url = parts
        self._open: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.passes = asyncio.Event()
        self.passes.set()
        self.connections = 0

    @asynccontextmanager
    async def stretched(self) -> AsyncIterator[str]:
        """Answers the URL through it."""
        server = await asyncio.start_server(self._connect, "127.0.0.1")
        port = server.sockets[0].getsockname()[1]
        try:
            yield self._url._replace(netloc=f"{self._url.username}:{self._url.password}@127.0.0.1:{port}").geturl()
        finally:
            server.close()
            self.cut()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Both ends of every connection see it break."""
        while self._open:
            self._open.pop().transport.abort()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        there_reader, there_writer = await asyncio.open_connection(*self._target)
        self._open += [writer, there_writer]
        for source, sink in ((reader, there_writer), (there_reader, writer)):
            task = asyncio.create_task(self._carry(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(65536):
                await self.passes.wait()
                sink.write(data)
        sink.close()
