"""Runs an ASGI app on loopback in a thread of its own."""

import http.client
import ipaddress
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Self

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

_START_SECONDS = 10.0
_STOP_SECONDS = 10.0


class StandIn:
    """A running stand-in. `url` has no trailing slash. Stop it with `stop()` or by leaving a `with` block.

    `requests` counts what was asked since the start or the last `clear()`, control endpoints aside; `asked` counts it
    by path.
    `build(url)` makes the app once the address is known; port 0 takes a free one. Refuses every host that is not a
    loopback address (ValueError), and raises OSError when the port is taken.
    """

    def __init__(self, build: Callable[[str], ASGIApp], *, host: str = "127.0.0.1", port: int = 0) -> None:
        address = ipaddress.ip_address(host)
        if not address.is_loopback:
            raise ValueError(f"a stand-in listens on loopback only, not on {host}")
        family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
        # Bound here, so that a taken port is the caller's error and not a message in another thread.
        self._socket = socket.create_server((host, port), family=family)
        # asyncio does it only for a socket that names its protocol; else a second write waits 40 ms for an ACK.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.host = host
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://[{host}]:{self.port}" if address.version == 6 else f"http://{host}:{self.port}"
        self.requests = 0
        self.asked: Counter[str] = Counter()
        try:
            self._app = build(self.url)
            self._start()
        except BaseException:
            self._socket.close()
            raise

    def fault(self, mode: str, *, count: int = 1, **details: str | float) -> None:
        """Make the next `count` requests that `mode` concerns go wrong; replaces an earlier fault.

        The modes and details are those of the stand-in's `POST /standin/fault`; a wrong one is a ValueError.
        """
        status, body = self._control("POST", {"mode": mode, "count": count, **details})
        if status != 204:
            raise ValueError(body)

    def clear(self) -> None:
        """Behave well again, and count from zero."""
        self._control("DELETE", None)
        self.requests = 0
        self.asked.clear()

    def stop(self) -> None:
        """End the server and its thread. More than once is allowed."""
        self._server.should_exit = True
        self._thread.join(_STOP_SECONDS)
        self._socket.close()
        if self._thread.is_alive():
            raise RuntimeError(f"the stand-in at {self.url} did not stop")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def _counted(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not scope["path"].startswith("/standin/"):
            self.requests += 1
            self.asked[scope["path"]] += 1
        await self._app(scope, receive, send)

    def _start(self) -> None:
        config = uvicorn.Config(
            self._counted,
            interface="asgi3",
            log_config=None,
            access_log=False,
            lifespan="off",
            loop="asyncio",
            ws="none",
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name=f"stand-in-{self.port}", daemon=True
        )
        self._thread.start()
        deadline = time.monotonic() + _START_SECONDS
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise RuntimeError(f"the stand-in at {self.url} did not start")
            time.sleep(0.002)

    def _control(self, method: str, fault: dict[str, str | float] | None) -> tuple[int, str]:
        # http.client: no proxy settings of the machine can come between us and loopback.
        connection = http.client.HTTPConnection(self.host, self.port, timeout=_START_SECONDS)
        try:
            body = None if fault is None else json.dumps(fault)
            connection.request(method, "/standin/fault", body, {"content-type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()
