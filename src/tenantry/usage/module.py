"""What usage plugs in."""

from datetime import timedelta

from tenantry.holders import PlanChanged
from tenantry.kernel import Context, Module
from tenantry.kernel.module import Export, Job

from . import queries
from .actions import follow_plan, forget_old_windows
from .api import router
from .panel import USAGE_PANEL
from .rows import Window


async def _collect(ctx: Context) -> list[Window]:
    return await queries.windows(ctx.db, ctx.holder.id)


MODULE = Module(
    "usage",
    routers=[router],
    panels=[USAGE_PANEL],
    handlers={PlanChanged: follow_plan},
    jobs=[Job("usage.forget_old_windows", forget_old_windows, every=timedelta(hours=1))],
    exports=[Export("usage", _collect)],
    service={
        "decide": "counts for a caller that may not write counters, and commits apart from the caller's unit",
        "follow_plan": "runs in the unit that changed the plan",
        "forget_old_windows": "deletes windows of every holder",
    },
)
