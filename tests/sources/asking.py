"""What the tests of sources share."""

import asyncio
from uuid import UUID

import httpx2
import pytest

from tenantry.holders import by_user, set_plan
from tenantry.sources import Polled, SourceUnavailable
from tenantry.testing import AppKit
from tenantry.testing.standins import StandIn

TICKERS = "/api/v3/ticker/24hr"
LISTING = "/api/v3/ticker/price"
LIMIT = "/api/v3/exchangeInfo"


async def refusal(feed: Polled, symbol: str = "BTCUSDT") -> SourceUnavailable:
    """Why there is no price."""
    with pytest.raises(SourceUnavailable) as caught:
        await feed.quote(symbol)
    return caught.value


async def used(client: httpx2.AsyncClient) -> int:
    """What a person has used of the first meter."""
    count: int = (await client.get("/v1/me/usage")).json()["items"][0]["used"]
    return count


async def to_pro(kit: AppKit, client: httpx2.AsyncClient) -> None:
    """Put a signed-in person on the plan "pro"."""
    user = UUID((await client.get("/v1/me", headers={"Accept": "application/json"})).json()["id"])
    async with kit.system.service() as ctx:
        holder = await by_user(ctx.db, user)
        await set_plan(ctx, holder.id, plan="pro", source="admin", reason="a test")


async def learned(feed: Polled, exchange: StandIn, *, listings: int = 1, limits: int = 1) -> None:
    """Wait until the feed knows the pairs and the limit, which it asks for beside the calls."""
    async with asyncio.timeout(10):
        while exchange.asked[LISTING] < listings or exchange.asked[LIMIT] < limits or feed.host._beside:
            await asyncio.sleep(0.002)
