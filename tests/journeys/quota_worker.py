"""A process that admits calls as fast as it can until it is told to stop, and writes each admission down at once.

The admissions are counted in a file of its own, outside of everything that is tested: `kill -9` loses none that was
written, and at most the one that was just decided.
"""

import asyncio
import mmap
import os
import random
import signal
import struct
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from tenantry import Google, Meter, Plan, Product, Settings, create_app
from tenantry.kernel.clock import Clock
from tenantry.kernel.context import system_context
from tenantry.kernel.problems import DatabaseConflict, DatabaseUnavailable
from tenantry.usage import decide

requests, exports = Meter("requests"), Meter("exports", per="month")
METERS = (requests, exports)
LIMITS: dict[str, dict[Meter, int]] = {
    "small": {requests: 300, exports: 2500},
    "middle": {requests: 4000, exports: 30_000},
    "large": {requests: 25_000, exports: 150_000},
}
PRODUCT = Product(
    "Acme",
    sign_in=[Google()],
    plans=[Plan(name, price=number, limits=limits) for number, (name, limits) in enumerate(LIMITS.items())],
)
CALLERS = 3
"""Of each holder and meter, in each process."""
RECORD = struct.Struct("=BBqIdd")
"""An admission: holder, meter, the second its window ends, cost, when it was asked for and decided (monotonic)."""
OFFSET = struct.Struct("=d")


class Orders(NamedTuple):
    """What a process is told: where the database is, whom to call for, how wrong its clock is, where to write."""

    database_url: str
    service_url: str | None
    holders: list[UUID]
    skew: float
    clock: Path
    admissions: Path
    is_ready: Any
    """An event, set when it begins to call."""


class SharedClock:
    """The machine's clock, ahead by what a file says, which all processes read, and wrong by a skew of its own.

    SQLite has no clock but that of the process which asks; so the file is what moves for everybody there.
    """

    def __init__(self, path: Path, skew: float = 0.0) -> None:
        with path.open("r+b") as file:
            self._offset = mmap.mmap(file.fileno(), OFFSET.size)
        self._skew = skew

    @property
    def offset(self) -> float:
        found: float = OFFSET.unpack_from(self._offset)[0]
        return found

    @offset.setter
    def offset(self, seconds: float) -> None:
        OFFSET.pack_into(self._offset, 0, seconds)

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.offset + self._skew)

    def monotonic(self) -> float:
        return time.monotonic()


def settings_of(orders: Orders) -> Settings:
    """Settings of a process on the database."""
    urls: dict[str, Any] = {"database_url": orders.database_url, "service_url": orders.service_url}
    return Settings(**urls, secret_keys=("k" * 40,), pool_timeout_seconds=2)


async def call(ctx: Any, file: int, which: tuple[int, UUID], meter: int, stop: asyncio.Event) -> None:
    """Call again and again, a few calls without a pause each time."""
    number, holder = which
    chance = random.Random()
    while not stop.is_set():
        for _ in range(40):
            cost, began = chance.choice((1, 1, 1, 1, 5)), time.monotonic()
            try:
                decision = await decide(ctx, holder, METERS[meter], cost)
            except (DatabaseUnavailable, DatabaseConflict):
                break
            if not decision.allowed:
                break
            end = int(decision.reset_at.timestamp())
            os.write(file, RECORD.pack(number, meter, end, cost, began, time.monotonic()))
        await asyncio.sleep(chance.uniform(0.001, 0.01))


def main(orders: Orders) -> None:
    """Admit calls until SIGTERM, then stop in order: what is held goes back."""
    asyncio.run(work(orders))


async def work(orders: Orders) -> None:
    """See `main`."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    ports = {Clock: SharedClock(orders.clock, orders.skew)}
    app = create_app(PRODUCT, settings_of(orders), worker=False, log_requests=False, ports=ports)
    file = os.open(orders.admissions, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    async with app.router.lifespan_context(app):
        ctx = system_context(app.state.runtime)
        orders.is_ready.set()
        await asyncio.gather(
            *(
                call(ctx, file, (number, holder), meter, stop)
                for number, holder in enumerate(orders.holders)
                for meter in range(len(METERS))
                for _ in range(CALLERS)
            )
        )
