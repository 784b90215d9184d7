"""What usage answers: a decision, how a holder stands, a whole window."""

from datetime import datetime

import msgspec


class Decision(msgspec.Struct, frozen=True, gc=False):
    """What was decided about one call, for the holder it was asked about. `limit` None: the plan sets none.

    `remaining` may be more by now, never less shown. `waiting_helps`: a call of this cost fits in the next window.
    `soon`: it was refused while other processes hold units that they may give back within a second. `set_aside`: how
    many units of the window reservations hold, as far as a refusal asked.
    `counted` False: the database was away, and the meter says `fail_open`; nothing else is known then.
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
    counted: bool = True
    set_aside: int = 0

    def within(self, plan: str, most: int) -> "Decision":
        """The same as a key is told whose tier is another plan: that plan, and no larger limit than `most`."""
        left = max(0, most - self.used)
        return msgspec.structs.replace(
            self,
            plan=plan,
            limit=most if self.limit is None else min(self.limit, most),
            remaining=left if self.remaining is None else min(self.remaining, left),
            waiting_helps=self.allowed or (self.waiting_helps and self.cost <= most),
            soon=self.soon and self.used + self.cost <= most,
        )

    @property
    def set_aside_helps(self) -> bool:
        """Whether a refused call fits once work under way gives back what is set aside for it."""
        return self.set_aside > 0 and self.remaining is not None and self.cost <= self.remaining + self.set_aside


class Standing(msgspec.Struct, frozen=True):
    """How a holder stands in the current window, whether or not it was used yet. `plan_limit` None: no limit.

    `overrun` of the `used` units were used beyond what was left, by work whose cost was known afterwards. `reserved` of
    the `leased` are set aside for such work, where that was asked.
    """

    plan: str
    plan_limit: int | None
    used: int
    leased: int
    window_start: datetime
    window_end: datetime
    overrun: int = 0
    reserved: int = 0

    @property
    def limit(self) -> int | None:
        """The limit in force: the plan's, and never below what was counted under it. None: no limit.

        Not the row's `quota`: it is yesterday's after a deployment declared another limit, until the next call.
        """
        return None if self.plan_limit is None else max(self.plan_limit, self.used - self.overrun + self.leased)

    @property
    def remaining(self) -> int | None:
        """What can still be called in this window. None: no limit."""
        return _remaining(self.limit, self.used, self.leased)

    def next_holds(self, cost: int) -> bool:
        """Whether a call of this cost fits in a window that nobody used yet."""
        return self.plan_limit is None or cost <= self.plan_limit

    def refusal(self, meter: str, cost: int) -> Decision:
        """What is told of a call that does not fit. `soon`: it would, if other processes gave back what they hold."""
        leased = max(0, self.leased - self.reserved)
        is_held = leased > 0 and self.remaining is not None and cost <= self.remaining + leased
        return Decision(
            allowed=False,
            meter=meter,
            cost=cost,
            plan=self.plan,
            limit=self.limit,
            used=self.used,
            remaining=self.remaining,
            reset_at=self.window_end,
            window_seconds=int((self.window_end - self.window_start).total_seconds()),
            waiting_helps=self.next_holds(cost),
            soon=is_held and self.next_holds(cost),
            set_aside=self.reserved,
        )


class Window(msgspec.Struct, frozen=True):
    """One window, whole: in an export, in an import. What was used is `used` and `overrun` together."""

    meter: str
    window_start: datetime
    window_end: datetime
    used: int
    quota: int | None
    overrun: int = 0


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
    overrun: int


def _remaining(limit: int | None, used: int, leased: int) -> int | None:
    return None if limit is None else max(0, limit - used - leased)
