"""What our JSON door costs a request, beside an empty FastAPI route that gives the same answer.

The bare application is there twice: with FastAPI's telemetry switched off, as ours has it, and as it comes.

Through uvicorn: CPU of the server's process, sixteen kept connections, one worker; ours is `tenantry run` itself, with
its access log and its background work. In process: no sockets, so the framework's share stands out.
"""

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from fastapi import FastAPI

import bench
from bench import bare, doors
from bench.measure import Row
from bench.rounds import Operation, compare, ratios
from tenantry.app import create_app
from tenantry.kernel import Settings
from tenantry.testing.databases import sqlite_template
from tenantry.testing.process import Server, serve

ROOT = Path(bench.__file__).resolve().parents[1]
CLIENTS = 16
Application = Callable[[Any, Any, Any], Awaitable[None]]


async def run() -> list[Row]:
    """The public route, the last of 10 and of 150 routes, and one behind a session."""
    return [*await _in_process(), *await _through_uvicorn()]


@contextmanager
def bare_server(which: str = "plain") -> Iterator[tuple[int, int]]:
    """(process, port) of the bare FastAPI application under uvicorn."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-m", "bench.bare", str(port), which], cwd=ROOT)
    try:
        wait_for(port)
        yield process.pid, port
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def our_server(routes: int, *arguments: str, **environment: str) -> Iterator[Server]:
    """`tenantry run` with a product of this many author's routes, on a database of its own."""
    with tempfile.TemporaryDirectory() as folder:
        given = {"PYTHONPATH": str(ROOT), **environment}
        with serve(Path(folder), str(ROOT / f"bench/product_{routes}.py"), *arguments, **given) as server:
            yield server


async def _through_uvicorn() -> list[Row]:
    with ExitStack() as stack:
        bares = {which: stack.enter_context(bare_server(which)) for which in ("plain", "as-it-comes")}
        servers = {routes: stack.enter_context(our_server(routes)) for routes in (10, 150)}
        ports = {routes: int(server.url.rpartition(":")[2]) for routes, server in servers.items()}
        client = stack.enter_context(servers[10].sign_in())
        cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        asked = {
            "empty FastAPI route": (bares["plain"][1], bare.PUBLIC, ""),
            "the same, FastAPI as it comes": (bares["as-it-comes"][1], bare.PUBLIC, ""),
            "public": (ports[10], bare.PUBLIC, ""),
            "last of 10": (ports[10], doors.LAST, ""),
            "last of 150": (ports[150], doors.LAST, ""),
            "session": (ports[10], doors.PERSONAL, cookie),
        }
        others = {name: [servers[150 if name == "last of 150" else 10].process.pid] for name in asked}
        others["empty FastAPI route"] = [bares["plain"][0]]
        others["the same, FastAPI as it comes"] = [bares["as-it-comes"][0]]
        ways = {name: await asking(*where) for name, where in asked.items()}
        found = await compare(ways, times=1_600, rounds=6, clients=CLIENTS, others=others)
    return _rows("uvicorn", found, figure="other_cpu_us")


async def _in_process() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        async with _application(Path(folder), 10) as small, _application(Path(folder), 150) as large:
            ways = {
                "empty FastAPI route": _call(bare.bare(), bare.PUBLIC),
                "the same, FastAPI as it comes": _call(bare.bare(as_it_comes=True), bare.PUBLIC),
                "public": _call(small, bare.PUBLIC),
                "last of 10": _call(small, doors.LAST),
                "last of 150": _call(large, doors.LAST),
            }
            return _rows("in process", await compare(ways, times=600), figure="cpu_us")


def _rows(where: str, found: Any, *, figure: str) -> list[Row]:
    plain, as_it_comes = "empty FastAPI route", "the same, FastAPI as it comes"
    rows = ratios(found, "public", {plain: "≤ 1.5", as_it_comes: "≤ 1.5"}, figure=figure, title=f"{where}: public")
    last = f"{where}: last of 150 routes, parameter"
    rows += ratios(found, "last of 150", {"last of 10": "≤ 1.0"}, figure=figure, title=last)
    if "session" in found:
        rows += ratios(found, "session", {plain: ""}, figure=figure, title=f"{where}: signed in, session looked up")
    return rows


@asynccontextmanager
async def _application(folder: Path, routes: int) -> AsyncIterator[Application]:
    database = folder / str(routes)
    database.mkdir()
    template = await asyncio.to_thread(sqlite_template, database)
    with _built(template, routes) as app:
        async with app.router.lifespan_context(app):
            yield app


@contextmanager
def _built(file: Path, routes: int) -> Iterator[FastAPI]:
    settings = Settings(database_url=f"sqlite:///{file}", secret_keys=("k" * 40,), **_GOOGLE)  # type: ignore[arg-type]
    with Path(os.devnull).open("w") as log:
        with redirect_stdout(log):  # where the access lines go is settled when the application is built
            app = create_app(doors.product(routes), settings, worker=False)
        yield app


_GOOGLE = {"google_client_id": "none", "google_client_secret": "none"}


def _call(app: Application, path: str) -> Operation:
    headers = [(b"host", b"127.0.0.1:8000"), (b"accept", b"application/json"), (b"user-agent", b"bench")]
    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "asgi": {}}
    scope |= {"query_string": b"", "root_path": "", "scheme": "http", "http_version": "1.1"}
    scope |= {"server": ("127.0.0.1", 8000), "client": ("127.0.0.1", 50_000)}
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message.get("status", 0))

    async def one() -> None:
        sent.clear()
        await app({**scope, "headers": list(headers), "state": {}}, receive, send)
        assert sent[0] == 200, sent

    return one


async def asking(port: int, path: str, cookie: str = "") -> Operation:
    """Asks on kept connections, as many as there are callers; every answer is read to its end."""
    head = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Accept: application/json", "User-Agent: bench"]
    question = "\r\n".join([*head, *([f"Cookie: {cookie}"] if cookie else []), "", ""]).encode()
    free = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CLIENTS)]

    async def one() -> None:
        reader, writer = free.pop()
        writer.write(question)
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200"), answer
        length = answer.lower().partition(b"content-length: ")[2].partition(b"\r")[0]
        await reader.readexactly(int(length))
        free.append((reader, writer))

    return one


def wait_for(port: int) -> None:
    """Wait until somebody listens there."""
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
