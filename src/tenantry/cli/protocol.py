"""HTTP on the wire: uvicorn's protocol with the bounds it lacks on what is read before anybody is known.

The limit of a body's size is the application's own. What stands around bodies (request line, headers, trailers, the
frames of chunks) nobody else bounds, and one connection could fill the memory with it.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class BoundedProtocol(HttpToolsProtocol):
    """Refuses (400) more than 64 KiB in which neither a head ends nor a body goes on, and ends who stops sending.

    Keeps trailer fields out of the headers (RFC 9110, 6.5.1): a proxy checks and sets headers, and lets trailers by.
    """

    useless_bytes_max = 64 * 1024
    patience_seconds = 30.0
    """How long a request may stand still while it is read; it is looked for as often, so it may be twice that."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._is_reading = True
        self._useless_bytes = 0
        self._went_on = self.loop.time()
        self._looking = self.loop.call_later(self.patience_seconds, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        self._looking.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._useless_bytes += len(data)
        super().data_received(data)
        if self._useless_bytes > self.useless_bytes_max and not self.transport.is_closing():
            self.send_400_response("The request is larger than this server reads.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_reading = True
        self._went_on = self.loop.time()

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self.headers = _Nowhere()
        self._go_on()

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        self._go_on()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._is_reading = False
        self._go_on()

    def _go_on(self) -> None:
        self._useless_bytes = 0
        self._went_on = self.loop.time()

    def _look(self) -> None:
        # Paused: the application takes its time over what it was sent, and the client cannot send more.
        stands_still = self._is_reading and not self.flow.read_paused
        if stands_still and self.loop.time() - self._went_on >= self.patience_seconds:
            self.transport.close()
        else:
            self._looking = self.loop.call_later(self.patience_seconds, self._look)


class _Nowhere(list[tuple[bytes, bytes]]):
    """Takes what is appended nowhere."""

    def append(self, _item: Any) -> None:
        pass
