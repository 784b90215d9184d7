"""What charts show of calls: how many, how many failed, how long they took."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from tenantry.kernel.database import Unit

from .buckets import percentile
from .queries import reading
from .rows import Count

HOURLY_DAYS_MAX = 3
"""Up to so many days are told by the hour."""
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


class Summary(msgspec.Struct, frozen=True):
    """Calls together. `p50_ms` and `p95_ms` lie within ten percent of the true ones; None without calls."""

    calls: int
    errors: int
    mean_ms: float | None
    p50_ms: float | None
    p95_ms: float | None


class Stats(msgspec.Struct, frozen=True):
    """A key's calls from `since` until `until`. `steps` has every hour or UTC day, oldest first, also those without."""

    since: datetime
    until: datetime
    step_seconds: int
    total: Summary
    steps: dict[datetime, Summary]
    endpoints: dict[tuple[str, str], Summary]


async def stats_of(db: Unit, holder: UUID, key: UUID, *, days: int, now: datetime) -> Stats:
    """How a key was used in the last days, today's included, in one statement. Raises `KeyNotFound`."""
    step = _HOUR if days <= HOURLY_DAYS_MAX else _DAY
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    until = (now.replace(minute=0, second=0, microsecond=0) if step is _HOUR else today) + step
    since = until - days * _DAY
    found = await reading.counts(db, holder, key, since=since, until=until, by_day=step is _DAY)
    by_step = _grouped(found, lambda one: one.step)
    return Stats(
        since,
        until,
        int(step.total_seconds()),
        _summary(one for one in found if one.step is not None),
        {at: _summary(by_step.get(at, ())) for at in _steps(since, until, step)},
        {name: _summary(some) for name, some in sorted(_grouped(found, _endpoint).items())},
    )


def _endpoint(one: Count) -> tuple[str, str] | None:
    return None if one.method is None or one.endpoint is None else (one.method, one.endpoint)


def _grouped(counts: Iterable[Count], key: Any) -> Mapping[Any, list[Count]]:
    found: dict[Any, list[Count]] = {}
    for one in counts:
        if (name := key(one)) is not None:
            found.setdefault(name, []).append(one)
    return found


def _summary(counts: Iterable[Count]) -> Summary:
    by_bucket: dict[int, int] = {}
    errors = latency_ms = 0
    for one in counts:
        by_bucket[one.bucket_ms] = by_bucket.get(one.bucket_ms, 0) + one.calls
        errors += one.errors
        latency_ms += one.latency_ms
    calls = sum(by_bucket.values())
    mean = latency_ms / calls if calls else None
    return Summary(calls, errors, mean, percentile(by_bucket, 0.5), percentile(by_bucket, 0.95))


def _steps(since: datetime, until: datetime, step: timedelta) -> Iterator[datetime]:
    while since < until:
        yield since
        since += step
