"""A plain model of keys: what people have and did, and what `authorize` is to answer. No database, no cache."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from keys.asked import FAULTS
from keys.conftest import calls, keyed_product
from tenantry import Burst, Keys, Plan, Product, Scope, Trials

LIMITS = {"free": 6, "trial": 12, "pro": 20}
"""The plans in their order, and how many units each allows a day."""
PACED, PACE = "pro", Burst(6, 1800)
FREE = {"free", "trial"}
SCOPE = "work:write"
GRACE = timedelta(hours=1)
LENGTH = timedelta(hours=2)
MOST, EVER, EXTENSIONS = 2, 4, 1
ALWAYS = datetime.max.replace(tzinfo=UTC)


def product() -> Product:
    """The product that the model is of."""
    return keyed_product(
        plans=[
            Plan(name, price=0 if name in FREE else 900, limits={calls: limit}, burst=PACE if name == PACED else None)
            for name, limit in LIMITS.items()
        ],
        keys=Keys("acme", meter=calls, scopes=[Scope(SCOPE, "Change work.")]),
        trials=Trials("trial", length=LENGTH, most=MOST, ever=EVER, extensions=EXTENSIONS),
        modules=[],
    )


@dataclass(eq=False)
class Holding:
    """A holder: a person's own, or that of a trial."""

    id: UUID
    plan: str
    until: datetime | None = None
    after: str = ""
    suspended: bool = False
    used: Counter[date] = field(default_factory=Counter)

    def plan_at(self, now: datetime) -> str:
        return self.after if self.until is not None and self.until <= now else self.plan

    def put_on(self, plan: str, until: datetime | None = None, after: str = "") -> None:
        self.plan, self.until, self.after = plan, until, after


@dataclass(eq=False)
class Key:
    """A key. `logged`: how many calls of it the log has."""

    secret: str
    id: UUID
    person: "Person"
    holding: Holding
    scoped: bool
    tier: str | None
    pending: bool
    ends: datetime | None = None
    revoked: bool = False
    followed: bool = False
    logged: int = 0

    def is_expired(self, now: datetime) -> bool:
        return self.ends is not None and self.ends <= now

    def plan_at(self, now: datetime) -> str:
        """The plan that bounds it."""
        held = self.holding.plan_at(now)
        return min(held, self.tier or held, key=[*LIMITS].index)

    def refused_rotation(self, now: datetime) -> str | None:
        """Why nobody gets a successor of it."""
        trial = self.person.trial_of(self.holding)
        if trial is not None and trial.state(now) != "active":
            return "keys.trial_ended"
        if self.followed:
            return "keys.is_followed"
        return "keys.is_over" if self.revoked or self.is_expired(now) else None


@dataclass(eq=False)
class Trial:
    """A trial workspace."""

    id: UUID
    holding: Holding
    ends: datetime
    status: str = "active"
    extensions: int = 0

    def state(self, now: datetime) -> str:
        return "expired" if self.status == "active" and self.ends <= now else self.status

    def refused(self, move: str, now: datetime) -> str | None:
        """Why its owner may not: before anything that is about the move itself."""
        if self.state(now) != "active":
            return "trials.not_active"
        return "trials.no_more_extensions" if move == "extend" and self.extensions >= EXTENSIONS else None


@dataclass(eq=False)
class Person:
    """Somebody with a holder of their own."""

    id: UUID
    own: Holding
    proven: bool
    deleted: bool = False
    banned: datetime | None = None
    """Until when."""
    keys: list[Key] = field(default_factory=list)
    trials: list[Trial] = field(default_factory=list)

    def is_banned(self, now: datetime) -> bool:
        return self.banned is not None and now < self.banned

    def may_act(self, now: datetime) -> bool:
        """Whoever is shut out has no session."""
        return not self.deleted and not self.is_banned(now)

    def trial_of(self, holding: Holding) -> Trial | None:
        return next((one for one in self.trials if one.holding is holding), None)

    def holdings(self) -> list[Holding]:
        return [self.own, *(one.holding for one in self.trials)]

    def refused_start(self, now: datetime) -> str | None:
        if len(self.trials) >= EVER:
            return "trials.no_more"
        return "trials.too_many" if sum(one.state(now) == "active" for one in self.trials) >= MOST else None

    def refused_conversion(self, trial: Trial, wanted: str | None, now: datetime) -> str | None:
        held = self.own.plan_at(now)
        is_free = wanted in {None, held} or {wanted, held} <= FREE
        return trial.refused("convert", now) or (None if is_free else "trials.plan_not_free")

    def convert(self, trial: Trial, wanted: str | None, now: datetime) -> None:
        if wanted not in {None, self.own.plan_at(now)}:
            self.own.put_on(str(wanted))
        trial.status, trial.ends = "converted", now
        for key in self.keys:
            if key.holding is trial.holding:
                key.holding = self.own

    def prove(self, *, was_here: bool) -> None:
        self.proven = True
        for key in self.keys:
            key.pending = False
            # Whoever made them need not be who proved the address.
            key.revoked = key.revoked or not was_here


class Pace:
    """How many calls came in each process, by whose pace. Half an hour later all of it is over."""

    def __init__(self) -> None:
        self._came: Counter[Any] = Counter()

    def is_kept(self, process: int, key: Key, now: datetime) -> bool:
        return self._came[self._whose(process, key, now)] < PACE.calls

    def came(self, process: int, key: Key, now: datetime) -> None:
        if key.plan_at(now) == PACED:
            self._came[self._whose(process, key, now)] += 1

    def forget(self) -> None:
        self._came.clear()

    def _whose(self, process: int, key: Key, now: datetime) -> Any:
        held, bound = key.holding.plan_at(now), key.plan_at(now)
        return process, key.holding, bound if bound != held else None


def faults(key: Key, cost: int, now: datetime, *, scoped: bool, is_paced: bool) -> Iterator[str]:
    """All that is the matter with a call."""
    person, holding, trial = key.person, key.holding, key.person.trial_of(key.holding)
    found = {
        "keys.revoked": key.revoked,
        "keys.expired": key.is_expired(now),
        "keys.pending": key.pending,
        "keys.owner_closed": person.deleted,
        "keys.owner_banned": person.is_banned(now),
        "keys.trial_ended": trial is not None and trial.state(now) != "active",
        "keys.holder_suspended": holding.suspended,
        "keys.scope_missing": scoped and not key.scoped,
        "usage.burst_exceeded": key.plan_at(now) == PACED and not is_paced,
        "usage.quota_exceeded": cost > 0 and holding.used[now.date()] + cost > LIMITS[key.plan_at(now)],
    }
    assert list(found) == FAULTS
    return (code for code, is_so in found.items() if is_so)
