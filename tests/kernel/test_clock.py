from datetime import UTC, datetime, timedelta, timezone

import pytest

from tenantry.kernel.clock import FrozenClock, SystemClock

NOON = datetime(2030, 1, 31, 12, tzinfo=UTC)


def test_the_system_clock_is_aware_and_utc() -> None:
    assert SystemClock().now().tzinfo is UTC


def test_a_frozen_clock_stands_still_until_moved_or_set() -> None:
    clock = FrozenClock(NOON)
    assert clock.now() == clock.now() == NOON
    assert clock.move(minutes=5, seconds=1) == NOON + timedelta(minutes=5, seconds=1)
    assert clock.move(timedelta(hours=-1)) == clock.now() == NOON + timedelta(minutes=-55, seconds=1)
    clock.set(NOON)
    assert clock.now() == NOON


def test_other_zones_become_utc() -> None:
    clock = FrozenClock(datetime(2030, 1, 31, 14, tzinfo=timezone(timedelta(hours=2))))
    assert clock.now() == NOON
    assert clock.now().tzinfo is UTC


def test_naive_times_are_refused() -> None:
    naive = NOON.replace(tzinfo=None)
    with pytest.raises(ValueError, match="time zone"):
        FrozenClock(naive)
    with pytest.raises(ValueError, match="time zone"):
        FrozenClock(NOON).set(naive)
