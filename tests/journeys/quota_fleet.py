"""Several processes of `quota_worker.py` on one database, what is done to them, and what they admitted."""

import asyncio
import multiprocessing
import sqlite3
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
from sqlalchemy import insert

from journeys.quota_worker import LIMITS, METERS, OFFSET, PRODUCT, RECORD, Orders, SharedClock, main, settings_of
from tenantry import create_app
from tenantry.holders import open_for_user, set_plan
from tenantry.identity.models import Users
from tenantry.kernel import new_id
from tenantry.kernel.clock import Clock
from tenantry.kernel.context import system_context
from tenantry.kernel.database import param, statement
from tenantry.kernel.problems import DatabaseConflict, DatabaseUnavailable
from tenantry.testing import PostgresServer, TestDatabase
from tenantry.usage.held import LEASE_SECONDS

# Each is a process as any other, but what it imports is imported once.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tenantry", "tenantry.app", "tenantry.kernel.database.postgres"])
HALF_A_WRITE = """\
import sqlite3, sys, time
file = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=10)
file.create_function("tenantry_now", 0, lambda: "2026-01-01T00:00:00.000000Z")
file.execute("PRAGMA cache_size = 10")
file.execute("PRAGMA wal_autocheckpoint = 1")
file.execute("BEGIN IMMEDIATE")
file.execute("UPDATE usage_counters SET used = 0, leased = 0")
file.execute("CREATE TABLE much (words)")
file.execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) "
             "INSERT INTO much SELECT hex(randomblob(500)) FROM n")
print("writing", flush=True)
time.sleep(60)
"""
_add_user = statement(insert(Users).values(id=param("id"), email=param("email")))
_ROWS = "SELECT holder_id, meter, window_end, used, leased, overrun FROM usage_counters"


class Admitted(NamedTuple):
    """One admission, as the process wrote it down; times are monotonic, which all processes share."""

    holder: int
    meter: int
    window_end: int
    cost: int
    began: float
    at: float


@dataclass
class Process:
    """One life of a worker."""

    running: Any
    orders: Orders

    def read(self) -> Iterator[Admitted]:
        """What it admitted; a record that was cut off by its end is none."""
        data = self.orders.admissions.read_bytes()
        whole = len(data) - len(data) % RECORD.size
        return (Admitted(*one) for one in RECORD.iter_unpack(data[:whole]))


@dataclass
class Known:
    """What a window admitted, and during which time units were granted for that."""

    units: int = 0
    since: float = float("inf")
    until: float = 0.0


