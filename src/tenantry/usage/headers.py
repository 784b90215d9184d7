"""The headers that tell a caller how it stands.

`RateLimit-Policy` and `RateLimit` as in draft-ietf-httpapi-ratelimit-headers, and the customary `X-RateLimit-*`. A plan
that also limits how fast a caller may be has a second policy in the list, "burst".
"""

from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from tenantry.kernel.told import Header
from tenantry.product import Burst

if TYPE_CHECKING:
    from .rows import Decision

_SHOWN = {
    b"ratelimit-policy": "RateLimit-Policy",
    b"ratelimit": "RateLimit",
    b"x-ratelimit-limit": "X-RateLimit-Limit",
    b"x-ratelimit-remaining": "X-RateLimit-Remaining",
    b"x-ratelimit-reset": "X-RateLimit-Reset",
}
NAMES = frozenset(_SHOWN)
"""As ASGI writes them."""


def limit_headers(decision: "Decision", now: datetime, burst: Burst | None = None) -> dict[str, str]:
    """The headers of one decision; none where the plan sets no limit. Seconds to the reset are rounded up."""
    return {_SHOWN[name]: value.decode() for name, value in raw_limit_headers(decision, now, burst)}


def raw_limit_headers(decision: "Decision", now: datetime, burst: Burst | None = None) -> list[Header]:
    """The same as ASGI sends them: names in lower case, bytes. What stays the same from call to call is kept."""
    limit, remaining = decision.limit, decision.remaining
    if limit is None or remaining is None:
        return [] if burst is None else [(b"ratelimit-policy", _burst_policy(burst).encode())]
    pace = None if burst is None else (burst.calls, burst.seconds)
    policy, name, limited = _fixed(decision.meter, limit, decision.window_seconds, pace)
    left = decision.reset_at - now
    # Rounded up, in whole numbers: a part of a second is a second.
    seconds = left.days * 86_400 + left.seconds + (left.microseconds > 0)
    return [
        policy,
        (b"ratelimit", b"%b;r=%d;t=%d" % (name, remaining, max(0, seconds))),
        limited,
        (b"x-ratelimit-remaining", b"%d" % remaining),
        _reset(decision.reset_at),
    ]


def burst_headers(burst: Burst, retry_seconds: int) -> dict[str, str]:
    """The headers of a call that came too soon after others."""
    return {
        "RateLimit-Policy": _burst_policy(burst),
        "RateLimit": f'"burst";r=0;t={retry_seconds}',
        "Retry-After": str(retry_seconds),
    }


@lru_cache(maxsize=1024)
def _fixed(meter: str, limit: int, window_seconds: int, pace: tuple[int, int] | None) -> tuple[Header, bytes, Header]:
    """What stays the same: the policies, the first one's name, its limit. `pace` is a burst's calls and seconds."""
    policy = f'"{meter}";q={limit};w={window_seconds}'
    if pace is not None:
        policy += f", {_burst_policy(Burst(*pace))}"
    return (b"ratelimit-policy", policy.encode()), f'"{meter}"'.encode(), (b"x-ratelimit-limit", b"%d" % limit)


@lru_cache(maxsize=1024)
def _reset(at: datetime) -> Header:
    return b"x-ratelimit-reset", b"%d" % int(at.timestamp())


def _burst_policy(burst: Burst) -> str:
    return f'"burst";q={burst.calls};w={burst.seconds}'
