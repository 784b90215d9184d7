"""Calling a data source: whether it may be called, then one unit of quota, then the source itself."""

import msgspec

from tenantry.kernel import Context
from tenantry.kernel.database import refuse_while_open
from tenantry.product import DataSource, Product
from tenantry.usage import Decision, consume, limit_headers

from .errors import NoPriceNow, PlanTooSmall, SourceAway, SourceNotFound, SourcePlanned, UnknownSymbol
from .feeds import Feeds
from .providers.base import NoPrice, Reading, SourceUnavailable, SymbolUnknown


class Priced(msgspec.Struct, frozen=True):
    """A reading and the decision that paid for it. `decision` None: the product meters no sources."""

    source: DataSource
    reading: Reading
    decision: Decision | None


async def read_price(ctx: Context, symbol: str, *, source_key: str | None = None) -> Priced:
    """A symbol's price from a source (without a key: the first active one). `ctx` must have no open unit.

    Refused in this order: no such source 404, planned 409, plan too small 403, quota used up 429. From then on the
    call is counted, whatever the source answers: unknown symbol 404, not traded 404, source away 503.
    """
    source = callable_source(ctx.product, ctx.holder.plan, source_key)
    meter = ctx.product.meter_of_sources
    decision = await consume(ctx, meter) if meter is not None else None
    headers = limit_headers(decision, ctx.clock.now()) if decision else {}
    refuse_while_open("asking a data source")
    try:
        reading = await ctx.port(Feeds).feed(source.key).quote(symbol)
    except SymbolUnknown:
        raise UnknownSymbol(headers=headers, symbol=symbol[:40]) from None
    except NoPrice:
        raise NoPriceNow(headers=headers, symbol=symbol[:40]) from None
    except SourceUnavailable as away:
        wait = max(1, round(away.retry_after or 5))
        raise SourceAway(
            internal=str(away), headers={**headers, "Retry-After": str(wait)}, source=source.key, reason=away.reason
        ) from away
    return Priced(source, reading, decision)


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
