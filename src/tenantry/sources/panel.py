"""The dashboard's card: the data sources with their status, and a price to try."""

from typing import Any

from fastapi import Request

from tenantry.kernel import Context
from tenantry.kernel.module import Panel


async def sources_values(ctx: Context, _request: Request) -> dict[str, Any]:
    """Each source and whether the plan may call it."""
    product, plan = ctx.product, ctx.holder.plan
    return {
        "sources": [
            {
                "source": source,
                "allowed": product.plan_allows(plan, source),
                "plan": product.plan(source.availability).display_name,
            }
            for source in product.sources
        ],
        "can_try": any(one.status == "active" and product.plan_allows(plan, one) for one in product.sources),
    }


SOURCES_PANEL = Panel("sources", "sources/panel.html", sources_values, order=20)
