"""How recurring revenue moved from month to month: a pure function of what each subscription cost, and when."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Literal, TypeAlias

import msgspec

from ..terms.worth import Term, at_each
from .shapes import Customers, Money

Group: TypeAlias = tuple[str, str | None]
"""What figures are split by: a provider and a plan."""
Kind: TypeAlias = Literal["new", "reactivated", "churned", "changed"]


class Line(msgspec.Struct):
    """What one customer pays in one group and currency: minor units, subscriptions, those by use, at each time."""

    worth: list[int]
    subscriptions: list[int]
    by_use: list[int]


class Payer:
    """What one customer pays and paid. `first`: since when anything was paid, by currency."""

    def __init__(self) -> None:
        self.lines: dict[tuple[str, Group], Line] = {}
        self.first: dict[str, datetime] = {}


def payers(
    histories: Iterable[Sequence[Term]], times: Sequence[datetime], plan_of: Callable[[Term], str | None]
) -> list[Payer]:
    """Everybody who ever paid, with what was paid for at each of the times."""
    found: dict[str, Payer] = defaultdict(Payer)
    for terms in histories:
        # Whoever has it in the end had it all along: a purchase may be linked late.
        payer = found[terms[-1].payer]
        for term in terms:
            if term.currency is not None:
                payer.first[term.currency] = min(term.since, payer.first.get(term.currency, term.since))
        for position, one in enumerate(at_each(terms, times)):
            if one is not None and one.currency is not None:
                key = one.currency, (one.provider, plan_of(one))
                line = payer.lines.setdefault(key, Line(*([0] * len(times) for _ in range(3))))
                line.worth[position] += one.monthly
                line.subscriptions[position] += 1
                line.by_use[position] += one.amount_minor is None
    return list(found.values())


def money_moved(
    everybody: Sequence[Payer], times: Sequence[datetime], position: int, wanted: Callable[[Group], bool]
) -> dict[str, Money]:
    """The movement by currency between two neighbouring times, in the groups that are wanted.

    Whether somebody is new or has left is decided by all that they pay in that currency. Who changes from one plan to
    another is therefore neither: the one plan contracts, the other expands, and all together move by the difference.
    """
    sums: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for payer in everybody:
        for currency in {currency for currency, _ in payer.lines}:
            kind = _kind(payer, currency, times, position)
            lines = [line for (of, group), line in payer.lines.items() if of == currency and wanted(group)]
            _add(sums[currency], kind, lines, position)
    return {currency: Money(**found) for currency, found in sorted(sums.items()) if any(found.values())}


def customers_moved(
    everybody: Sequence[Payer], times: Sequence[datetime], position: int, wanted: Callable[[Group], bool]
) -> Customers:
    """The same, counted in customers, whatever they pay in."""
    counts = {"start": 0, "new": 0, "reactivated": 0, "churned": 0, "end": 0}
    for payer in everybody:
        before, after = (_pays(payer, at, wanted) for at in (position, position + 1))
        paid, pays = (_pays(payer, at, lambda _: True) for at in (position, position + 1))
        counts["start"] += before
        counts["end"] += after
        counts["churned"] += before and not pays
        if after and not paid:
            is_new = min(payer.first.values()) >= times[position]
            counts["new" if is_new else "reactivated"] += 1
    return Customers(**counts)


def _kind(payer: Payer, currency: str, times: Sequence[datetime], position: int) -> Kind:
    own = [line for (of, _), line in payer.lines.items() if of == currency]
    before, after = (any(line.subscriptions[at] for line in own) for at in (position, position + 1))
    if before and after:
        return "changed"
    if before:
        return "churned"
    return "new" if payer.first[currency] >= times[position] else "reactivated"


def _add(sums: dict[str, int], kind: Kind, lines: Sequence[Line], position: int) -> None:
    before, after = (sum(line.worth[at] for line in lines) for at in (position, position + 1))
    counted = sum(line.subscriptions[position + 1] for line in lines)
    sums["start"] += before
    sums["end"] += after
    sums["subscriptions"] += counted
    sums["by_use"] += sum(line.by_use[position + 1] for line in lines)
    sums["customers"] += counted > 0
    moved = after - before
    if kind == "churned":
        sums["churned"] -= moved
    elif kind != "changed":
        sums[kind] += moved
    elif moved > 0:
        sums["expansion"] += moved
    else:
        sums["contraction"] -= moved


def _pays(payer: Payer, position: int, wanted: Callable[[Group], bool]) -> bool:
    return any(line.subscriptions[position] for (_, group), line in payer.lines.items() if wanted(group))
