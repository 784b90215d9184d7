"""Several ways to do the same thing, measured in turns, so that a busy moment of the machine falls on all of them."""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from bench.measure import Row, Sample, sample

Operation = Callable[[], Awaitable[object]]


class Elsewhere(Protocol):
    """A way that another process goes and measures."""

    async def sample(self, *, times: int, clients: int) -> Sample:
        """What a call took when it was made `times` times, shared by `clients` callers; CPU is that process's."""


Way = Operation | Elsewhere
UNITS = {"cpu_us": "CPU µs", "other_cpu_us": "CPU µs", "p50_us": "p50 µs", "per_second": "per second"}


async def compare(
    ways: Mapping[str, Way],
    *,
    times: int,
    rounds: int = 7,
    clients: int = 1,
    others: Mapping[str, Sequence[int]] | None = None,
) -> dict[str, Sample]:
    """Run every way `times` in each round and keep its best: lowest median, lowest CPU, highest rate.

    `others` names the processes that work for a way and whose CPU counts too: a server, a database.
    """
    for way in ways.values():
        await _once(way, times=max(times // 5, clients), clients=clients)
    best: dict[str, Sample] = {}
    gc.collect()
    gc.freeze()
    for _ in range(rounds):
        for name, way in ways.items():
            processes = others.get(name, ()) if others else ()
            # Whoever comes after another process finds its own code and data gone from the core's caches.
            await _once(way, times=max(times // 10, clients), clients=clients)
            before = sum(map(_cpu_us, processes))
            found = await _once(way, times=times, clients=clients)
            if processes:
                # A server that was sent the last COMMIT is still at work when its answer has arrived.
                await asyncio.sleep(0.01)
            spent = (sum(map(_cpu_us, processes)) - before) / (times // clients * clients)
            found = Sample(found.p50_us, found.p99_us, found.max_us, found.cpu_us, spent, found.per_second)
            best[name] = found if name not in best else _better(best[name], found)
    return best


def ratios(
    found: Mapping[str, Sample], ours: str, limits: Mapping[str, str], *, figure: str = "cpu_us", title: str = ""
) -> list[Row]:
    """One row a limit: our figure beside that of another way; `limits` maps a way's name to the target in words."""
    figures = {name: getattr(one, figure) for name, one in found.items()}
    return [
        Row(title or ours, figures[ours], UNITS[figure], name, figures[name], target) for name, target in limits.items()
    ]


async def _once(way: Way, *, times: int, clients: int) -> Sample:
    if callable(way):
        return await sample(way, times=times, rounds=1, clients=clients)
    return await way.sample(times=times, clients=clients)


def _better(one: Sample, other: Sample) -> Sample:
    quicker = one if one.p50_us <= other.p50_us else other
    return Sample(
        quicker.p50_us,
        quicker.p99_us,
        quicker.max_us,
        min(one.cpu_us, other.cpu_us),
        min(one.other_cpu_us, other.other_cpu_us),
        max(one.per_second, other.per_second),
    )


def _cpu_us(pid: int) -> float:
    """The time all threads of a process were on a core. The scheduler's own count: `/proc/*/stat` moves in 10 ms."""
    spent = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        spent += int((thread / "schedstat").read_text().split()[0])
    return spent / 1_000
