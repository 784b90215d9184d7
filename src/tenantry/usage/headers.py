"""The headers that tell a caller how it stands.

`RateLimit-Policy` and `RateLimit` as in draft-ietf-httpapi-ratelimit-headers, and the customary `X-RateLimit-*`.
"""

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .rows import Decision


def limit_headers(decision: "Decision", now: datetime) -> dict[str, str]:
    """The headers of one decision; none where the plan sets no limit. Seconds to the reset are rounded up."""
    if decision.limit is None or decision.remaining is None:
        return {}
    seconds = max(0, -int(-(decision.reset_at - now).total_seconds() // 1))
    return {
        "RateLimit-Policy": f'"{decision.meter}";q={decision.limit};w={decision.window_seconds}',
        "RateLimit": f'"{decision.meter}";r={decision.remaining};t={seconds}',
        "X-RateLimit-Limit": str(decision.limit),
        "X-RateLimit-Remaining": str(decision.remaining),
        "X-RateLimit-Reset": str(int(decision.reset_at.timestamp())),
    }
