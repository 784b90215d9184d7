"""What is sold: plans, their prices, how fast a caller may be."""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import timedelta
from typing import Literal

from .limits import Count, Gauge, Limited, Meter
from .shapes import FrozenMapping, must_be, must_be_text, settle, settle_list


@dataclass(frozen=True, slots=True)
class Price:
    """What a plan costs: `amount` in minor units (cents) of `currency`, charged every `interval`.

    `lookup` is the lookup key by which the payment provider's own price is found, so that test and live mode
    share one declaration; without one it is made of plan and interval (`pro_month`). Amounts below 0, currencies that
    are not three capital letters and two prices with one `lookup` are findings of `Product.check()`.
    """

    amount: int
    currency: str = "USD"
    interval: Literal["day", "week", "month", "year"] = "month"
    lookup: str | None = None

    def __post_init__(self) -> None:
        must_be_text(self, "currency", "interval")
        must_be(self, "lookup", self.lookup, str, type(None))


@dataclass(frozen=True, slots=True)
class Burst:
    """How fast a caller may be: `calls` calls at once, and from then on `calls` every `seconds` seconds, evenly.

    Each process counts for itself, a call as one whatever it costs. What is too fast is refused (429) before the quota
    is asked, and not counted.
    """

    calls: int
    seconds: int = 1


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan: its price, its limits, the lines that describe it.

    - `price`: a `Price`, or a whole number of US cents a month; 0 is free, None is "to be announced".
    - `limits`: for each Meter, Gauge or Count a whole number above 0, or UNLIMITED.
    - `features`: the lines on the pricing page, in order.
    - `display_name`: as shown to people; without one, made from `name` ("early_bird" shows as "Early Bird").
    - `is_active`: an inactive plan is not offered any more; who holds it keeps it.
    - `priority`: where calls must wait for a scarce upstream, a higher number goes first.
    - `burst`: how fast a caller may be; None = no limit.
    - `other_prices`: further prices that buy the same plan: by the year, in another currency.
    - `trial`: how long the first subscription of a holder to this plan is free, in whole days; once a holder.
    - `credits`: how many credits every paid period brings, where the price's metadata says nothing of them.
    """

    name: str
    _: KW_ONLY
    price: Price | int | None
    limits: Mapping[Limited, int | None] = field(default_factory=dict)
    features: Sequence[str] = ()
    display_name: str = ""
    is_active: bool = True
    priority: int = 0
    burst: Burst | None = None
    other_prices: Sequence[Price] = ()
    trial: timedelta = timedelta(0)
    credits: int = 0

    def __post_init__(self) -> None:
        must_be_text(self, "name")
        must_be(self, "limits", self.limits, Mapping)
        for index, limited in enumerate(self.limits):
            must_be(self, f"limits, key {index + 1}", limited, Meter, Gauge, Count)
        settle(self, "limits", FrozenMapping(self.limits))
        settle_list(self, "features", object)
        must_be(self, "burst", self.burst, Burst, type(None))
        settle_list(self, "other_prices", Price)
        must_be(self, "trial", self.trial, timedelta)
        settle(self, "display_name", self.display_name or self.name.replace("_", " ").title())
        must_be_text(self, "display_name")

    @property
    def priced(self) -> Price | None:
        """The price as a `Price`, also where it was declared as a number; None = to be announced."""
        return Price(self.price) if isinstance(self.price, int) else self.price

    @property
    def prices(self) -> tuple[Price, ...]:
        """Every price that buys the plan, its own first; none for one that is to be announced."""
        own = self.priced
        return (own, *self.other_prices) if own else tuple(self.other_prices)

    def lookup_of(self, price: Price) -> str:
        """The lookup key of one of the plan's prices, as declared or made."""
        return price.lookup or f"{self.name}_{price.interval}"

    @property
    def is_free(self) -> bool:
        """True for a price of 0; a price to be announced is not free."""
        return self.priced is not None and self.priced.amount == 0
