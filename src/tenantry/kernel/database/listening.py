"""A PostgreSQL connection that listens, and proves that it hears. Never one through a pooler in transaction mode."""

import asyncio
import contextlib
from collections.abc import Callable
from secrets import token_hex
from typing import Any

import asyncpg

from .postgres import plain_url

NAME = "tenantry-notices"
"""As which the server lists the connection."""
CONNECT_SECONDS = 5.0
BEAT_SECONDS = 5.0
"""How long a heartbeat may take before the connection is given up. Trust ends long before."""
CLOSE_SECONDS = 1.0


class Listening:
    """`hear` is called with what is told on the channel, in the order in which it was committed."""

    every_seconds = 0.25

    def __init__(self, url: str, channel: str, hear: Callable[[str], None]) -> None:
        self._url, self._channel, self._hear = url, channel, hear
        self._connection: Any = None
        self._own = ""
        """A channel that nobody else knows of: others are not sent our heartbeats, and cannot forge them."""
        self._beats = 0
        self._echo: asyncio.Future[None] | None = None

    async def open(self) -> None:
        """Connect and listen: what is committed from now on is heard. Raises what the driver does."""
        connection = self._connection = await asyncpg.connect(plain_url(self._url), timeout=CONNECT_SECONDS)
        connection.add_termination_listener(self._on_end)
        # A heartbeat is a transaction. A server that forgets it in a crash forgets this connection too, so it need
        # not wait for the disk while it holds the lock that every NOTIFY takes to commit.
        await connection.execute(f"SET synchronous_commit = off; SET application_name = '{NAME}'")
        self._own = f"{self._channel}_{token_hex(8)}"
        await connection.add_listener(self._channel, self._on_notice)
        await connection.add_listener(self._own, self._on_echo)

    async def beat(self) -> bool:
        """Tell oneself something and wait until it is back: everything that was committed before has been heard."""
        self._beats += 1
        self._echo = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(BEAT_SECONDS):
                # As a plain query: nothing is prepared, so nothing is left on the server.
                await self._connection.execute(f"NOTIFY {self._own}, '{self._beats}'")
                await self._echo
        finally:
            self._echo = None
        return True

    async def aclose(self) -> None:
        """Close the connection, in whatever state it is."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            await connection.close(timeout=CLOSE_SECONDS)
        except Exception:  # noqa: BLE001 - it may have been lost in any way, and is cut off then
            with contextlib.suppress(asyncpg.InterfaceError):
                connection.terminate()

    def _on_notice(self, _connection: Any, _pid: int, _channel: str, payload: str) -> None:
        self._hear(payload)

    def _on_echo(self, _connection: Any, _pid: int, _channel: str, payload: str) -> None:
        # An older one is of a heartbeat that was given up.
        if self._echo is not None and not self._echo.done() and payload == str(self._beats):
            self._echo.set_result(None)

    def _on_end(self, connection: Any) -> None:
        if connection is self._connection and self._echo is not None and not self._echo.done():
            self._echo.set_exception(ConnectionResetError("the connection that listens has ended"))
