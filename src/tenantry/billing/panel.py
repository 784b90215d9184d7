"""The dashboard's word about what is paid: only where something is to be known or done."""

from typing import Any

from fastapi import Request

from tenantry.kernel import Context
from tenantry.kernel.module import Panel
from tenantry.kernel.permissions import member_may

from .overview import overview
from .permissions import BILLING_READ


async def billing_values(ctx: Context, _request: Request) -> dict[str, Any]:
    """What the holder has, in one statement; None, who may not know it."""
    return {"seen": await overview(ctx) if member_may(ctx, BILLING_READ) else None}


BILLING_PANEL = Panel("billing", "billing/panel.html", billing_values, order=5)
