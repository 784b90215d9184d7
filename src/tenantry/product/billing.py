"""What a product says about being paid: through whom, and what it makes of a subscription's state."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import timedelta
from typing import Literal, TypeAlias

from .shapes import must_be, must_be_text, settle_list


@dataclass(frozen=True, slots=True)
class Stripe:
    """Paid through Stripe. Its key and webhook secrets come from the settings."""

    name: str = field(default="stripe", init=False)
    label: str = field(default="Stripe", init=False)


@dataclass(frozen=True, slots=True)
class Polar:
    """Paid through Polar, who sells in the product's stead. Its token and webhook secrets come from the settings."""

    name: str = field(default="polar", init=False)
    label: str = field(default="Polar", init=False)


@dataclass(frozen=True, slots=True)
class LemonSqueezy:
    """Paid through Lemon Squeezy, who sells in the product's stead. `store` is the number of the store there."""

    store: str = ""
    name: str = field(default="lemonsqueezy", init=False)
    label: str = field(default="Lemon Squeezy", init=False)

    def __post_init__(self) -> None:
        must_be_text(self, "store")


PaymentProvider: TypeAlias = Stripe | Polar | LemonSqueezy


@dataclass(frozen=True, slots=True)
class StatusWords:
    """What a subscription's state is called towards the outside, where programs expect words of their own.

    `scheduled` is one that is paid and will end: cancelled by its holder, and in force until then.
    """

    trialing: str = "trialing"
    active: str = "active"
    scheduled: str = "active"
    past_due: str = "past_due"
    unpaid: str = "unpaid"
    paused: str = "paused"
    incomplete: str = "incomplete"
    canceled: str = "canceled"
    expired: str = "expired"


Proration: TypeAlias = Literal["prorate", "invoice", "none"]
Offers: TypeAlias = Literal["plans", "products"]


@dataclass(frozen=True, slots=True)
class Billing:
    """Subscriptions and payments. A product without it has no checkout; plans are given by hand.

    - `providers`: who takes the money. The first takes new subscriptions; those of the others go on.
    - `several`: whether a holder may have several live subscriptions; else one at a time.
    - `grace`: how long a plan stays after a payment failed, from the day it is first known.
    - `proration`: what a change of plan in mid-period does when nobody says otherwise: "prorate" settles the rest of
      the period with the next invoice, "invoice" at once, "none" not at all.
    - `offers`: what can be bought. "plans": the prices that buy a declared plan. "products": those, and everything else
      that is active at the provider, by the period or paid once, so that a product made there needs no deploy.
    - `words`: what a subscription's state is called in the API beside the normal word.
    """

    providers: Sequence[PaymentProvider]
    _: KW_ONLY
    several: bool = False
    grace: timedelta = timedelta(days=7)
    proration: Proration = "prorate"
    offers: Offers = "plans"
    words: StatusWords = StatusWords()

    def __post_init__(self) -> None:
        settle_list(self, "providers", Stripe, Polar, LemonSqueezy)
        must_be(self, "grace", self.grace, timedelta)
        must_be(self, "words", self.words, StatusWords)

    def provider(self, name: str) -> PaymentProvider | None:
        """The declared provider of that name; None when there is none."""
        return next((one for one in self.providers if one.name == name), None)
