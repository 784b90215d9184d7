"""`/v1/sources` and `/v1/prices/{symbol}`."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel

from tenantry.kernel import Caller, Context, problems
from tenantry.kernel.problems import Unauthenticated
from tenantry.product import DataSource
from tenantry.usage import BurstExceeded, QuotaExceeded

from . import actions
from .errors import NoPriceNow, PlanTooSmall, SourceAway, SourceBusy, SourceNotFound, SourcePlanned, UnknownSymbol

router = APIRouter(tags=["sources"])


class SourceEntry(BaseModel):
    """One data source and whether the caller's plan may call it now.

    `state` is of this moment, as far as is known: `unavailable` while its upstream does not answer, until `retry_at`.
    """

    key: str
    name: str
    description: str
    availability: str
    status: str
    callable: bool
    state: Literal["ok", "unavailable"] | None = None
    retry_at: datetime | None = None


class SourceList(BaseModel):
    """The product's data sources, in declared order."""

    items: list[SourceEntry]
    next_cursor: None = None


class Price(BaseModel):
    """A price, with the figures of the last 24 hours where the source has them. Amounts are exact, as strings."""

    symbol: str
    price: str
    change_24h: str | None
    change_percent_24h: str | None
    volume_24h: str | None
    as_of: datetime
    age_seconds: float
    stale: bool
    source: str


@router.get("/v1/sources", responses=problems(Unauthenticated))
async def list_sources(ctx: Caller) -> SourceList:
    """List the data sources with their status."""
    return SourceList(items=[_entry(ctx, source) for source in ctx.product.sources])


@router.get(
    "/v1/prices/{symbol}",
    responses=problems(
        Unauthenticated,
        SourceNotFound,
        SourcePlanned,
        PlanTooSmall,
        BurstExceeded,
        QuotaExceeded,
        UnknownSymbol,
        NoPriceNow,
        SourceAway,
        SourceBusy,
    ),
)
async def read_price(
    ctx: Caller,
    response: Response,
    symbol: Annotated[str, Path(min_length=1, max_length=40, examples=["BTCUSDT"])],
    source: Annotated[
        str | None, Query(max_length=100, description="A source's key; the first active one if absent.")
    ] = None,
) -> Price:
    """Answer the current price of a symbol. Counts one unit of the quota."""
    priced = await actions.read_price(ctx, symbol, source_key=source)
    response.headers.update(priced.headers)
    quote = priced.reading.quote
    return Price(
        symbol=quote.symbol,
        price=f"{quote.price:f}",
        change_24h=_text(quote.change_24h),
        change_percent_24h=_text(quote.change_percent_24h),
        volume_24h=_text(quote.volume_24h),
        as_of=quote.as_of,
        age_seconds=round(priced.reading.age_seconds, 3),
        stale=priced.reading.is_stale,
        source=priced.source.key,
    )


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:f}"


def _entry(ctx: Context, source: DataSource) -> SourceEntry:
    standing = actions.standing_of(ctx, source)
    return SourceEntry(
        key=source.key,
        name=source.name,
        description=source.description,
        availability=source.availability,
        status=source.status,
        callable=source.status == "active" and ctx.product.plan_allows(ctx.holder.plan, source),
        state=None if standing is None else "ok" if standing.is_answering else "unavailable",
        retry_at=standing.retry_at if standing else None,
    )
