"""The headers of a decision, as a dict and as ASGI sends them."""

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tenantry import Burst
from tenantry.usage import Decision, limit_headers
from tenantry.usage.headers import NAMES, raw_limit_headers

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
POLICY = re.compile(r'"[a-z_]+";q=\d+;w=\d+')


def decision(**changes: Any) -> Decision:
    values: dict[str, Any] = {"allowed": True, "meter": "requests", "cost": 1, "plan": "free", "limit": 100, "used": 58}
    values |= {"remaining": 42, "reset_at": NOON + timedelta(hours=1), "window_seconds": 86_400, "waiting_helps": True}
    return Decision(**{**values, **changes})


def test_as_in_the_draft() -> None:
    assert limit_headers(decision(), NOON) == {
        "RateLimit-Policy": '"requests";q=100;w=86400',
        "RateLimit": '"requests";r=42;t=3600',
        "X-RateLimit-Limit": "100",
        "X-RateLimit-Remaining": "42",
        "X-RateLimit-Reset": str(int(NOON.timestamp()) + 3600),
    }


def test_a_pace_is_the_second_policy_of_the_list() -> None:
    found = limit_headers(decision(), NOON, Burst(20, seconds=2))
    assert found.pop("RateLimit-Policy") == '"requests";q=100;w=86400, "burst";q=20;w=2'
    plain = limit_headers(decision(), NOON)
    del plain["RateLimit-Policy"]
    assert found == plain


def test_without_a_limit_there_is_only_the_pace() -> None:
    unlimited = decision(limit=None, remaining=None)
    assert limit_headers(unlimited, NOON) == {}
    assert limit_headers(unlimited, NOON, Burst(3, seconds=60)) == {"RateLimit-Policy": '"burst";q=3;w=60'}


@given(
    left=st.timedeltas(timedelta(days=-1), timedelta(days=40)),
    remaining=st.integers(0, 10**15),
    limit=st.integers(1, 10**15),
    burst=st.none() | st.builds(Burst, st.integers(1, 10**6), st.integers(1, 10**6)),
    zone=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]),
)
def test_both_forms_say_the_same_and_parts_of_a_second_are_a_second(
    left: timedelta, remaining: int, limit: int, burst: Burst | None, zone: timezone
) -> None:
    one = decision(limit=limit, remaining=remaining, reset_at=(NOON + left).astimezone(zone))
    raw, shown = raw_limit_headers(one, NOON, burst), limit_headers(one, NOON, burst)
    assert {name.lower(): value for name, value in shown.items()} == {
        name.decode(): value.decode("ascii") for name, value in raw
    }
    assert {name for name, _ in raw} == NAMES
    assert all(POLICY.fullmatch(part) for part in shown["RateLimit-Policy"].split(", "))
    seconds = int(shown["RateLimit"].rpartition("t=")[2])
    assert timedelta(0) <= timedelta(seconds=seconds) - max(left, timedelta(0)) < timedelta(seconds=1)
