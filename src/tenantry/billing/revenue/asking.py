"""Reading what the figures are made of, page by page, and putting them together."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TypeAlias
from uuid import UUID

import msgspec

from tenantry.kernel import Context
from tenantry.product import Product

from ..plans import plan_of
from ..queries import catalogue, inbox
from ..queries import revenue as queries
from ..queries.revenue import Received, TrialRow
from ..terms.worth import Term, histories
from .movement import Group, Payer, customers_moved, money_moved, payers
from .shapes import Figures, Money, Month, Revenue, Trials

MONTHS_MAX = 120
PAGE = 5_000
_TICK = timedelta(microseconds=1)

Wanted: TypeAlias = Callable[[Group], bool]
Plans: TypeAlias = dict[UUID, str | None]


class _Read(msgspec.Struct, frozen=True):
    """All that was read. `times`: the first moments of the months, and right after now."""

    at: datetime
    times: list[datetime]
    everybody: list[Payer]
    received: list[tuple[int, Group, Received]]
    trials: list[tuple[Group, TrialRow]]


async def revenue(ctx: Context, *, months: int = 12) -> Revenue:
    """The figures of so many months, the running one among them; `ctx` has no open unit.

    Months are those of UTC. Read with bounded statements; whoever calls this has the right to know.
    """
    async with ctx.service(writes=False) as reading:
        found = await _read(reading, min(max(months, 1), MONTHS_MAX))
    groups = {group for payer in found.everybody for _, group in payer.lines}
    groups |= {group for _, group, _ in found.received} | {group for group, _ in found.trials}
    providers = sorted({provider for provider, _ in groups})
    plans = [one for one in ctx.product.order if any(plan == one for _, plan in groups)]
    return Revenue(
        at=found.at,
        total=_figures(found, lambda _: True),
        by_provider={one: _figures(found, _of_provider(one)) for one in providers},
        by_plan={one: _figures(found, _of_plan(one)) for one in (*plans, *([None] if _has_others(groups) else []))},
    )


def month_starts(at: datetime, months: int) -> list[datetime]:
    """The first moments of so many months in UTC, the one of `at` last."""
    number = at.year * 12 + at.month - 1
    return [
        at.replace(year=one // 12, month=one % 12 + 1, day=1, hour=0, minute=0, second=0, microsecond=0)
        for one in range(number - months + 1, number + 1)
    ]


async def _read(ctx: Context, months: int) -> _Read:
    at = await inbox.database_now(ctx.db)
    times = [*month_starts(at, months), at + _TICK]
    plans = _plans(ctx.product, await catalogue.all_prices(ctx.db))
    terms: list[Term] = []
    after = queries.FIRST
    while page := await queries.terms(ctx.db, after=after, limit=PAGE):
        terms += page
        after = (page[-1].provider, page[-1].subscription_external_id, page[-1].since)
    everybody = payers(histories(terms), times, lambda one: _named(plans, one.price_id))
    received = [
        (position, (one.provider, _named(plans, one.price_id)), one)
        for position, (start, end) in enumerate(pairwise(times))
        for one in await queries.received(ctx.db, start, end)
    ]
    trials: list[tuple[Group, TrialRow]] = []
    last = queries.FIRST_ID
    while rows := await queries.trials(ctx.db, times[0], after=last, limit=PAGE):
        trials += [((one.provider, _named(plans, one.price_id)), one) for one in rows]
        last = rows[-1].id
    return _Read(at, times, everybody, received, trials)


def _figures(found: _Read, wanted: Wanted) -> Figures:
    trials = [one for group, one in found.trials if wanted(group)]
    months = [
        Month(
            start=found.times[position],
            end=min(found.times[position + 1], found.at),
            money=_money(found, position, wanted),
            customers=customers_moved(found.everybody, found.times, position, wanted),
            trials=_trials_of(trials, found, position),
        )
        for position in range(len(found.times) - 1)
    ]
    return Figures(months=months, trialing=sum(one.is_running(found.at) for one in trials))


def _money(found: _Read, position: int, wanted: Wanted) -> dict[str, Money]:
    moved = money_moved(found.everybody, found.times, position, wanted)
    paid: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for at, group, one in found.received:
        if at == position and wanted(group):
            paid[one.currency][0] += one.amount_minor
            paid[one.currency][1] += one.refunded_minor
    for currency, (received, refunded) in paid.items():
        money = moved.get(currency, Money())
        moved[currency] = msgspec.structs.replace(money, received=received, refunded=refunded)
    return dict(sorted(moved.items()))


def _trials_of(trials: Sequence[TrialRow], found: _Read, position: int) -> Trials:
    start, end = found.times[position], found.times[position + 1]
    ended = [one.outcome for one in trials if one.is_over(found.at) and start <= one.ended < end]
    return Trials(converted=ended.count("converted"), lapsed=ended.count("lapsed"), undecided=ended.count("undecided"))


def _plans(product: Product, prices: Sequence[catalogue.StoredPrice]) -> Plans:
    return {
        one.id: plan_of(
            product,
            external_id=one.external_id,
            lookup=one.lookup,
            details=one.details,
            of_product=one.product_details,
        )
        for one in prices
    }


def _named(plans: Plans, price: UUID | None) -> str | None:
    return None if price is None else plans.get(price)


def _of_provider(wanted: str) -> Wanted:
    return lambda group: group[0] == wanted


def _of_plan(wanted: str | None) -> Wanted:
    return lambda group: group[1] == wanted


def _has_others(groups: set[Group]) -> bool:
    return any(plan is None for _, plan in groups)
