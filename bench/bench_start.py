"""How long a server takes to its first answer, and what a worker holds after a hundred requests.

`tenantry run` with a migrated SQLite file, without the stand-ins of development; beside it the bare FastAPI server of
the same run. The fastest of several starts counts, the two in turns; file caches are warm.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import bare
from bench.bench_door import ROOT
from bench.measure import Row, cpu_seconds

STARTS, REQUESTS = 4, 100
COMMAND = Path(sys.executable).parent / "tenantry"
PRODUCT = ROOT / "bench/product_10.py"


@dataclass(frozen=True, slots=True)
class Start:
    """One start: seconds to the first answer, CPU seconds until then, memory in MB afterwards."""

    wall: float
    cpu: float
    resident: float
    own: float


async def run() -> list[Row]:
    """Wall and CPU of the start, memory of the worker."""
    with tempfile.TemporaryDirectory() as folder:
        _start_ours(Path(folder))  # makes and migrates the database
        both = [(_start_ours(Path(folder)), _start_bare()) for _ in range(STARTS)]
    ours, limit = (_best(one) for one in zip(*both, strict=True))
    return [
        Row("first answer after the start", ours.wall * 1_000, "ms", "bare FastAPI", limit.wall * 1_000, "< 1 500 ms"),
        Row("CPU until then", ours.cpu * 1_000, "ms", "bare FastAPI", limit.cpu * 1_000),
        Row("resident after 100 requests", ours.resident, "MB", "bare FastAPI", limit.resident, "< 90 MB"),
        Row("its own share of it (PSS)", ours.own, "MB", "bare FastAPI", limit.own),
    ]


def _best(starts: Sequence[Start]) -> Start:
    values = zip(*((one.wall, one.cpu, one.resident, one.own) for one in starts), strict=True)
    return Start(*map(min, values))


def _start_ours(folder: Path) -> Start:
    port = _free_port()
    command = [str(COMMAND), "run", str(PRODUCT), "--no-demo", "--port", str(port)]
    settings = {"TENANTRY_GOOGLE_CLIENT_ID": "none", "TENANTRY_GOOGLE_CLIENT_SECRET": "none"}
    return _start(command, port, "/healthz", folder, settings)


def _start_bare() -> Start:
    port = _free_port()
    return _start([sys.executable, "-m", "bench.bare", str(port), "plain"], port, bare.PUBLIC, ROOT, {})


def _start(command: list[str], port: int, path: str, folder: Path, settings: dict[str, str]) -> Start:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TENANTRY_")}
    began = time.perf_counter()
    with _running(command, folder, {**clean, "PYTHONPATH": str(ROOT), **settings}) as process:
        while not _answers(port, path):
            if process.poll() is not None:
                raise RuntimeError(f"{command} ended with {process.returncode}")
            time.sleep(0.005)
        wall, cpu = time.perf_counter() - began, cpu_seconds(process.pid)
        for _ in range(REQUESTS):
            assert _answers(port, path)
        return Start(wall, cpu, _memory(process.pid, "Rss"), _memory(process.pid, "Pss"))


@contextmanager
def _running(command: list[str], folder: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


def _answers(port: int, path: str) -> bool:
    with socket.socket() as asking:
        if asking.connect_ex(("127.0.0.1", port)) != 0:
            return False
        asking.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
        return asking.recv(1_000).startswith(b"HTTP/1.1 200")


def _memory(pid: int, what: str) -> float:
    """Megabytes of the process, from the kernel's own sum over its pages."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    kilobytes = next(int(line.split()[1]) for line in lines if line.startswith(f"{what}:"))
    return kilobytes / 1_024


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
