"""The product declaration: the one typed file a developer writes."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Literal, TypeVar

from .billing import Billing
from .checks import check_product
from .credits import Credits
from .findings import Finding
from .keys import Keys, Trials
from .limits import Count, Gauge, Limited, Meter
from .organizations import Organizations
from .plans import Plan
from .shapes import FrozenMapping, must_be, must_be_text, settle, settle_list
from .sign_in import GitHub, Google, MagicLink, OpenIDConnect, Passkey, Password, Provider, SignIn
from .sources import DataSource

L = TypeVar("L", Meter, Gauge, Count)
W = TypeVar("W", Password, MagicLink, Passkey)


@dataclass(frozen=True)
class Product:
    """Everything that makes one product this product. Pure data: no environment, no side effect, nothing secret.

    - `sign_in`: the ways in, in the order of the buttons.
    - `plans`: in ascending order; what a plan may do, every later one may too.
    - `session_lifetime`: from sign-in, or from the last use when `sliding`.
    - `session_lifetime_max`: how long after sign-in a `sliding` session ends for good, however often it is used.
    - `sources`: the data on offer, in the order of the dashboard.
    - `default_plan`: the name of the plan of everyone who has no other; without one, the first plan.
    - `billed`: who holds a plan, its quotas, keys and subscriptions: the "user" or the "organization".
    - `tagline`, `description`: for the landing page.
    - `meter_of_sources`: what one call of a source is counted on; without one, the first Meter of the plans.
    - `keys`: API keys for programs; None, the product has none.
    - `trials`: trial workspaces; None, the product has none.
    - `billing`: subscriptions and payments; None, plans are given by hand.
    - `organizations`: people who belong together; None, the product has none, unless it bills them.
    - `credits`: units that are granted, spent and expire; None, the product has none.
    - `modules`: the author's own `tenantry.kernel.Module`s, plugged in after the built-in ones.

    Declared lists become tuples. A value of a wrong type raises TypeError at its line; everything else that is
    wrong is told by `check()`, all at once.
    """

    name: str
    _: KW_ONLY
    sign_in: Sequence[SignIn] = ()
    plans: Sequence[Plan] = ()
    session_lifetime: timedelta = timedelta(minutes=60)
    sliding: bool = False
    session_lifetime_max: timedelta = timedelta(days=90)
    sources: Sequence[DataSource] = ()
    default_plan: str = ""
    billed: Literal["user", "organization"] = "user"
    tagline: str = ""
    description: str = ""
    meter_of_sources: Meter | None = None
    keys: Keys | None = None
    trials: Trials | None = None
    billing: Billing | None = None
    organizations: Organizations | None = None
    credits: Credits | None = None
    # What an author's Module holds is not ours to hash.
    modules: Sequence[object] = field(default=(), hash=False)

    def __post_init__(self) -> None:
        must_be_text(self, "name", "billed", "tagline", "description")
        settle_list(self, "sign_in", Google, GitHub, OpenIDConnect, Password, MagicLink, Passkey)
        settle_list(self, "plans", Plan)
        settle_list(self, "sources", DataSource)
        settle_list(self, "modules", object)
        settle(self, "default_plan", self.default_plan or (self.plans[0].name if self.plans else ""))
        must_be_text(self, "default_plan")
        must_be(self, "meter_of_sources", self.meter_of_sources, Meter, type(None))
        must_be(self, "keys", self.keys, Keys, type(None))
        must_be(self, "trials", self.trials, Trials, type(None))
        must_be(self, "billing", self.billing, Billing, type(None))
        must_be(self, "organizations", self.organizations, Organizations, type(None))
        if self.billed == "organization":
            settle(self, "organizations", self.organizations or Organizations())
        must_be(self, "credits", self.credits, Credits, type(None))
        settle(self, "meter_of_sources", self.meter_of_sources or next(iter(self.meters), None))

    def check(self) -> list[Finding]:
        """Everything that is wrong with the declaration itself, all at once, each with its fix; needs no settings."""
        return check_product(self)

    def plan(self, name: str) -> Plan:
        """The plan called `name`, also an inactive one; the default plan when the declaration knows no such name.

        Raises LookupError when there are no plans at all.
        """
        return self._plans.get(name) or self.default

    @property
    def default(self) -> Plan:
        """The plan of everyone who has no other; LookupError when there are no plans at all."""
        if not self.plans:
            raise LookupError(f"the product {self.name!r} declares no plans")
        return self._plans.get(self.default_plan) or self.plans[0]

    @cached_property
    def providers(self) -> tuple[Provider, ...]:
        """The ways in that somebody else vouches for, in declared order."""
        return tuple(way for way in self.sign_in if isinstance(way, Google | GitHub | OpenIDConnect))

    def way_in(self, kind: type[W]) -> W | None:
        """The declared `Password()`, `MagicLink()` or `Passkey()`; None when the product does not offer it."""
        return next((way for way in self.sign_in if isinstance(way, kind)), None)

    @cached_property
    def key_prefix(self) -> str:
        """What the product's API keys begin with: as declared, or made from the name ("Acme Data" makes "acmedata")."""
        declared = self.keys.prefix if self.keys else ""
        made = "".join(one for one in self.name.lower() if one.isascii() and one.isalnum()).lstrip("0123456789")
        return declared or made[:16] or "key"

    @property
    def meter_of_keys(self) -> Meter | None:
        """What a call made with a key is counted on; None where no plan limits a meter."""
        declared = self.keys.meter if self.keys else None
        return declared or next(iter(self.meters), None)

    @cached_property
    def order(self) -> FrozenMapping[str, int]:
        """Plan names in declared order, each with its rank: 0 is the first declared."""
        return FrozenMapping({name: rank for rank, name in enumerate(self._plans)})

    def plan_allows(self, plan_name: str, source: DataSource) -> bool:
        """Whether holders of that plan may call the source: its `availability` is their plan or an earlier one.

        An unknown plan counts as the default plan. An `availability` that names no plan allows nobody. Says nothing
        about `status`: a planned source is refused before this is asked.
        """
        if source.availability not in self.order:
            return False
        return self.order[self.plan(plan_name).name] >= self.order[source.availability]

    def source(self, key: str) -> DataSource:
        """The source with that key; KeyError when there is none."""
        for source in self.sources:
            if source.key == key:
                return source
        raise KeyError(key)

    def limit(self, plan_name: str, limited: Limited) -> int | None:
        """What the plan allows of it; None is UNLIMITED.

        An unknown plan counts as the default plan. A plan that says nothing about `limited` allows nothing: 0.
        """
        return self.plan(plan_name).limits.get(limited, 0)

    def meter(self, name: str) -> Meter:
        """The Meter called `name`; KeyError when no plan limits one. Gauges and Counts are not meters."""
        for meter in self.meters:
            if meter.name == name:
                return meter
        raise KeyError(name)

    @cached_property
    def limited(self) -> tuple[Limited, ...]:
        """Everything the plans limit, each once, in the order of its first mention."""
        return tuple(dict.fromkeys(limited for plan in self.plans for limited in plan.limits))

    @cached_property
    def meters(self) -> tuple[Meter, ...]:
        """The flows among `limited`."""
        return self._limited_by(Meter)

    @property
    def gauges(self) -> tuple[Gauge, ...]:
        """The stocks among `limited`."""
        return self._limited_by(Gauge)

    @property
    def counts(self) -> tuple[Count, ...]:
        """The numbers of rows among `limited`."""
        return self._limited_by(Count)

    @cached_property
    def _plans(self) -> dict[str, Plan]:
        plans: dict[str, Plan] = {}
        for plan in self.plans:
            # Of two plans with one name the first stands; check() refuses the second.
            plans.setdefault(plan.name, plan)
        return plans

    def _limited_by(self, kind: type[L]) -> tuple[L, ...]:
        return tuple(each for each in self.limited if isinstance(each, kind))
