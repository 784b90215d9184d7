"""Decision 0003: what finding the route costs, with and without the index, in process and through uvicorn.

`python -m bench.decisions.route_index`. The table is like ours: resources with a list, an item and a part of an item.
"""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn
import uvloop
from fastapi import FastAPI
from rich.console import Console
from rich.table import Table
from starlette.responses import Response

from bench.measure import Sample, sample
from tenantry.kernel.routing import index_routes

ASGI = Callable[[Any, Any, Any], Awaitable[None]]
OFF = {"tracing": False, "metrics": False, "logs": False}
SIZES = (10, 50, 150, 400)


async def bare(scope: Any, receive: Any, send: Any) -> None:
    """The limit: an ASGI application without a framework."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"{}"})


def build(routes: int, *, indexed: bool, telemetry: dict[str, bool] | None = None) -> FastAPI:
    """An application of this many routes, five a resource."""
    app = FastAPI(redirect_slashes=False, openapi_url=None, telemetry=OFF if telemetry is None else telemetry)  # type: ignore[arg-type]

    async def endpoint() -> Response:
        return Response(b"{}")

    for n in range(routes):
        base = f"/v1/things{n // 5}"
        path = (base, base, base + "/{id}", base + "/{id}", base + "/{id}/parts")[n % 5]
        method = ("GET", "POST", "GET", "DELETE", "GET")[n % 5]
        app.router.add_api_route(path, endpoint, methods=[method])
    if indexed:
        index_routes(app)
    return app


def paths(routes: int) -> dict[str, str]:
    last = routes // 5 - 1
    return {
        "first": "/v1/things0",
        "last, literal": f"/v1/things{last}",
        "last, parameter": f"/v1/things{last}/7/parts",
        "404": "/v1/nothing",
    }


def call(app: ASGI, path: str) -> Callable[[], Awaitable[object]]:
    scope: dict[str, Any] = {
        "type": "http",
        "method": "GET",
        "path": path,
        "query_string": b"",
        "headers": [],
        "root_path": "",
    }
    scope |= {"server": ("test", 80), "client": ("test", 1), "scheme": "http", "http_version": "1.1", "asgi": {}}

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        pass

    return lambda: app(dict(scope), receive, send)


async def in_process() -> Table:
    table = Table(
        "routes", "asked", "in a line µs", "index µs", "saved µs", title="In process, p50", title_justify="left"
    )
    limit = await sample(call(bare, "/"), times=2_000)
    table.add_row("-", "plain ASGI", f"{limit.p50_us:.1f}", "", "")
    for routes in SIZES:
        for name, path in paths(routes).items():
            line, index = [
                await sample(call(build(routes, indexed=indexed), path), times=600, rounds=4)
                for indexed in (False, True)
            ]
            cells = (line.p50_us, index.p50_us, line.p50_us - index.p50_us)
            table.add_row(str(routes), name, *(f"{value:.1f}" for value in cells))
    off, on = [await sample(call(build(10, indexed=True, telemetry=t), "/v1/things0"), times=2_000) for t in (OFF, {})]
    table.add_row(
        "10", "telemetry off | as delivered", f"{off.p50_us:.1f}", f"{on.p50_us:.1f}", f"{off.p50_us - on.p50_us:.1f}"
    )
    return table


def serve(app: ASGI) -> tuple[int, int]:
    """Run uvicorn with this application in a child process: (process id, port)."""
    listening = socket.create_server(("127.0.0.1", 0))
    if pid := os.fork():
        port = listening.getsockname()[1]
        listening.close()
        return pid, port
    config = uvicorn.Config(app, log_level="error", access_log=False, loop="uvloop", http="httptools")
    server = uvicorn.Server(config)
    uvloop.run(server.serve(sockets=[listening]))
    os._exit(0)


async def asked(port: int, pid: int, path: str) -> Sample:
    """Sixteen clients on kept connections; every answer is read to its end."""
    question = f"GET {path} HTTP/1.1\r\nhost: test\r\n\r\n".encode()
    free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for _ in range(16):
        free.put_nowait(await asyncio.open_connection("127.0.0.1", port))

    async def once() -> None:
        reader, writer = free.get_nowait()
        writer.write(question)
        head = await reader.readuntil(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]
        await reader.readexactly(int(length))
        free.put_nowait((reader, writer))

    found = await sample(once, times=4_000, rounds=3, clients=16, others=[pid])
    while not free.empty():
        free.get_nowait()[1].close()
    return found


def through_uvicorn() -> Table:
    headings = ("routes", "asked", "in a line req/s", "CPU µs", "index req/s", "CPU µs")
    table = Table(*headings, title="Through uvicorn, 16 clients", title_justify="left")
    cases = [(0, "plain ASGI", "/", [bare])]
    cases += [
        (routes, "last, parameter", paths(routes)["last, parameter"], [build(routes, indexed=i) for i in (False, True)])
        for routes in SIZES
    ]
    for routes, name, path, apps in cases:
        cells: list[str] = []
        for app in apps:
            pid, port = serve(app)
            try:
                found = uvloop.run(settled(port, pid, path))
            finally:
                os.kill(pid, signal.SIGTERM)
                os.waitpid(pid, 0)
            cells += [f"{found.per_second:,.0f}", f"{found.other_cpu_us:.0f}"]
        table.add_row(str(routes), name, *cells)
    return table


async def settled(port: int, pid: int, path: str) -> Sample:
    await asyncio.sleep(0.5)
    return await asked(port, pid, path)


def main() -> None:
    console = Console(width=110)
    if "uvicorn" not in sys.argv[1:]:
        console.print(asyncio.run(in_process()))
    console.print(through_uvicorn())


if __name__ == "__main__":
    main()
