"""What usage answers: a decision, how a holder stands, a window that is over."""

from datetime import datetime

import msgspec


class Decision(msgspec.Struct, frozen=True):
    """What was decided about one call, for the holder it was asked about. `limit` None: the plan sets none.

    `remaining` may be more by now, never less shown. `waiting_helps`: a call of this cost fits in the next window.
    `soon`: it was refused while other processes hold units that they may give back within a second.
    """

    allowed: bool
    meter: str
    cost: int
    plan: str
    limit: int | None
    used: int
    remaining: int | None
    reset_at: datetime
    window_seconds: int
    waiting_helps: bool
    soon: bool = False


class Standing(msgspec.Struct, frozen=True):
    """How a holder stands in the current window, whether or not it was used yet. `plan_limit` None: no limit."""

    plan: str
    plan_limit: int | None
    used: int
    leased: int
    window_start: datetime
    window_end: datetime

    @property
    def limit(self) -> int | None:
        """The limit in force: the plan's, and never below what was counted already. None: no limit.

        Not the row's `quota`: it is yesterday's after a deployment declared another limit, until the next call.
        """
        return None if self.plan_limit is None else max(self.plan_limit, self.used + self.leased)

    @property
    def remaining(self) -> int | None:
        """What can still be called in this window. None: no limit."""
        return _remaining(self.limit, self.used, self.leased)

    def next_holds(self, cost: int) -> bool:
        """Whether a call of this cost fits in a window that nobody used yet."""
        return self.plan_limit is None or cost <= self.plan_limit


class PastWindow(msgspec.Struct, frozen=True):
    """One window that was used, for charts."""

    window_start: datetime
    used: int
    quota: int | None


class Window(msgspec.Struct, frozen=True):
    """One window, whole: in an export, in an import."""

    meter: str
    window_start: datetime
    window_end: datetime
    used: int
    quota: int | None


class OpenWindow(msgspec.Struct, frozen=True):
    """The current day or month of a holder, once for each counter in it; `meter` None: it has none yet."""

    per: str
    plan: str
    limits: dict[str, int | None]
    meter: str | None
    used: int
    leased: int
    window_start: datetime
    window_end: datetime


def _remaining(limit: int | None, used: int, leased: int) -> int | None:
    return None if limit is None else max(0, limit - used - leased)
