"""The units of one counter that one worker holds: pure arithmetic, no clock, no database.

Four numbers, and what they mean in the counter's row:
- `leased` units stand in the row's `leased` in this worker's name;
- `counted` units stand in the row's `used`, but nobody was admitted for them yet;
- `spent` units were admitted since the last exchange, and the row does not know it yet;
- so `left = leased + counted - spent` may still be admitted without asking anybody.

An exchange whose answer never came may have happened or not. Then nothing is spent, settled or given back any more:
the units stay in the row, where they can only be too many. That way no failure, at whatever moment, admits a call twice
over.
"""

from collections.abc import Sequence
from uuid import UUID

from tenantry.product import Meter

from .queries.exchange import UNITS_MAX, Asked, Exchanged
from .rows import Decision

LEASE_SECONDS = 1.0
"""How long a worker may spend what it holds without asking: a change of plan is in force everywhere after that."""
LEASE_COVERS_SECONDS = 0.25
LEASE_SHARE = 100
LEASE_UNITS_MAX = 100_000
_SHORTEST_SECONDS = 0.05


def lease_size(rate: float, remaining: int) -> int:
    """How many units to hold beyond what callers wait for, at `rate` units a second and `remaining` free ones.

    A quarter of a second's worth, never more than a hundredth of what remains: so leases shrink towards the limit, the
    last units are counted one exchange at a time, and small quotas always are. Less than two are not worth holding: 0.
    """
    wanted = min(int(rate * LEASE_COVERS_SECONDS), LEASE_UNITS_MAX, remaining // LEASE_SHARE)
    return wanted if wanted >= 2 else 0


class Held:
    """What a worker holds of one counter, and what it knows of it since the last exchange."""

    __slots__ = (
        "_before",
        "asked_at",
        "asking",
        "counted",
        "deadline",
        "exchanged_at",
        "expired_at",
        "free",
        "fresh_until",
        "is_short",
        "known",
        "leased",
        "low",
        "meter",
        "rate",
        "refused_until",
        "settling",
        "spent",
        "used",
        "window_seconds",
    )

    def __init__(self, meter: Meter, now: float) -> None:
        self.meter = meter
        self.leased = self.counted = self.spent = 0
        self.known: Exchanged | None = None
        """What the last exchange answered; None before the first, and after one that was lost."""
        self.free = self.used = 0
        """How many units nobody held at the last exchange, and how many were used, beyond the limit too."""
        self.window_seconds = 0
        self.deadline = now
        """When the units may not be spent any more, by the monotonic clock."""
        self.refused_until = now
        self.fresh_until = now
        """How long others' use counts as known, for a bound below the plan's limit."""
        self.settling = 0
        """What an exchange that is under way settles: admitted, and not in `used` yet."""
        self.expired_at = float("-inf")
        """What was asked before this moment may not be spent: the plan or the period has changed since."""
        self.asking = False
        self.low = -1
        """An exchange is begun when this many are left, so that callers need not wait for it."""
        self.exchanged_at = float("-inf")
        """When the last exchange that was answered had been sent."""
        self.is_short = False
        """The last exchange had fewer units than were needed."""
        self.rate, self.asked_at = 0.0, now
        self._before = (0, 0, 0)

    @property
    def left(self) -> int:
        """How many units may be admitted without asking."""
        return self.leased + self.counted - self.spent

    @property
    def is_settled(self) -> bool:
        """Whether the row knows everything already: nothing to settle, nothing to give back."""
        return not (self.leased or self.counted or self.spent)

    def admit(self, cost: int, now: float, most: int | None) -> Decision | None:
        """Decide about a call from what is held; None when the database must be asked, or knows no such counter."""
        if now < self.deadline and self.leased + self.counted - self.spent >= cost:
            if most is None:
                self.spent += cost
                return self.admitted(cost)
            return self.serve(cost, most)
        if self.known is None:
            return None
        is_refused = now < self.refused_until and not self.fits(cost)
        if is_refused or (now < self.fresh_until and not self.is_within(cost, most)):
            return self.refusal(cost)
        return None

    def serve(self, cost: int, most: int | None) -> Decision:
        """Admit a call from what is left, unless it makes the window's use more than `most`."""
        allowed = most is None or self.is_within(cost, most)
        if allowed:
            self.spent += cost
        return self.admitted(cost) if allowed else self.refusal(cost)

    def is_within(self, cost: int, most: int | None) -> bool:
        """Whether no more than `most` units are used with such a call, as far as is known here."""
        return most is None or self.used + self.settling + self.spent - self.counted + cost <= most

    def fits(self, cost: int) -> bool:
        """Whether a call of this cost may be admitted, as far as is known."""
        return cost <= self.free + self.left

    def fitting(self, costs: Sequence[int]) -> list[int]:
        """Those of the costs, in their order, that fit together; all when it is not known that they do not."""
        if not self.is_short:
            return list(costs)
        found, room = [], self.free + self.left
        for cost in costs:
            if cost <= room:
                found.append(cost)
                room -= cost
        return found

    def measure(self, waiting: int, now: float) -> None:
        """Note how many units were wanted since the last exchange, for the size of the next lease."""
        newest = (self.spent + waiting) / max(now - self.asked_at, _SHORTEST_SECONDS)
        # What was last weighs as much as all before it.
        self.rate = (self.rate + newest) / 2 if self.rate else newest
        self.asked_at = now

    def ask(self, holder_id: UUID, *, need: int, more: int, closing: bool) -> Asked:
        """What to ask for: `need` units for callers who wait, `more` to hold; `closing` gives everything else back.

        What is on its way is taken out of what may be spent: with `closing` all, else what is settled. Units that were
        counted for callers who went away stay counted for the next ones: a strict meter admits nothing else.
        """
        counted = 0 if closing else max(0, self.counted - self.spent)
        settle = self.spent - self.counted + counted
        asked = Asked(
            holder_id=holder_id,
            meter=self.meter.name,
            per=self.meter.per,
            window_start=self.known.window_start if self.known else None,
            settle=settle,
            give=self.left if closing else 0,
            need=need,
            take=need + more,
            directly=not more,
        )
        self._before = (self.leased, self.counted, self.spent)
        self.settling = settle
        self.leased, self.counted, self.spent = 0 if closing else self.leased - settle, counted, 0
        self.asking = True
        return asked

    def answered(self, asked: Asked, found: Exchanged, sent: float) -> None:
        """The exchange happened; `sent` is the monotonic time before it was asked."""
        self.asking, self.known, self.exchanged_at, self.settling = False, found, sent, 0
        limit = UNITS_MAX if found.plan_limit is None else found.plan_limit
        self.used = found.used + found.overrun
        self.free = max(0, limit - self.used - found.leased)
        self.window_seconds = int((found.window_end - found.window_start).total_seconds())
        if asked.directly:
            self.counted += found.granted
        else:
            self.leased += found.granted
        if found.is_over:
            self._window_over(sent)
            return
        seconds = min(LEASE_SECONDS, found.seconds_left) if sent >= self.expired_at else 0.0
        self.fresh_until = sent + seconds
        if found.granted or not self.left:
            self.deadline = sent + seconds
        self.low = self.left // 2 if self.leased else -1
        self.is_short = found.granted < asked.need
        if self.is_short and not self.meter.strict:
            # Others may give units back at any moment; what they have spent comes back with another window only.
            self.refused_until = sent + min(LEASE_COVERS_SECONDS if self.elsewhere else LEASE_SECONDS, seconds)

    @property
    def elsewhere(self) -> int:
        """How many units other workers held at the last exchange, beside what is set aside."""
        return max(0, self.known.leased - self.known.reserved - self.leased) if self.known else 0

    def admitted(self, cost: int) -> Decision:
        """What a caller is told whose call was admitted; `known` is there."""
        found: Exchanged = self.known  # type: ignore[assignment]
        ahead = self.counted - self.spent
        # By place, and nothing that is as it is by itself: nearly every call that is counted comes by here.
        return Decision(
            True,  # noqa: FBT003
            self.meter.name,
            cost,
            found.plan,
            found.quota,
            self.used - ahead,
            None if found.plan_limit is None else self.free + self.leased + ahead,
            found.window_end,
            self.window_seconds,
            True,  # noqa: FBT003
        )

    def refusal(self, cost: int) -> Decision:
        """What a caller is told whose call was not; `known` is there."""
        found: Exchanged = self.known  # type: ignore[assignment]
        return Decision(
            allowed=False,
            meter=self.meter.name,
            cost=cost,
            plan=found.plan,
            limit=found.quota,
            used=self.used + self.spent - self.counted,
            remaining=None if found.plan_limit is None else self.free + self.left,
            reset_at=found.window_end,
            window_seconds=self.window_seconds,
            waiting_helps=found.plan_limit is None or cost <= found.plan_limit,
            soon=self.elsewhere > 0,
            set_aside=found.reserved,
        )

    def refused(self) -> None:
        """The exchange did not happen, and that is certain: everything is as it was, but for what was spent since."""
        self.asking, self.settling = False, 0
        self.leased, self.counted, spent = self._before
        self.spent += spent

    def lost(self) -> None:
        """Nobody knows whether the exchange happened; see the file's text."""
        self.asking, self.known, self.is_short, self.settling = False, None, False, 0
        self.refused_until = self.asked_at
        self.leased = self.counted = self.spent = 0
        self.low = -1

    def absent(self, sent: float) -> None:
        """There is no such counter to be had, and there will be none for a moment."""
        self.lost()
        self.refused_until = sent + LEASE_SECONDS

    def expire(self, now: float) -> None:
        """The plan or the period has changed: nothing is spent, and nobody refused, without asking."""
        self.deadline = self.refused_until = self.fresh_until = self.expired_at = now

    def _window_over(self, sent: float) -> None:
        """Nothing is spent any more. All of it goes back to its own row before the current one is asked."""
        self.deadline = self.refused_until = self.fresh_until = sent
        self.is_short, self.low = False, -1
        if self.is_settled:
            self.known = None
