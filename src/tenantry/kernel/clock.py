"""Time is handed in, always aware and always UTC."""

import time
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Protocol


class Clock(Protocol):
    """Tells the time. `now()` is an aware datetime in UTC.

    `monotonic()` is seconds since some moment, for how long something may last: nobody sets it back or forth.
    """

    def now(self) -> datetime: ...

    def monotonic(self) -> float: ...


class SystemClock:
    """The machine's clock."""

    # Themselves, without a call around them: every request asks, and every call that is counted.
    now = staticmethod(partial(datetime.now, UTC))
    monotonic = staticmethod(time.monotonic)


class FrozenClock:
    """A clock for tests: it stands still until it is moved or set. Naive times are refused (ValueError).

    Its monotonic time goes on by itself, and leaps when the clock is moved forwards: what may last for a second is over
    after `move(days=1)`.
    """

    def __init__(self, now: datetime) -> None:
        self._now = _utc(now)
        self._leapt = 0.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return time.monotonic() + self._leapt

    def set(self, now: datetime) -> None:
        """Jump to a time, forwards or back."""
        wanted = _utc(now)
        self._leapt += max(0.0, (wanted - self._now).total_seconds())
        self._now = wanted

    def move(self, by: timedelta | None = None, **parts: float) -> datetime:
        """Go on by a timedelta or by its parts (`move(minutes=5)`, `move(days=-1)`); return the new time."""
        self.set(self._now + (by or timedelta()) + timedelta(**parts))
        return self._now


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise ValueError("a time without a time zone is refused; give it one, for example datetime.now(UTC)")
    return moment.astimezone(UTC)
