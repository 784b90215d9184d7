"""How the figures of `tenantry billing revenue` read."""

from collections.abc import Iterator
from typing import Any

import msgspec

from tenantry.billing.revenue import Figures, Money, Month, Revenue

OTHER = "other"
"""What buys no declared plan."""


def revenue_document(found: Revenue) -> dict[str, Any]:
    """The figures as one JSON document, rates beside what they are made of."""
    return {
        "at": found.at.isoformat(),
        "total": _figures(found.total),
        "by_provider": {name: _figures(one) for name, one in found.by_provider.items()},
        "by_plan": {name or OTHER: _figures(one) for name, one in found.by_plan.items()},
    }


def revenue_lines(found: Revenue) -> Iterator[str]:
    """The same for people: what recurs now, by whom and by what, then month by month."""
    yield f"Monthly recurring revenue now: {_mrr(found.total)}; {_counted(found.total.trialing, 'trial')} running."
    for title, parts in (("By provider", found.by_provider), ("By plan", found.by_plan)):
        if parts:
            yield f"{title}: " + "; ".join(f"{name or OTHER} {_mrr(one)}" for name, one in parts.items())
    for month in found.total.months:
        yield from _month(month)


def _month(month: Month) -> Iterator[str]:
    who = month.customers
    yield ""
    yield f"{month.start:%Y-%m}" + ("" if month.end.day == 1 and month.end.hour == 0 else f" to {month.end:%Y-%m-%d}")
    yield (
        f"  customers  {who.start} +{who.new} new +{who.reactivated} back -{who.churned} left = {who.end}, "
        f"churn {_percent(who.churn_rate)}"
    )
    for currency, money in month.money.items():
        yield f"  {currency} recurring  {_movement(money)}, churn {_percent(money.churn_rate)}"
        per = "" if money.arpu is None else f"; by customer {_amount(money.arpu)}"
        yield f"  {currency} received   {_amount(money.received)} - {_amount(money.refunded)} given back{per}"
    tried = month.trials
    if tried.converted or tried.lapsed or tried.undecided:
        yield (
            f"  trials  {tried.converted} converted, {tried.lapsed} lapsed, {tried.undecided} undecided, "
            f"rate {_percent(tried.conversion_rate)}"
        )


def _movement(money: Money) -> str:
    steps = (
        ("+", money.new, "new"),
        ("+", money.expansion, "expansion"),
        ("-", money.contraction, "contraction"),
        ("-", money.churned, "churned"),
        ("+", money.reactivated, "back"),
    )
    moved = "".join(f" {sign}{_amount(amount)} {word}" for sign, amount, word in steps if amount)
    return f"{_amount(money.start)}{moved} = {_amount(money.end)}"


def _mrr(figures: Figures) -> str:
    return ", ".join(f"{_amount(amount)} {currency}" for currency, amount in figures.mrr.items()) or "nothing"


def _amount(minor: int) -> str:
    """In the smallest unit: how many make the currency's name is not the same for all."""
    return f"{minor:,}".replace(",", " ")


def _percent(rate: float | None) -> str:
    return "-" if rate is None else f"{rate:.1%}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _figures(figures: Figures) -> dict[str, Any]:
    return {"mrr": figures.mrr, "trialing": figures.trialing, "months": [_document(one) for one in figures.months]}


def _document(month: Month) -> dict[str, Any]:
    customers, trials = month.customers, month.trials
    return {
        "start": month.start.isoformat(),
        "end": month.end.isoformat(),
        "customers": {**msgspec.to_builtins(customers), "churn_rate": customers.churn_rate},
        "trials": {**msgspec.to_builtins(trials), "conversion_rate": trials.conversion_rate},
        "money": {
            currency: {**msgspec.to_builtins(one), "net": one.net, "arpu": one.arpu, "churn_rate": one.churn_rate}
            for currency, one in month.money.items()
        },
    }
