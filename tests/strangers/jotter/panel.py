"""The card on the dashboard."""

from typing import Any

from fastapi import Request

from tenantry import Context

from . import queries


async def newest(ctx: Context, _request: Request) -> dict[str, Any]:
    """The notebooks, for the card."""
    return {"notebooks": await ctx.db.rows(queries.mine)}
