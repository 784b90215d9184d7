"""What the dashboard says of organizations: that an invitation waits."""

from typing import Any

from fastapi import Request

from tenantry.kernel import Context
from tenantry.kernel.module import Panel

from .looking import WAITING_MAX, invitations_for


async def _waiting(ctx: Context, _request: Request) -> dict[str, Any]:
    return {"waiting": await invitations_for(ctx, limit=WAITING_MAX)}


PANEL = Panel("invitations", "organizations/panel.html", _waiting, order=1)
