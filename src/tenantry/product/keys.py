"""What a product says about API keys and trials."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import timedelta

from .limits import Count, Meter
from .shapes import must_be, must_be_text, settle_list


@dataclass(frozen=True, slots=True)
class Scope:
    """Something that a key may be allowed: its name (`screen:write`), and in a sentence what it opens."""

    name: str
    description: str

    def __post_init__(self) -> None:
        must_be_text(self, "name", "description")


AUTHORIZE = Scope("authorize", "Ask about any API key of this product, and count calls on its holder's quota.")
"""A scope that every product with keys has. Only an operator issues a key with it: it is about everybody's keys."""


@dataclass(frozen=True, slots=True)
class Keys:
    """API keys, for programs. A product without them has no page and no route for keys.

    - `prefix`: what every key begins with, so that people and secret scanners know it ("acme" makes "acme_live_...");
      without one, made from the product's name.
    - `meter`: what a call made with a key is counted on; without one, the first Meter of the plans.
    - `count`: how many keys a holder may have that are not revoked; without one, any number.
    - `scopes`: what keys can be allowed, each on its own; a key without scopes is allowed everything that has none.
      `authorize` is always there, for the operator's own services, and is not declared.
    - `grace`: how long a rotated key works on beside its successor, unless who rotates it says otherwise.
    - `log_bodies`: whether the call log keeps request and response bodies that are JSON, without what looks like a
      secret, each up to `body_bytes_max`.
    - `calls_kept`: how long a call stays in the log; its hour stays in the charts as long as usage does.
    """

    prefix: str = ""
    _: KW_ONLY
    meter: Meter | None = None
    count: Count | None = None
    scopes: Sequence[Scope] = ()
    grace: timedelta = timedelta(hours=24)
    log_bodies: bool = False
    body_bytes_max: int = 4096
    calls_kept: timedelta = timedelta(days=30)

    def __post_init__(self) -> None:
        must_be_text(self, "prefix")
        must_be(self, "meter", self.meter, Meter, type(None))
        must_be(self, "count", self.count, Count, type(None))
        settle_list(self, "scopes", Scope)


@dataclass(frozen=True, slots=True)
class Trials:
    """Trial workspaces: a place of one's own to try the product in, with keys of its own.

    - `plan`: the name of the plan whose limits a workspace has, of the tier "standard".
    - `enterprise_plan`: the same of the tier "enterprise"; without one, `plan`.
    - `length`: how long a trial lasts from its beginning, and how long it is extended by.
    - `most`: how many active workspaces a person may have at a time; None, any number.
    - `ever`: how many a person may start in all, also those that are over; None, any number. Each one begins with the
      whole quota of its plan: who may start any number, one after the other, has as much as they care to ask for.
    - `extensions`: how often the owner may extend one, by up to `length` each time; None, as often as they like.
    - `reminders`: how long before its end the owner is told by mail.
    """

    plan: str
    _: KW_ONLY
    enterprise_plan: str = ""
    length: timedelta = timedelta(days=14)
    most: int | None = None
    ever: int | None = None
    extensions: int | None = 1
    reminders: Sequence[timedelta] = (timedelta(days=3), timedelta(days=1))

    def __post_init__(self) -> None:
        must_be_text(self, "plan", "enterprise_plan")
        settle_list(self, "reminders", timedelta)

    def plan_of(self, tier: str) -> str:
        """The name of the plan that workspaces of a tier are on."""
        return self.enterprise_plan or self.plan if tier == "enterprise" else self.plan
