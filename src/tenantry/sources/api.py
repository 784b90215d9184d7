"""`/v1/sources` and `/v1/prices/{symbol}`."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel

from tenantry.kernel import Read, SignedIn, problems
from tenantry.kernel.problems import Unauthenticated
from tenantry.usage import QuotaExceeded, limit_headers

from . import actions
from .errors import NoPriceNow, PlanTooSmall, SourceAway, SourceNotFound, SourcePlanned, UnknownSymbol

router = APIRouter(tags=["sources"])


class SourceEntry(BaseModel):
    """One data source and whether the caller's plan may call it now."""

    key: str
    name: str
    description: str
    availability: str
    status: str
    callable: bool


class SourceList(BaseModel):
    """The product's data sources, in declared order."""

    items: list[SourceEntry]
    next_cursor: None = None


class Price(BaseModel):
    """A pair's figures over the last 24 hours. Amounts are exact decimals, written as strings."""

    symbol: str
    price: str
    change_24h: str
    change_percent_24h: str
    volume_24h: str
    as_of: datetime
    age_seconds: float
    stale: bool
    source: str


@router.get("/v1/sources", responses=problems(Unauthenticated))
async def list_sources(ctx: Read) -> SourceList:
    """List the data sources with their status."""
    product, plan = ctx.product, ctx.holder.plan
    return SourceList(
        items=[
            SourceEntry(
                key=source.key,
                name=source.name,
                description=source.description,
                availability=source.availability,
                status=source.status,
                callable=source.status == "active" and product.plan_allows(plan, source),
            )
            for source in product.sources
        ]
    )


@router.get(
    "/v1/prices/{symbol}",
    responses=problems(
        Unauthenticated,
        SourceNotFound,
        SourcePlanned,
        PlanTooSmall,
        QuotaExceeded,
        UnknownSymbol,
        NoPriceNow,
        SourceAway,
    ),
)
async def read_price(
    ctx: SignedIn,
    response: Response,
    symbol: Annotated[str, Path(min_length=1, max_length=40, examples=["BTCUSDT"])],
    source: Annotated[
        str | None, Query(max_length=100, description="A source's key; the first active one if absent.")
    ] = None,
) -> Price:
    """Answer the current price of a symbol. Counts one unit of the quota."""
    priced = await actions.read_price(ctx, symbol, source_key=source)
    if priced.decision:
        response.headers.update(limit_headers(priced.decision, ctx.clock.now()))
    quote = priced.reading.quote
    return Price(
        symbol=quote.symbol,
        price=f"{quote.price:f}",
        change_24h=f"{quote.change_24h:f}",
        change_percent_24h=f"{quote.change_percent_24h:f}",
        volume_24h=f"{quote.volume_24h:f}",
        as_of=quote.as_of,
        age_seconds=round(priced.reading.age_seconds, 3),
        stale=priced.reading.is_stale,
        source=priced.source.key,
    )
