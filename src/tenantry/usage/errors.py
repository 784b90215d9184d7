"""What usage refuses."""

from datetime import datetime
from typing import TYPE_CHECKING, Self

from tenantry.kernel import Problem

from .headers import limit_headers

if TYPE_CHECKING:
    from .rows import Decision


class QuotaExceeded(Problem):
    """What is left of your plan's quota is too little for this call; a larger plan allows more."""

    code, status = "usage.quota_exceeded", 429

    @classmethod
    def of(cls, decision: "Decision", now: datetime) -> Self:
        """The refusal of a decision, with its numbers in the body and in the headers."""
        headers = limit_headers(decision, now)
        if decision.waiting_helps:
            seconds = 1 if decision.soon else int((decision.reset_at - now).total_seconds()) + 1
            headers["Retry-After"] = str(max(1, seconds))
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
    cost, meter, limit, left = decision.cost, decision.meter, decision.limit, decision.remaining
    anew = f"it begins anew at {decision.reset_at:%Y-%m-%d %H:%M} UTC."
    if not decision.waiting_helps:
        return f"This call costs {cost} {meter}, more than the plan's whole limit allows. A larger plan allows more."
    if left:
        return f"This call costs {cost} {meter}, and {left} of {limit} are left in this window; {anew}"
    return f"All {limit} {meter} of this window are used; {anew}"
