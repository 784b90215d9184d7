"""The figures, as they are answered. Money is whole minor units; currencies are never added to each other."""

from datetime import datetime

import msgspec


class Money(msgspec.Struct, frozen=True, kw_only=True):
    """A month's recurring revenue in one currency, in minor units a month, and the payments of that month.

    `end` = `start` + `new` + `expansion` - `contraction` - `churned` + `reactivated`, always. What a customer pays:

    - `new`: nothing ever before. `reactivated`: nothing at the start, but something once before.
    - `churned`: nothing at the end. `expansion`, `contraction`: more, or less, than at the start.

    `subscriptions`: those that pay at the end; `by_use`: how many of them have no amount of their own, being charged by
    use or by tiers, and count 0. `received`: what was paid in the month, taxes too; `refunded`: how much of *that* was
    given back, whenever that was.
    """

    start: int = 0
    new: int = 0
    expansion: int = 0
    contraction: int = 0
    churned: int = 0
    reactivated: int = 0
    end: int = 0
    subscriptions: int = 0
    by_use: int = 0
    customers: int = 0
    received: int = 0
    refunded: int = 0

    @property
    def churn_rate(self) -> float | None:
        """Revenue churn, gross: (`churned` + `contraction`) / `start`; None where nothing could be lost."""
        return (self.churned + self.contraction) / self.start if self.start else None

    @property
    def arpu(self) -> int | None:
        """Recurring revenue at the end by paying customer, rounded down to the minor unit; None without any."""
        return self.end // self.customers if self.customers else None

    @property
    def net(self) -> int:
        """What was paid in the month, without what was given back of it."""
        return self.received - self.refunded


class Customers(msgspec.Struct, frozen=True, kw_only=True):
    """Customers who pay, in any currency; somebody with two subscriptions is one.

    `end` = `start` + `new` + `reactivated` - `churned` of all figures together. Of one provider or plan, who moved to
    or from another one makes the difference: nobody has churned who pays for something else.
    """

    start: int = 0
    new: int = 0
    reactivated: int = 0
    churned: int = 0
    end: int = 0

    @property
    def churn_rate(self) -> float | None:
        """Customer churn: of those who paid at the start, how many pay nothing at the end; None where nobody paid."""
        return self.churned / self.start if self.start else None


class Trials(msgspec.Struct, frozen=True, kw_only=True):
    """Trials that ended in a month: `converted`, something was paid; `lapsed`, nothing was, and it is over.

    `undecided`: nothing was paid yet, and the subscription goes on, or its end was not told.
    """

    converted: int = 0
    lapsed: int = 0
    undecided: int = 0

    @property
    def conversion_rate(self) -> float | None:
        """`converted` / (`converted` + `lapsed`); None where none is decided."""
        decided = self.converted + self.lapsed
        return self.converted / decided if decided else None


class Month(msgspec.Struct, frozen=True, kw_only=True):
    """A month from `start` (UTC) to `end`: the next one's first moment, or now. `money` by currency."""

    start: datetime
    end: datetime
    money: dict[str, Money]
    customers: Customers
    trials: Trials


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """The months, oldest first; the last is the one that goes on. `trialing`: trials that run now."""

    months: list[Month]
    trialing: int = 0

    @property
    def mrr(self) -> dict[str, int]:
        """Monthly recurring revenue now, by currency."""
        return {currency: money.end for currency, money in self.months[-1].money.items() if money.subscriptions}


class Revenue(msgspec.Struct, frozen=True, kw_only=True):
    """All of it together, by provider, and by plan (`None`: what buys no declared plan). `at`: the database's time."""

    at: datetime
    total: Figures
    by_provider: dict[str, Figures]
    by_plan: dict[str | None, Figures]
