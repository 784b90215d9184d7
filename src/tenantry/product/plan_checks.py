"""The checks of plans, prices and limits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from .findings import Finding, choose, error, warning
from .limits import Gauge, Meter
from .plans import Burst, Plan, Price
from .words import CURRENCY, INTERVALS, NAME, NAME_RULE, PERIODS, is_count, is_switch, repeated

if TYPE_CHECKING:
    from .declaration import Product

LIMIT_MAX = 2**62
"""A limit above fits in no column, and the statement that reads it is also for others."""


def check_plans(product: Product) -> Iterator[Finding]:
    """The findings about plans as such: names, prices, features, which one is the default."""
    if not product.plans:
        yield error("plans", "There are no plans.", 'Add one, for example Plan("free", price=0).')
        return
    for index in repeated(plan.name for plan in product.plans):
        name = product.plans[index].name
        yield error(f"plans[{index}].name", f'Another plan is called "{name}" too.', "Rename one of them.")
    for index, plan in enumerate(product.plans):
        where = f"plans[{index}]"
        yield from _check_plan(where, plan)
        yield from _check_features(where, plan)
        yield from _check_price(f"{where}.price", plan.price)
        for position, price in enumerate(plan.other_prices):
            yield from _check_price(f"{where}.other_prices[{position}]", price)
        if plan.burst is not None:
            yield from _check_burst(where, plan.burst)
    yield from _check_lookups(product)
    yield from _check_default(product)


def check_limits(product: Product) -> Iterator[Finding]:
    """The findings about what the plans limit: names, windows, amounts, plans that forget one."""
    names = [limited.name for limited in product.limited]
    for index in repeated(names):
        yield error(
            _where(product.limited[index]),
            f'Two different things that plans limit are called "{names[index]}".',
            "Declare it once and use that object in every plan, or rename one of them.",
        )
    for limited in product.limited:
        if not NAME.fullmatch(limited.name):
            yield error(_where(limited), f'"{limited.name}" cannot be a name.', NAME_RULE)
        if isinstance(limited, Meter) and limited.per not in PERIODS:
            yield error(_where(limited), f'No window is as long as a "{limited.per}".', choose(limited.per, PERIODS))
        if isinstance(limited, Meter):
            yield from _check_notices(limited)
        if isinstance(limited, Gauge) and not NAME.fullmatch(limited.unit):
            yield error(_where(limited), f'"{limited.unit}" cannot be a unit.', NAME_RULE)
    for index, plan in enumerate(product.plans):
        yield from _check_amounts(f"plans[{index}].limits", plan)
        yield from _check_forgotten(f"plans[{index}].limits", plan, product)
    meter = product.meter_of_sources
    if product.plans and meter is not None and meter not in product.limited:
        yield error(
            "meter_of_sources",
            f'No plan limits "{meter.name}".',
            "Add it to the limits of the plans, or leave meter_of_sources out.",
        )


def _check_notices(meter: Meter) -> Iterator[Finding]:
    percents = list(meter.notices)
    refused = [one for one in percents if not is_count(one) or not 1 <= one <= 100]
    for one in refused:
        yield error(_where(meter), f"Nobody can be told at {one!r} percent.", "Write whole numbers from 1 to 100.")
    if not refused and percents != sorted(set(percents)):
        yield error(
            _where(meter),
            f"The notices are told at {', '.join(map(str, percents))} percent.",
            f"Write each once, the smallest first: {tuple(sorted(set(percents)))}.",
        )


def _check_plan(where: str, plan: Plan) -> Iterator[Finding]:
    if not NAME.fullmatch(plan.name):
        yield error(f"{where}.name", f'"{plan.name}" cannot be a name.', f"{NAME_RULE} People see display_name.")
    if not is_switch(plan.is_active):
        yield error(f"{where}.is_active", f"{plan.is_active!r} is neither True nor False.", "Write True or False.")
    if not is_count(plan.priority):
        yield error(
            f"{where}.priority", f"{plan.priority!r} is not a whole number.", "Write 0, or more for who goes first."
        )


def _check_features(where: str, plan: Plan) -> Iterator[Finding]:
    features: Sequence[object] = plan.features
    for index, feature in enumerate(features):
        if not isinstance(feature, str) or not feature.strip():
            yield error(
                f"{where}.features[{index}]", f"{feature!r} is not a line of text.", "Write a line, or remove it."
            )


def _check_price(where: str, price: object) -> Iterator[Finding]:
    amount = price.amount if isinstance(price, Price) else price
    if price is not None and not is_count(amount):
        yield error(
            where,
            f"{amount!r} is not a whole number.",
            "Write minor units: 999 is 9.99. None means: to be announced.",
        )
    elif is_count(amount) and amount < 0:
        yield error(where, f"The price is negative: {amount}.", "Write 0 for a free plan.")
    if not isinstance(price, Price):
        return
    if not CURRENCY.fullmatch(price.currency):
        yield error(
            where,
            f'"{price.currency}" is no currency.',
            "Use its ISO 4217 code: three capital letters, such as USD or EUR.",
        )
    if price.interval not in INTERVALS:
        yield error(where, f'Nothing is charged every "{price.interval}".', choose(price.interval, INTERVALS))
    if price.lookup is not None and not price.lookup.strip():
        yield error(where, "The lookup key is empty.", "Write the provider's lookup key, or leave it out.")


def _check_burst(where: str, burst: Burst) -> Iterator[Finding]:
    for field, value in (("calls", burst.calls), ("seconds", burst.seconds)):
        if not is_count(value) or value <= 0:
            yield error(f"{where}.burst.{field}", f"{value!r} is not a whole number above 0.", "Write 1 or more.")


def _check_lookups(product: Product) -> Iterator[Finding]:
    doubles = set(repeated(plan.name for plan in product.plans))
    keyed = [
        (index, plan.lookup_of(price))
        for index, plan in enumerate(product.plans)
        if index not in doubles
        for price in plan.prices
        if isinstance(price, Price)
    ]
    for position in repeated(lookup for _, lookup in keyed):
        index, lookup = keyed[position]
        yield error(
            f"plans[{index}].price",
            f'Another price has the lookup key "{lookup}" too.',
            "A payment must lead to one plan: give each price its own key.",
        )


def _check_default(product: Product) -> Iterator[Finding]:
    name = product.default_plan
    if name not in product.order:
        yield error("default_plan", f'There is no plan "{name}".', choose(name, product.order))
        return
    plan = product.default
    if plan.is_active is False:
        yield error(
            "default_plan", f'The plan "{name}" is not active, yet everyone new gets it.', "Choose an active plan."
        )
    amount = plan.price.amount if isinstance(plan.price, Price) else plan.price
    if amount != 0:
        yield warning(
            "default_plan",
            f'Everyone without a subscription gets the plan "{name}", which is not free.',
            "Choose a plan whose price is 0, unless you mean it.",
        )


def _check_amounts(where: str, plan: Plan) -> Iterator[Finding]:
    for limited, amount in plan.limits.items():
        if amount is not None and (not is_count(amount) or amount <= 0):
            yield error(
                where,
                f'The limit of "{limited.name}" is {amount!r}, not a whole number above 0.',
                "Write how many, or UNLIMITED.",
            )
        elif amount is not None and amount > LIMIT_MAX:
            yield error(where, f'The limit of "{limited.name}" is more than is ever counted.', "Write UNLIMITED.")


def _check_forgotten(where: str, plan: Plan, product: Product) -> Iterator[Finding]:
    known = {limited.name for limited in plan.limits}
    for limited in product.limited:
        # Two meters of one name are told once, where they clash.
        if limited in plan.limits or limited.name in known:
            continue
        other = next(each.name for each in product.plans if limited in each.limits)
        yield error(
            where,
            f'The plan "{plan.name}" says nothing about "{limited.name}", which the plan "{other}" limits.',
            f"Add a limit for {limited.name}, or UNLIMITED.",
        )


def _where(limited: object) -> str:
    return f"{type(limited).__name__}({getattr(limited, 'name', '')!r})"
