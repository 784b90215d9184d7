"""Panels, filled in: what a page that shows the dashboard, or the settings, hands to its template."""

from collections.abc import Mapping
from typing import Any, Literal

from fastapi import Request

from .context import Context


async def panels_of(
    ctx: Context,
    request: Request,
    *,
    place: Literal["dashboard", "settings"] = "dashboard",
    **more: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """Every room's panel of a place with its values, in `Panel.order`. `ctx` has an open unit and a holder.

    `more` adds values to the panel of that name. A panel that fails makes the page fail: half a dashboard would look
    like a whole one.
    """
    found = [panel for module in ctx.runtime.modules for panel in module.panels if panel.place == place]
    return [
        {
            "name": panel.name,
            "template": panel.template,
            **await panel.values(ctx, request),
            **more.get(panel.name, {}),
        }
        for panel in sorted(found, key=lambda panel: panel.order)
    ]
