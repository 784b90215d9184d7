"""What the dashboard says of organizations: that an invitation waits."""

from typing import Any

from fastapi import Request

from tenantry.kernel import Context
from tenantry.kernel.module import Panel

from .pages.showing import waiting_for


async def _waiting(ctx: Context, _request: Request) -> dict[str, Any]:
    return {"waiting": await waiting_for(ctx)}


PANEL = Panel("invitations", "organizations/panel.html", _waiting, order=1)
