"""Decision 0002, writes: who may wait where, when one or several processes write one SQLite file.

`python -m bench.decisions.sqlite_writer`. A unit is BEGIN IMMEDIATE, one upsert, COMMIT; eight clients a process.
"""

import asyncio
import contextlib
import multiprocessing
import queue
import random
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.measure import percentile

SECONDS, CLIENTS, GROUP = 1.5, 8, 32
COUNT = "insert into counters values (?, 1) on conflict (key) do update set used = used + 1 returning used"
Unit = Callable[[int], Awaitable[None]]
Found = tuple[list[float], float, int]  # waits, longest loop stall, busy answers


def connect(path: str, synchronous: str, busy_ms: int) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    for pragma in (f"busy_timeout={busy_ms}", "journal_mode=wal", f"synchronous={synchronous}"):
        db.execute(f"pragma {pragma}").fetchall()
    return db


# How long to sleep before attempt n (from 1) at the write lock, in seconds.
SCHEDULES: dict[str, Callable[[int], float]] = {
    "1 ms": lambda _: 0.001,
    "0.5-1.5 ms": lambda _: random.uniform(0.0005, 0.0015),
    "1-20 ms, doubling": lambda n: random.uniform(0.5, 1) * min(0.020, 0.001 * 2 ** (n - 1)),
}
TURNS = {"turns of 2 ms": 0.002, "turns of 5 ms": 0.005, "turns of 10 ms": 0.010}
PAUSE, REMEMBERED = 0.002, 1.0


def sleeping(db: sqlite3.Connection, way: str, busy: list[int]) -> Unit:
    """busy_timeout=0; the process's own writers queue on an asyncio.Lock, other processes are met by sleeping.

    With turns: a process that met another one within the last second lets go of the file for 2 ms, longer than the
    others sleep, after it has written for so long without a pause.
    """
    lock, wait, turn = asyncio.Lock(), SCHEDULES.get(way, SCHEDULES["0.5-1.5 ms"]), TURNS.get(way, float("inf"))
    turn_began = met = 0.0

    async def unit(key: int) -> None:
        nonlocal turn_began, met
        async with lock:
            if time.perf_counter() - turn_began > turn:
                if time.perf_counter() - met < REMEMBERED:
                    await asyncio.sleep(PAUSE)
                turn_began = time.perf_counter()
            for attempt in range(1, 100_000):
                try:
                    db.execute("begin immediate")
                    break
                except sqlite3.OperationalError:
                    busy[0] += 1
                    await asyncio.sleep(wait(attempt))
                    turn_began = met = time.perf_counter()
            db.execute(COUNT, (key,)).fetchall()
            db.execute("commit")

    return unit


def waiting(db: sqlite3.Connection) -> Unit:
    """busy_timeout=5000 in the event loop: SQLite itself sleeps, and the loop with it."""

    async def unit(key: int) -> None:
        db.execute("begin immediate")
        db.execute(COUNT, (key,)).fetchall()
        db.execute("commit")
        await asyncio.sleep(0)

    return unit


def threaded(db: sqlite3.Connection, group: int) -> Unit:
    """A writer thread takes what is queued, up to `group` units, into one transaction."""
    waiting_units: queue.SimpleQueue[tuple[int, Future[None]]] = queue.SimpleQueue()

    def write() -> None:
        while True:
            units = [waiting_units.get()]
            with contextlib.suppress(queue.Empty):
                while len(units) < group:
                    units.append(waiting_units.get_nowait())
            db.execute("begin immediate")
            for key, _ in units:
                db.execute(COUNT, (key,)).fetchall()
            db.execute("commit")
            for _, done in units:
                done.set_result(None)

    threading.Thread(target=write, daemon=True).start()

    async def unit(key: int) -> None:
        done: Future[None] = Future()
        waiting_units.put((key, done))
        await asyncio.wrap_future(done)

    return unit


async def load(unit: Unit, busy: list[int]) -> Found:
    waits: list[float] = []
    stall, end = 0.0, time.perf_counter() + SECONDS

    async def client() -> None:
        while (before := time.perf_counter()) < end:
            await unit(random.randrange(1_000))
            waits.append(time.perf_counter() - before)
            await asyncio.sleep(0)

    async def watch() -> None:
        nonlocal stall
        while (before := time.perf_counter()) < end:
            await asyncio.sleep(0.001)
            stall = max(stall, time.perf_counter() - before - 0.001)

    await asyncio.gather(watch(), *(client() for _ in range(CLIENTS)))
    return waits, stall, busy[0]


def process(path: str, synchronous: str, way: str, start: float, out: "multiprocessing.Queue[Found]") -> None:
    async def run() -> Found:
        busy = [0]
        if way == "busy_timeout 5000 in the loop":
            unit = waiting(connect(path, synchronous, 5_000))
        elif way.startswith("thread"):
            unit = threaded(connect(path, synchronous, 5_000), int(way.rpartition(" ")[2]))
        else:
            unit = sleeping(connect(path, synchronous, 0), way.removeprefix("sleep "), busy)
        await asyncio.sleep(max(0.0, start - time.time()))
        return await load(unit, busy)

    out.put(asyncio.run(run()))


def measured(synchronous: str, way: str, processes: int) -> Iterator[str]:
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as folder:
        path = str(Path(folder) / "x.db")
        with contextlib.closing(connect(path, synchronous, 5_000)) as db:
            db.execute("create table counters (key integer primary key, used integer not null) strict")
        out: multiprocessing.Queue[Found] = multiprocessing.Queue()
        arguments = (path, synchronous, way, time.time() + 0.5, out)
        running = [multiprocessing.Process(target=process, args=arguments) for _ in range(processes)]
        for one in running:
            one.start()
        found = [out.get(timeout=60) for _ in running]
        for one in running:
            one.join()
    waits = [wait for each in found for wait in each[0]]
    shares = [len(each[0]) for each in found]
    yield f"{len(waits) / SECONDS:,.0f}"
    yield from (f"{value * 1e3:,.2f}" for value in (percentile(waits, 0.5), percentile(waits, 0.99), max(waits)))
    yield f"{min(shares) / max(shares):.2f}"
    yield f"{max(each[1] for each in found) * 1e3:,.1f}"
    yield f"{sum(each[2] for each in found):,}"


def main() -> None:
    headings = (
        "synchronous",
        "way",
        "processes",
        "units/s",
        "p50 ms",
        "p99 ms",
        "max ms",
        "least/most",
        "stall ms",
        "busy",
    )
    table = Table(*headings, title="One SQLite file, eight clients a process", title_justify="left")
    ways = ["busy_timeout 5000 in the loop", "thread, one by one, 1", f"thread, groups of {GROUP}"]
    ways[1:1] = [f"sleep {name}" for name in (*SCHEDULES, *TURNS)]
    for synchronous in ("FULL", "NORMAL"):
        for way in ways:
            for processes in (1, 2, 4):
                if processes == 1 and way.startswith("sleep") and way not in {"sleep 1 ms", "sleep turns of 5 ms"}:
                    continue  # alone, no schedule is ever used
                table.add_row(synchronous, way, str(processes), *measured(synchronous, way, processes))
    Console(width=130).print(table)


if __name__ == "__main__":
    main()
