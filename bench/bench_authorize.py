"""What a key costs: in process, before an ASGI application, and over HTTP; and how soon a revoked one is refused.

"floor" is the least that a key can cost: a SHA-256, a look-up, a count, in a coroutine as `authorize` is one. The bare
door reads and parses the same body, looks two hashes up, and answers as many bytes. Calls are admitted from a lease.
How soon a revocation is in force is asked of a second memory on the same file, as another process has it.
"""

import asyncio
import hashlib
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import bench
from bench.authorize_program import TILE, World, calls, running
from bench.bench_door import CLIENTS, wait_for
from bench.measure import Row, Sample, percentile
from bench.rounds import Operation, compare, ratios
from tenantry.kernel.clock import SystemClock
from tenantry.kernel.notices import Notices, tell
from tenantry.keys import KnownKeys, authorize
from tenantry.keys.questions import PATH

ROOT = Path(bench.__file__).resolve().parents[1]
REVOCATIONS = 60


async def run() -> list[Row]:
    """CPU in process and of the server's process; calls a second over HTTP; milliseconds of a revocation."""
    with tempfile.TemporaryDirectory() as folder:
        async with running(Path(folder)) as world:
            rows = await _in_process(world)
            rows.append(await _revocation(world))
    served = await _through_uvicorn()
    title = "uvicorn: keys before an ASGI application"
    rows += ratios(served, "tile", {"bare tile": "≥ 0.75"}, figure="per_second", title=title)
    rows += ratios(served, "tile", {"bare tile": ""}, figure="other_cpu_us", title=title)
    title = "uvicorn: POST /v1/authorize"
    rows += ratios(served, "door", {"bare door": "≥ 0.60"}, figure="per_second", title=title)
    return rows + ratios(served, "door", {"bare door": ""}, figure="other_cpu_us", title=title)


async def _in_process(world: World) -> list[Row]:
    known, system, secret = {hashlib.sha256(world.secret.encode()).digest(): [0]}, world.system, world.secret
    await _trusted(system.port(Notices))

    async def floor() -> None:
        known[hashlib.sha256(secret.encode()).digest()][0] += 1

    async def counted() -> None:
        await authorize(system, secret, meter=calls, scope="tile")

    async def looked_up() -> None:
        await authorize(system, secret, scope="tile")

    ways: dict[str, Operation] = {"floor": floor, "counted": counted, "known": looked_up}
    # A thousand at a time: the clocks of a round cost as much as a call.
    found = await compare({name: _many(way) for name, way in ways.items()}, times=20, rounds=15)
    rows = ratios(found, "counted", {"floor": "≤ 3"}, title="in process: authorize, 1000 calls")
    return rows + ratios(found, "known", {"floor": ""}, title="in process: the same, nothing counted")


def _many(way: Operation) -> Operation:
    async def thousand() -> None:
        for _ in range(1_000):
            await way()

    return thousand


async def _revocation(world: World) -> Row:
    """From the commit that tells of a key until another process does not trust what it remembers of it."""
    runtime = world.app.state.runtime
    notices = Notices.of(runtime.settings, SystemClock())
    elsewhere, waits = KnownKeys(runtime.clock, notices), []
    await notices.open()
    try:
        await _trusted(notices)
        for _ in range(REVOCATIONS):
            key = await elsewhere.find(world.system, world.secret)
            began = time.perf_counter()
            async with world.system.service() as ctx:
                await tell(ctx, "key", key.id)
            while elsewhere.remembered(world.secret, runtime.clock.monotonic()) is not None:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.001)
            waits.append((time.perf_counter() - began) * 1_000)
    finally:
        await notices.aclose()
    return Row(
        "SQLite: a revocation is heard of elsewhere, p99", percentile(waits, 0.99), "ms", "promised", 1_000, "≤ 1"
    )


async def _trusted(notices: Notices) -> None:
    while not notices.is_trusted:  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0.01)


async def _through_uvicorn() -> dict[str, Sample]:
    with ExitStack() as stack:
        servers = {way: stack.enter_context(_server(way)) for way in ("bare tile", "tile", "bare door", "door")}
        asked, others = {}, {}
        for way, (process, port, secret, service) in servers.items():
            asked[way], others[way] = await _asking(way, port, secret, service), [process]
        return await compare(asked, times=2_400, rounds=6, clients=CLIENTS, others=others)


@contextmanager
def _server(way: str) -> Iterator[tuple[int, int, str, str]]:
    """(process, port, key, service's key) of one of the ways under uvicorn."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen([sys.executable, "-m", "bench.authorize_program", str(port), way, folder], cwd=ROOT)
        try:
            wait_for(port)
            secret, service = (Path(folder) / "secrets").read_text().split()
            yield process.pid, port, secret, service
        finally:
            process.terminate()
            process.wait(20)


async def _asking(way: str, port: int, secret: str, service: str) -> Operation:
    is_door = "door" in way
    body = json.dumps({"key": secret, "scope": "tile"}).encode() if is_door else b""
    head = [f"{'POST' if is_door else 'GET'} {PATH if is_door else TILE} HTTP/1.1", f"Host: 127.0.0.1:{port}"]
    head += [f"Authorization: Bearer {service if is_door else secret}", "Accept: application/json"]
    head += ["Content-Type: application/json", f"Content-Length: {len(body)}"] if is_door else []
    question = "\r\n".join([*head, "", ""]).encode() + body
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
