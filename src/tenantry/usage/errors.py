"""What usage refuses."""

from datetime import datetime
from typing import TYPE_CHECKING, Self

from tenantry.kernel import Problem

from .headers import limit_headers

if TYPE_CHECKING:
    from .actions import Decision


class QuotaExceeded(Problem):
    """The quota of your plan is used up until it begins anew; a larger plan allows more."""

    code, status = "usage.quota_exceeded", 429

    @classmethod
    def of(cls, decision: "Decision", now: datetime) -> Self:
        """The refusal of a decision, with its numbers in the body and in the headers."""
        headers = limit_headers(decision, now)
        if decision.cost <= (decision.limit or 0):
            # Where the limit is smaller than the cost, waiting never helps.
            headers["Retry-After"] = str(max(1, int((decision.reset_at - now).total_seconds()) + 1))
        return cls(
            _sentence(decision),
            headers=headers,
            meter=decision.meter,
            cost=decision.cost,
            plan=decision.plan,
            limit=decision.limit,
            used=decision.used,
            remaining=decision.remaining,
            reset_at=decision.reset_at,
        )


def _sentence(decision: "Decision") -> str:
    limit, left, meter = decision.limit or 0, decision.remaining or 0, decision.meter
    anew = f"it begins anew at {decision.reset_at:%Y-%m-%d %H:%M} UTC."
    if decision.cost > limit:
        return f"This call costs {decision.cost} {meter}; the plan allows {limit} in all. A larger plan allows more."
    if left:
        return f"This call costs {decision.cost} {meter}, and {left} of {limit} are left in this window; {anew}"
    return f"All {limit} {meter} of this window are used; {anew}"
