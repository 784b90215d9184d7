"""Clocks for benchmarks: latency percentiles, CPU per operation, best of rounds.

The machine may be busy with other work. So the best round counts, CPU stands beside time, and every figure is
printed beside a bare limit of the same run. Nothing here asserts a speed.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the report. `ratio` is value / limit_value; `target` is the ratio we want, in words."""

    name: str
    value: float
    unit: str
    limit_name: str = ""
    limit_value: float | None = None
    target: str = ""

    @property
    def ratio(self) -> float | None:
        return self.value / self.limit_value if self.limit_value else None


@dataclass(frozen=True, slots=True)
class Sample:
    """What an operation costs in microseconds: percentiles of the best round, CPU of this and of other processes."""

    p50_us: float
    p99_us: float
    max_us: float
    cpu_us: float
    other_cpu_us: float
    per_second: float


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0..1) of the values lie; 0.0 for none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def cpu_seconds(pid: int) -> float:
    """User and system time another process has used so far (Linux); 10 ms steps, so count thousands of operations."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND


async def sample(
    operation: Callable[[], Awaitable[object]],
    *,
    times: int = 1_000,
    rounds: int = 5,
    clients: int = 1,
    others: Sequence[int] = (),
) -> Sample:
    """Run `operation` times x rounds, shared by `clients` tasks; the round with the lowest median counts.

    CPU figures are the lowest of the rounds for this process and the mean over all rounds for `others` (process ids).
    """
    best: Sample | None = None
    cpu, others_before = float("inf"), sum(map(cpu_seconds, others))
    for _ in range(rounds):
        waits: list[float] = []
        started, cpu_started = time.perf_counter(), time.process_time()
        await asyncio.gather(*(_client(operation, times // clients, waits) for _ in range(clients)))
        elapsed = time.perf_counter() - started
        cpu = min(cpu, (time.process_time() - cpu_started) / len(waits) * 1e6)
        found = Sample(
            p50_us=percentile(waits, 0.5) * 1e6,
            p99_us=percentile(waits, 0.99) * 1e6,
            max_us=max(waits) * 1e6,
            cpu_us=cpu,
            other_cpu_us=0.0,
            per_second=len(waits) / elapsed,
        )
        best = found if best is None or found.p50_us < best.p50_us else best
    assert best is not None
    other = (sum(map(cpu_seconds, others)) - others_before) / (times // clients * clients * rounds) * 1e6
    return Sample(best.p50_us, best.p99_us, best.max_us, cpu, other, best.per_second)


def sample_sync(operation: Callable[[], object], *, times: int = 2_000, rounds: int = 5) -> Sample:
    """The same for a plain function."""
    best: Sample | None = None
    for _ in range(rounds):
        waits = []
        started, cpu_started = time.perf_counter(), time.process_time()
        for _ in range(times):
            before = time.perf_counter()
            operation()
            waits.append(time.perf_counter() - before)
        elapsed, cpu = time.perf_counter() - started, time.process_time() - cpu_started
        found = Sample(
            percentile(waits, 0.5) * 1e6,
            percentile(waits, 0.99) * 1e6,
            max(waits) * 1e6,
            cpu / times * 1e6,
            0.0,
            times / elapsed,
        )
        best = found if best is None or found.p50_us < best.p50_us else best
    assert best is not None
    return best


async def _client(operation: Callable[[], Awaitable[object]], times: int, waits: list[float]) -> None:
    for _ in range(times):
        before = time.perf_counter()
        await operation()
        waits.append(time.perf_counter() - before)
