"""The dashboard's word about what is paid: only where something is to be known or done."""

from typing import Any

from fastapi import Request

from tenantry.kernel import Context
from tenantry.kernel.module import Panel

from .overview import overview


async def billing_values(ctx: Context, _request: Request) -> dict[str, Any]:
    """What the holder has, in one statement."""
    return {"seen": await overview(ctx)}


BILLING_PANEL = Panel("billing", "billing/panel.html", billing_values, order=5)
