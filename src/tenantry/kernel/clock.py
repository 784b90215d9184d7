"""Time is handed in, always aware and always UTC."""

from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the time. `now()` is an aware datetime in UTC."""

    def now(self) -> datetime: ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class FrozenClock:
    """A clock for tests: it stands still until it is moved or set. Naive times are refused (ValueError)."""

    def __init__(self, now: datetime) -> None:
        self._now = _utc(now)

    def now(self) -> datetime:
        return self._now

    def set(self, now: datetime) -> None:
        """Jump to a time, forwards or back."""
        self._now = _utc(now)

    def move(self, by: timedelta | None = None, **parts: float) -> datetime:
        """Go on by a timedelta or by its parts (`move(minutes=5)`, `move(days=-1)`); return the new time."""
        self._now += (by or timedelta()) + timedelta(**parts)
        return self._now


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise ValueError("a time without a time zone is refused; give it one, for example datetime.now(UTC)")
    return moment.astimezone(UTC)
