"""What counting a call costs a request whose holder is known, beside a bare ASGI route under uvicorn.

"consume" is counting alone, "Metered" the whole middleware: who asks, the pace, the quota, five headers. In process no
socket's noise hides a few microseconds, so what is added there stands beside what the bare route takes in a server.
What five headers cost the server to write, whoever made them, is a bare limit of its own; so is an empty dependency of
FastAPI's, which is what the dependency stands beside.
"""

import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import bench
from bench.bench_door import CLIENTS, asking, wait_for
from bench.measure import Row, Sample
from bench.metered_program import PATH, Application, somebody, ways
from bench.rounds import Operation, compare, ratios

ROOT = Path(bench.__file__).resolve().parents[1]
BARE = "bare, uvicorn"


async def run() -> list[Row]:
    """Through uvicorn, CPU of the server's process; in process, what each way adds to the bare one."""
    served, called = await _through_uvicorn(), await _in_process()
    bare = served["bare"].other_cpu_us
    limits = {"bare": "", "bare, five headers": ""}
    rows = ratios(served, "metered", limits, figure="other_cpu_us", title="uvicorn: metered")
    route = "uvicorn: FastAPI route, metered"
    rows += ratios(served, "fastapi metered", {"fastapi": ""}, figure="other_cpu_us", title=route)
    for title, way, without in (
        ("in process: consume adds", "counted", "bare"),
        ("in process: Metered adds", "metered", "bare"),
        ("in process: the dependency adds", "fastapi metered", "fastapi"),
    ):
        added = called[way].cpu_us - called[without].cpu_us
        rows.append(Row(title, added, "CPU µs", BARE, bare, "≤ 0.10 or 6 µs" if way == "metered" else ""))
    return rows


async def _through_uvicorn() -> dict[str, Sample]:
    with ExitStack() as stack:
        names = ("bare", "bare, five headers", "metered", "fastapi", "fastapi metered")
        servers = {name: stack.enter_context(_server(name)) for name in names}
        asked = {name: await asking(port, PATH) for name, (_, port) in servers.items()}
        others = {name: [process] for name, (process, _) in servers.items()}
        return await compare(asked, times=3_200, rounds=8, clients=CLIENTS, others=others)


async def _in_process() -> dict[str, Sample]:
    with tempfile.TemporaryDirectory() as folder:
        async with somebody(Path(folder)) as (state, product_app):
            called = {name: _call(app) for name, app in ways(state, product_app).items()}
            return await compare(called, times=5_000, rounds=7)


@contextmanager
def _server(way: str) -> Iterator[tuple[int, int]]:
    """(process, port) of one of the ways under uvicorn."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "bench.metered_program", str(port), way, folder]
        process = subprocess.Popen(command, cwd=ROOT)
        try:
            wait_for(port)
            yield process.pid, port
        finally:
            process.terminate()
            process.wait(20)


def _call(app: Application) -> Operation:
    headers = [(b"host", b"127.0.0.1:8000"), (b"accept", b"application/json"), (b"user-agent", b"bench")]
    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": PATH, "raw_path": PATH.encode(), "asgi": {}}
    scope |= {"query_string": b"", "root_path": "", "scheme": "http", "http_version": "1.1"}
    scope |= {"server": ("127.0.0.1", 8000), "client": ("127.0.0.1", 50_000), "headers": headers}

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        assert message.get("status", 200) == 200

    async def one() -> None:
        await app({**scope}, receive, send)

    return one
