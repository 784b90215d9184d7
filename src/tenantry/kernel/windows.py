"""Usage windows: UTC days and calendar months. The databases compute them; these are the same rules in Python."""

from datetime import UTC, datetime, timedelta


def window_start(per: str, at: datetime) -> datetime:
    """When the UTC day or calendar month that holds `at` began; `per` is "day" or "month"."""
    midnight = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if per == "day":
        return midnight
    if per == "month":
        return midnight.replace(day=1)
    msg = f"a window is per day or per month, not per {per}"
    raise ValueError(msg)


def window_end(per: str, at: datetime) -> datetime:
    """When that window ends, which is when the next begins."""
    start = window_start(per, at)
    if per == "day":
        return start + timedelta(days=1)
    return (start + timedelta(days=32)).replace(day=1)
