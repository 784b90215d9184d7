"""A login's connections: asyncpg's pool, with a short memory in front of it.

The pool looks after a connection each time it comes back, in a task of its own and under timers. That costs more than a
short read itself, so what ended in order is lent again without it, and goes back to the pool when nobody wants it.
"""

import asyncio
from collections import deque
from typing import Any

import asyncpg


class Connections:
    """Lends the connections of one open pool. To be used on the pool's event loop, and by nobody else beside it.

    One that nobody asks for during `kept_seconds` goes back to the pool, which closes what stays idle. Once as many are
    out as there may be, whoever asks waits here, in order, and is handed the next one that comes back: the pool would
    make a task and two timers of it.
    """

    def __init__(self, pool: Any, *, timeout_seconds: float, kept_seconds: float = 5.0) -> None:
        self._pool = pool
        self._timeout_seconds = timeout_seconds
        self._kept_seconds = kept_seconds
        self._kept: list[tuple[Any, float]] = []
        self._most: float = pool.get_max_size()
        self._out = 0
        """How many the pool has lent us, kept ones among them: below `_most` it never lets anybody wait."""
        self._waiting: deque[asyncio.Future[Any]] = deque()
        self._tidying: asyncio.TimerHandle | None = None
        self._leaving: set[asyncio.Task[None]] = set()

    def at_hand(self) -> Any | None:
        """A connection that is open and asked for without waiting; None when `take` has to look for one."""
        if self._kept and _is_open(self._kept[-1][0]):
            return self._kept.pop()[0]
        return None

    def keep(self, connection: Any) -> None:
        """Take back one that is in order: for who waits longest, else for whoever asks next."""
        if self._hand(connection):
            return
        loop = asyncio.get_running_loop()
        self._kept.append((connection, loop.time()))
        if self._tidying is None:
            self._tidying = loop.call_later(self._kept_seconds, self._tidy)

    async def take(self) -> Any:
        """A connection; raises TimeoutError when none comes free in time, or what the driver says."""
        while self._kept:
            connection, _ = self._kept.pop()
            if _is_open(connection):
                return connection
            await self._release(connection)
        async with asyncio.timeout(self._timeout_seconds):
            while self._out >= self._most:
                connection = await self._turn()
                if connection is not None and _is_open(connection):
                    return connection
                if connection is not None:
                    await self._release(connection)
            return await self._acquire()

    async def give_back(self, connection: Any, *, in_order: bool) -> None:
        """Take a connection back. `in_order` says that no transaction is open and nothing was interrupted on it."""
        if in_order:
            self.keep(connection)
        else:
            # Through the pool, which ends what is still running.
            await self._release(connection)

    async def close(self, *, timeout_seconds: float) -> None:
        """Close every connection, waiting a moment for those in use."""
        if self._tidying is not None:
            self._tidying.cancel()
        self._let_go(before=float("inf"))
        self._most = float("inf")
        while self._hand(None):
            pass  # Who waits asks the pool, which says that it is closing.
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
            self._leave(connection)

    def _leave(self, connection: Any) -> None:
        task = asyncio.create_task(self._release(connection))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    def _hand(self, connection: Any | None) -> bool:
        """Wake who waits longest: with a connection, or with None to ask the pool. False when nobody waits."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(connection)
                return True
        return False

    async def _turn(self) -> Any | None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            return await turn
        except BaseException:
            # It gave up in the very moment it was its turn: the next one must not wait for what nobody uses.
            if turn.done() and not turn.cancelled():
                if (connection := turn.result()) is None:
                    self._hand(None)
                else:
                    self.keep(connection)
            raise

    async def _acquire(self) -> Any:
        self._out += 1
        try:
            return await self._pool.acquire()
        except BaseException:
            self._out -= 1
            self._hand(None)
            raise

    async def _release(self, connection: Any) -> None:
        try:
            await self._pool.release(connection)
        finally:
            self._out -= 1
            self._hand(None)


def _is_open(connection: Any) -> bool:
    try:
        return not connection.is_closed()
    except asyncpg.InterfaceError:
        # It was lost, and the pool has taken its place back already.
        return False