@dataclass
class Fleet:
    """The processes, the time and the plans. Every change is noted with when it was begun and when it had happened."""

    database: TestDatabase
    server: PostgresServer | None
    folder: Path
    places: int = 3
    processes: list[Process] = field(default_factory=list)
    ended: list[Process] = field(default_factory=list)
    plans: list[list[tuple[float, float, str]]] = field(default_factory=list)
    moved: list[tuple[float, float]] = field(default_factory=list)
    """Since when the database's clock is ahead by how much, as far as it was certain."""

    def __post_init__(self) -> None:
        self.clock_file = self.folder / "clock"
        self.clock_file.write_bytes(OFFSET.pack(0.0))
        self.clock = SharedClock(self.clock_file)
        self.moved.append((0.0, 0.0))
        self.wall = time.time() - time.monotonic()
        self.runner = asyncio.Runner()
        self.holders: list[UUID] = []

    @contextmanager
    def running(self, holders: int = 2) -> Iterator["Fleet"]:
        """The operator's application in this process, and the workers in theirs; those that still run are killed."""
        settings = settings_of(self._orders(0.0))
        app = create_app(PRODUCT, settings, worker=False, log_requests=False, ports={Clock: self.clock})
        with self.runner:
            lifespan = app.router.lifespan_context(app)
            self.runner.run(lifespan.__aenter__())
            self.system = system_context(app.state.runtime)
            try:
                self.runner.run(self._open(holders))
                self.processes = [self._started(0.0) for _ in range(self.places)]
                for one in self.processes:
                    self._wait_for(one)
                yield self
            finally:
                for one in [*self.processes, *self.ended]:
                    one.running.kill()
                    one.running.join(10)
                with suppress(DatabaseUnavailable):
                    self.runner.run(lifespan.__aexit__(None, None, None))

    async def _open(self, holders: int) -> None:
        for _ in range(holders):
            async with self.system.service() as ctx:
                user = new_id()
                await ctx.db.run(_add_user, id=user, email=f"{user}@example.com")
                self.holders.append(await open_for_user(ctx, user))
            now = time.monotonic()
            self.plans.append([(now, now, PRODUCT.default.name)])

    # Processes.

    def kill(self, place: int, *, skew: float = 0.0) -> None:
        """Kill -9 of one, and another one in its place, whose clock is wrong by so many seconds."""
        gone = self.processes[place]
        gone.running.kill()
        gone.running.join(10)
        self.ended.append(gone)
        self.processes[place] = self._started(skew)
        self._wait_for(self.processes[place])

    def stop(self) -> list[int]:
        """Stop all of them in order; answers their exit codes."""
        for one in self.processes:
            one.running.terminate()
        for one in self.processes:
            one.running.join(60)
        return [one.running.exitcode for one in self.processes]

    def _orders(self, skew: float) -> Orders:
        file = self.folder / f"admissions-{len(self.processes) + len(self.ended)}-{time.monotonic_ns()}"
        urls = (self.database.api_url, self.database.service_url)
        return Orders(*urls, self.holders, skew, self.clock_file, file, FORKS.Event())

    def _started(self, skew: float) -> Process:
        orders = self._orders(skew)
        orders.admissions.touch()
        running = FORKS.Process(target=main, args=(orders,))
        running.start()
        return Process(running, orders)

    def _wait_for(self, process: Process) -> None:
        assert process.orders.is_ready.wait(60), f"a worker did not start: {process.running.exitcode}"

    def work(self, seconds: float) -> None:
        """Let them work."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(0.05)

    # What happens to the database.

    def restart_database(self) -> None:
        """PostgreSQL is killed and recovers; a process that writes the SQLite file is killed in the middle of it."""
        if self.server:
            self.server.kill()
            self.work(0.3)
            self.server.restart()
            return
        path = self.database.api_url.removeprefix("sqlite:///")
        with subprocess.Popen([sys.executable, "-c", HALF_A_WRITE, path], stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout.readline() == "writing\n"
            writer.kill()

    def to_midnight(self, *, seconds_before: float, per: str = "day") -> None:
        """Set everybody's clock to so many seconds before a day or month ends; less than none is afterwards."""
        now = self.clock.now()
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        end = midnight + timedelta(days=1)
        if per == "month":
            end = (midnight.replace(day=1) + timedelta(days=32)).replace(day=1)
        offset = self.clock.offset + (end - now).total_seconds() - seconds_before
        self.clock.offset = offset
        self.runner.run(self._again(lambda: self.database.run_ahead(timedelta(seconds=offset))))
        self.moved.append((time.monotonic(), offset))

    def change_plan(self, holder: int, plan: str) -> None:
        """The operator puts a holder on another plan."""
        began = time.monotonic()
        self.runner.run(self._again(lambda: self._change(self.holders[holder], plan)))
        self.plans[holder].append((began, time.monotonic(), plan))

    async def _change(self, holder: UUID, plan: str) -> None:
        async with self.system.service() as ctx:
            await set_plan(ctx, holder, plan, source="admin", reason="test")

    async def _again(self, act: Any) -> None:
        """Until the database is there to do it."""
        while True:
            try:
                return await act()
            except (DatabaseConflict, DatabaseUnavailable, OSError, asyncpg.PostgresError):
                await asyncio.sleep(0.1)

    # What is known afterwards.

    def admitted(self) -> dict[tuple[int, int, int], Known]:
        """What was admitted by holder, meter and window, of all processes that ever were."""
        found: dict[tuple[int, int, int], Known] = defaultdict(Known)
        for process in (*self.processes, *self.ended):
            for one in process.read():
                known = found[one.holder, one.meter, one.window_end]
                known.units += one.cost
                # What is spent was granted since it was asked for, or within the time of a lease.
                known.since = min(known.since, one.began, one.at - LEASE_SECONDS)
                known.until = max(known.until, one.at)
        return found

    def largest_limit(self, holder: int, meter: int, known: Known) -> int:
        """The largest limit in force while units were granted; one that is replaced is in force until that is done."""
        changes = self.plans[holder]
        ends = [done for _, done, _ in changes[1:]] + [float("inf")]
        in_force = [
            LIMITS[plan][METERS[meter]]
            for (began, _, plan), end in zip(changes, ends, strict=True)
            if began <= known.until and end >= known.since
        ]
        return max(in_force)

    def closed_at(self, window_end: int, skew: float) -> float:
        """When a window was over by the clock that decided: the database's; on SQLite the process's own."""
        off = skew if self.server is None else 0.0
        for number, (since, offset) in enumerate(self.moved):
            until = self.moved[number + 1][0] if number + 1 < len(self.moved) else float("inf")
            crossing = window_end - self.wall - offset - off
            if crossing < until:
                return max(crossing, since)
        raise AssertionError("the last time has no end")

    def late(self) -> list[Admitted]:
        """Calls that were made when their window was over for longer than a lease may be spent, and admitted in it."""
        return [
            one
            for process in (*self.processes, *self.ended)
            for one in process.read()
            if one.began > self.closed_at(one.window_end, process.orders.skew) + LEASE_SECONDS
        ]

    def rows(self) -> dict[tuple[int, int, int], int]:
        """Units that are used, leased or overrun, by holder, meter and window."""
        numbers = {str(holder): number for number, holder in enumerate(self.holders)}
        names = {meter.name: number for number, meter in enumerate(METERS)}
        return {
            (numbers[str(holder)], names[meter], int(_time(end).timestamp())): used + leased + overrun
            for holder, meter, end, used, leased, overrun in self._fetched()
        }

    def _fetched(self) -> list[Any]:
        if self.database.owner_url is None:
            file = sqlite3.connect(self.database.api_url.removeprefix("sqlite:///"))
            try:
                assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
                return file.execute(_ROWS).fetchall()
            finally:
                file.close()

        async def fetched() -> list[Any]:
            connection = await asyncpg.connect(self.database.owner_url)
            try:
                return [tuple(row) for row in await connection.fetch(_ROWS)]
            finally:
                await connection.close()

        return self.runner.run(fetched())


def _time(value: Any) -> datetime:
    return datetime.fromisoformat(value).astimezone(UTC) if isinstance(value, str) else value
