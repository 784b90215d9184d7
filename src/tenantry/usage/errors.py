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
        wait = max(1, int((decision.reset_at - now).total_seconds()) + 1)
        return cls(
            f"All {decision.limit} {decision.meter} of this window are used; it begins anew at "
            f"{decision.reset_at:%Y-%m-%d %H:%M} UTC.",
            headers={**limit_headers(decision, now), "Retry-After": str(wait)},
            meter=decision.meter,
            plan=decision.plan,
            limit=decision.limit,
            used=decision.used,
            remaining=decision.remaining,
            reset_at=decision.reset_at,
        )
