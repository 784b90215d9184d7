"""A login's connections: asyncpg's pool, with a short memory in front of it.

The pool looks after a connection each time it comes back, in a task of its own and under timers. That costs more than a
short read itself, so what ended in order is lent again without it, and goes back to the pool when nobody wants it.
"""

import asyncio
from typing import Any

import asyncpg


class Connections:
    """Lends the connections of one open pool. To be used on the pool's event loop.

    One that nobody asks for during `kept_seconds` goes back to the pool, which closes what stays idle.
    """

    def __init__(self, pool: Any, *, timeout_seconds: float, kept_seconds: float = 5.0) -> None:
        self._pool = pool
        self._timeout_seconds = timeout_seconds
        self._kept_seconds = kept_seconds
        self._kept: list[tuple[Any, float]] = []
        self._waiting = 0
        self._tidying: asyncio.TimerHandle | None = None
        self._leaving: set[asyncio.Task[None]] = set()

    def at_hand(self) -> Any | None:
        """A connection that is open and asked for without waiting; None when `take` has to look for one."""
        if self._kept and _is_open(self._kept[-1][0]):
            return self._kept.pop()[0]
        return None

    def keep(self, connection: Any) -> bool:
        """Keep one that came back in order for whoever asks next; False when somebody waits and the pool must know."""
        if self._waiting:
            return False
        loop = asyncio.get_running_loop()
        self._kept.append((connection, loop.time()))
        if self._tidying is None:
            self._tidying = loop.call_later(self._kept_seconds, self._tidy)
        return True

    async def take(self) -> Any:
        """A connection; raises TimeoutError when none comes free in time, or what the driver says."""
        while self._kept:
            connection, _ = self._kept.pop()
            if _is_open(connection):
                return connection
            await self._pool.release(connection)
        self._waiting += 1
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await self._pool.acquire()
        finally:
            self._waiting -= 1

    async def give_back(self, connection: Any, *, in_order: bool) -> None:
        """Take a connection back. `in_order` says that no transaction is open and nothing was interrupted on it."""
        if not in_order or not self.keep(connection):
            # Through the pool: it ends what is still running, and wakes up who waits.
            await self._pool.release(connection)

    async def close(self, *, timeout_seconds: float) -> None:
        """Close every connection, waiting a moment for those in use."""
        if self._tidying is not None:
            self._tidying.cancel()
        self._let_go(before=float("inf"))
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()

    def _tidy(self) -> None:
        loop = asyncio.get_running_loop()
        self._let_go(before=loop.time() - self._kept_seconds)
        self._tidying = loop.call_later(self._kept_seconds, self._tidy) if self._kept else None

    def _let_go(self, *, before: float) -> None:
        going = [connection for connection, since in self._kept if since < before]
        self._kept = [(connection, since) for connection, since in self._kept if since >= before]
        for connection in going:
            task = asyncio.create_task(self._pool.release(connection))
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)


def _is_open(connection: Any) -> bool:
    try:
        return not connection.is_closed()
    except asyncpg.InterfaceError:
        # It was lost, and the pool has taken its place back already.
        return False
