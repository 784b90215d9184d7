"""What usage refuses."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from tenantry.kernel import Problem
from tenantry.product import Burst, Count, Gauge

from .headers import burst_headers, limit_headers

if TYPE_CHECKING:
    from .queries.stocks import Level
    from .rows import Decision


SET_ASIDE_SECONDS = 30
"""What a caller is told to wait where only reservations hold what it needs."""


class QuotaExceeded(Problem):
    """What is left of your plan's quota is too little for this call; a larger plan allows more."""

    code, status = "usage.quota_exceeded", 429

    @classmethod
    def of(cls, decision: "Decision", now: datetime, burst: Burst | None = None) -> Self:
        """The refusal of a decision, with its numbers in the body and in the headers; `burst` is the plan's."""
        headers = limit_headers(decision, now, burst)
        if decision.waiting_helps:
            headers["Retry-After"] = str(_wait_seconds(decision, now))
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
            **_violated(decision.meter),
        )


class BurstExceeded(Problem):
    """You are calling faster than your plan allows. Wait a moment."""

    code, status = "usage.burst_exceeded", 429

    @classmethod
    def of(cls, plan: str, burst: Burst, retry_seconds: int) -> Self:
        """The refusal of a call that came too soon. Nothing was counted; after `retry_seconds` one is admitted."""
        return cls(
            f"Your plan allows {burst.calls} calls within {burst.seconds} s. Try again in {retry_seconds} s.",
            headers=burst_headers(burst, retry_seconds),
            plan=plan,
            calls=burst.calls,
            seconds=burst.seconds,
            **_violated("burst"),
        )


class LimitReached(Problem):
    """Your plan allows no more of these; delete some, or take a larger plan."""

    # Not 429, for waiting does not help, nor 403: the caller may, and can make room (RFC 9110, section 15.5.10).
    code, status = "usage.limit_reached", 409

    @classmethod
    def of_gauge(cls, gauge: Gauge, found: "Level", asked: int) -> Self:
        """The refusal of `asked` more on a gauge, with its numbers in the body."""
        sentence = (
            f"Your plan keeps {found.limit} {gauge.unit} of {gauge.name}; you have {found.value}, "
            f"and this takes {asked} more."
        )
        return cls(sentence, gauge=gauge.name, asked=asked, **_figures(found))

    @classmethod
    def of_count(cls, count: Count, found: "Level", asked: int) -> Self:
        """The refusal of `asked` more rows, with their numbers in the body."""
        sentence = f"Your plan allows {found.limit} {count.name}; you have {found.value}."
        return cls(sentence, count=count.name, asked=asked, **_figures(found))


class ReservationNotFound(Problem):
    """There is no such reservation, or it is not yours."""

    code, status = "usage.reservation_not_found", 404


class ReservationConflict(Problem):
    """The reservation of this id was made of other units, or has ended otherwise."""

    code, status = "usage.reservation_conflict", 409


def _wait_seconds(decision: "Decision", now: datetime) -> int:
    if decision.soon:
        return 1
    until_reset = max(1, int((decision.reset_at - now).total_seconds()) + 1)
    # What is set aside may come back when that work ends, and nobody knows when. A guess, but no poll.
    return min(SET_ASIDE_SECONDS, until_reset) if decision.set_aside_helps else until_reset


def _figures(found: "Level") -> dict[str, Any]:
    return {"plan": found.plan, "limit": found.limit, "value": found.value}


def _violated(policy: str) -> dict[str, Any]:
    """The draft's own member, by its own spelling: which of the policies in `RateLimit-Policy` was in the way."""
    return {"violated-policies": [policy]}


def _sentence(decision: "Decision") -> str:
    cost, meter, limit, left = decision.cost, decision.meter, decision.limit, decision.remaining
    anew = f"it begins anew at {decision.reset_at:%Y-%m-%d %H:%M} UTC."
    if not decision.waiting_helps:
        return f"This call costs {cost} {meter}, more than the plan's whole limit allows. A larger plan allows more."
    if decision.set_aside_helps:
        aside = decision.set_aside
        return f"This call costs {cost} {meter}; {left} of {limit} are left, {aside} are set aside for work under way."
    if left:
        return f"This call costs {cost} {meter}, and {left} of {limit} are left in this window; {anew}"
    return f"All {limit} {meter} of this window are used; {anew}"
