"""The dashboard's cards: a price to try, and the data sources with their status."""

from typing import Any

from fastapi import Request

from tenantry.kernel import Context
from tenantry.kernel.module import Panel

from .actions import standing_of

SYMBOL = "BTCUSDT"


async def sources_values(ctx: Context, _request: Request) -> dict[str, Any]:
    """Each source, whether the plan may call it and whether it answers. `tried`: the price just asked for, if any."""
    product, plan = ctx.product, ctx.holder.plan
    return {
        "sources": [
            {
                "source": source,
                "allowed": product.plan_allows(plan, source),
                "plan": product.plan(source.availability).display_name,
                "standing": standing_of(ctx, source),
            }
            for source in product.sources
        ],
        # The form asks the first active source, as the API does.
        "can_try": any(source.status == "active" for source in product.sources),
        "symbol": SYMBOL,
        "call": f"curl -b cookies.txt \\\n  {ctx.settings.public_url}/v1/prices/{SYMBOL}",
        "tried": None,
    }


SOURCES_PANEL = Panel("sources", "sources/panel.html", sources_values, order=20)
