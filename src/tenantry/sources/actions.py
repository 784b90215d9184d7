"""Calling a data source: whether it may be called, then one unit of quota, then the source itself."""

import math
from datetime import datetime, timedelta

import msgspec

from tenantry.kernel import Context
from tenantry.kernel.database import refuse_while_open
from tenantry.product import DataSource, Product
from tenantry.usage import Decision, consume, limit_headers

from .errors import NoPriceNow, PlanTooSmall, SourceAway, SourceBusy, SourceNotFound, SourcePlanned, UnknownSymbol
from .feeds import Feeds
from .providers.base import NoPrice, Reading, SourceUnavailable, SymbolUnknown

RETRY_SECONDS = 5
"""What a caller is told to wait where nobody knows."""


class Standing(msgspec.Struct, frozen=True):
    """Whether a source answers, as far as is known without asking it; `retry_at`: when it is asked again, if known."""

    is_answering: bool
    retry_at: datetime | None = None


class Priced(msgspec.Struct, frozen=True):
    """A reading and the decision that paid for it. `decision` None: the product meters no sources.

    `headers` tell how the caller stands.
    """

    source: DataSource
    reading: Reading
    decision: Decision | None
    headers: dict[str, str]


async def read_price(ctx: Context, symbol: str, *, source_key: str | None = None) -> Priced:
    """A symbol's price from a source (without a key: the first active one). `ctx` must have no open unit.

    Refused in this order: no such source 404, planned 409, plan too small 403, quota used up 429. From then on the
    call is counted, whatever the source answers: unknown symbol 404, not traded 404, source away 503, or busy 503:
    where what the upstream allows is nearly used up, calls of a plan with a higher priority go first.
    """
    source = callable_source(ctx.product, ctx.holder.plan, source_key)
    meter = ctx.product.meter_of_sources
    decision = await consume(ctx, meter) if meter is not None else None
    headers = {}
    if decision is not None:
        headers = limit_headers(decision, ctx.clock.now(), ctx.product.plan(decision.plan).burst)
    refuse_while_open("asking a data source")
    try:
        priority = ctx.product.plan(ctx.holder.plan).priority
        reading = await ctx.port(Feeds).feed(source.key).quote(symbol, priority=priority)
    except SymbolUnknown:
        raise UnknownSymbol(headers=headers, symbol=symbol[:40]) from None
    except NoPrice:
        raise NoPriceNow(headers=headers, symbol=symbol[:40]) from None
    except SourceUnavailable as away:
        headers = {**headers, "Retry-After": str(max(1, math.ceil(away.retry_after or RETRY_SECONDS)))}
        refused = SourceBusy if away.reason in ("short", "busy") else SourceAway
        raise refused(internal=str(away), headers=headers, source=source.key, reason=away.reason) from away
    return Priced(source, reading, decision, headers)


def standing_of(ctx: Context, source: DataSource) -> Standing | None:
    """How an active source stands; None for a planned one. Asks nobody."""
    if source.status != "active":
        return None
    trouble = ctx.port(Feeds).trouble(source.key)
    if trouble is None:
        return Standing(is_answering=True)
    after = trouble.retry_after
    return Standing(is_answering=False, retry_at=ctx.clock.now() + timedelta(seconds=after) if after else None)


def callable_source(product: Product, plan: str, key: str | None) -> DataSource:
    """The source, if holders of the plan may call it. Its status is checked before its availability."""
    source = _find(product, key)
    if source.status != "active":
        raise SourcePlanned(source=source.key)
    if not product.plan_allows(plan, source):
        raise PlanTooSmall(
            f"{source.name} needs the plan {product.plan(source.availability).display_name}.",
            source=source.key,
            plan=plan,
            needed=source.availability,
        )
    return source


def _find(product: Product, key: str | None) -> DataSource:
    if key is None:
        for source in product.sources:
            if source.status == "active":
                return source
        raise SourceNotFound("This product has no active data source.")
    try:
        return product.source(key)
    except KeyError:
        raise SourceNotFound from None
