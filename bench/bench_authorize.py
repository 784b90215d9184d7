"""What a key costs: in process, before an ASGI application, and over HTTP; and how soon a revoked one is refused.

"floor" is the least that a key can cost: a SHA-256, a look-up, a count, in a coroutine as `authorize` is one. The bare
door reads and parses the same body, looks two hashes up, and answers as many bytes. Calls are admitted from a lease.
How soon a revocation is in force is asked of a second memory on the same file, as another process has it.
"""

import asyncio
import hashlib
import itertools
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
            rows.append(await revocation(world, "SQLite: a revocation is heard of elsewhere, p99"))
    served = await _through_uvicorn()
    title = "uvicorn: keys before an ASGI application"
    rows += ratios(served, "tile", {"bare tile": "≥ 0.75"}, figure="per_second", title=title)
    rows += ratios(served, "tile", {"bare tile": ""}, figure="other_cpu_us", title=title)
    title = "uvicorn: POST /v1/authorize"
    rows += ratios(served, "door", {"bare door": "≥ 0.60"}, figure="per_second", title=title)
    return rows + ratios(served, "door", {"bare door": ""}, figure="other_cpu_us", title=title)


async def _in_process(world: World) -> list[Row]:
    known, system, secret = {hashlib.sha256(world.secret.encode()).digest(): [0]}, world.system, world.secret
    await trusted(system.port(Notices))

    async def least(secret: str) -> None:
        known[hashlib.sha256(secret.encode()).digest()][0] += 1

    # A thousand at a time, written out: the clocks of a round, or another function around each, cost as much as a call.
    async def floor() -> None:
        for _ in range(1_000):
            await least(secret)

    async def counted() -> None:
        for _ in range(1_000):
            await authorize(system, secret, meter=calls, scope="tile")

    async def looked_up() -> None:
        for _ in range(1_000):
            await authorize(system, secret, scope="tile")

    found = await compare({"floor": floor, "counted": counted, "known": looked_up}, times=20, rounds=25)
    rows = ratios(found, "counted", {"floor": "≤ 3"}, title="in process: authorize, 1000 calls")
    return rows + ratios(found, "known", {"floor": ""}, title="in process: the same, nothing counted")


async def revocation(world: World, title: str) -> Row:
    """From before the commit that tells of a key until another memory, as a process has it, does not trust its own."""
    runtime = world.app.state.runtime
    notices = Notices.of(runtime.settings, SystemClock())
    elsewhere, waits = KnownKeys(runtime.clock, notices), []
    await notices.open()
    try:
        await trusted(notices)
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
    return Row(title, percentile(waits, 0.99), "ms", "promised", 1_000, "≤ 1")


async def trusted(notices: Notices) -> None:
    while not notices.is_trusted:  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0.01)


async def _through_uvicorn() -> dict[str, Sample]:
    with ExitStack() as stack:
        servers = {way: stack.enter_context(server(way)) for way in ("bare tile", "tile", "bare door", "door")}
        asked, others = {}, {}
        for way, (process, port, secret, service) in servers.items():
            asked[way], others[way] = await _asking(way, port, secret, service), [process]
        return await compare(asked, times=2_400, rounds=6, clients=CLIENTS, others=others)


@contextmanager
def server(way: str, *urls: str) -> Iterator[tuple[int, int, str, str]]:
    """(process, port, key, service's key) of one of the ways under uvicorn."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.authorize_program", str(port), way, folder, *urls], cwd=ROOT
        )
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
    return await asking(port, PATH if is_door else TILE, service if is_door else secret, body)


async def asking(port: int, path: str, bearer: str, *bodies: bytes) -> Operation:
    """Asks a server on connections that stay open, each with one of the bodies: POST, or GET where they are empty.

    The answer is 200 and is read whole.
    """
    free = []
    for _, body in zip(range(CLIENTS), itertools.cycle(bodies), strict=False):
        head = [f"{'POST' if body else 'GET'} {path} HTTP/1.1", f"Host: 127.0.0.1:{port}"]
        head += [f"Authorization: Bearer {bearer}", "Accept: application/json"]
        head += ["Content-Type: application/json", f"Content-Length: {len(body)}"] if body else []
        question = "\r\n".join([*head, "", ""]).encode() + body
        free.append((*await asyncio.open_connection("127.0.0.1", port), question))

    async def one() -> None:
        reader, writer, question = free.pop()
        writer.write(question)
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200"), answer
        length = answer.lower().partition(b"content-length: ")[2].partition(b"\r")[0]
        await reader.readexactly(int(length))
        free.append((reader, writer, question))

    return one
