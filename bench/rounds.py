"""Several ways to do the same thing, measured in turns, so that a busy moment of the machine falls on all of them."""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Mapping, Sequence

from bench.measure import Row, Sample, cpu_seconds, sample

Operation = Callable[[], Awaitable[object]]


async def compare(
    ways: Mapping[str, Operation],
    *,
    times: int,
    rounds: int = 7,
    clients: int = 1,
    others: Sequence[int] = (),
) -> dict[str, Sample]:
    """Run every way `times` in each round and keep its best: lowest median, lowest CPU, highest rate.

    `others` are processes whose CPU counts too (a database server); theirs is the mean over all rounds.
    """
    for way in ways.values():
        await sample(way, times=max(times // 5, clients), rounds=1, clients=clients)
    best: dict[str, Sample] = {}
    spent = dict.fromkeys(ways, 0.0)
    gc.collect()
    gc.freeze()
    for _ in range(rounds):
        for name, way in ways.items():
            before = sum(map(cpu_seconds, others))
            found = await sample(way, times=times, rounds=1, clients=clients)
            # A server that was sent the last COMMIT is still at work when its answer has arrived.
            await asyncio.sleep(0.01)
            spent[name] += sum(map(cpu_seconds, others)) - before
            best[name] = found if name not in best else _better(best[name], found)
    done = times // clients * clients * rounds
    return {name: _with_others(found, spent[name] / done * 1e6) for name, found in best.items()}


def ratios(
    found: Mapping[str, Sample], ours: str, limits: Mapping[str, str], *, figure: str = "cpu_us", title: str = ""
) -> list[Row]:
    """One row a limit: our figure beside that of another way; `limits` maps a way's name to the target in words."""
    unit = {"cpu_us": "CPU µs", "p50_us": "p50 µs", "per_second": "per second"}[figure]
    value = getattr(found[ours], figure)
    return [
        Row(title or ours, value, unit, name, getattr(found[name], figure), target) for name, target in limits.items()
    ]


def _better(one: Sample, other: Sample) -> Sample:
    quicker = one if one.p50_us <= other.p50_us else other
    return Sample(
        quicker.p50_us,
        quicker.p99_us,
        quicker.max_us,
        min(one.cpu_us, other.cpu_us),
        0.0,
        max(one.per_second, other.per_second),
    )


def _with_others(found: Sample, other: float) -> Sample:
    return Sample(found.p50_us, found.p99_us, found.max_us, found.cpu_us, other, found.per_second)
