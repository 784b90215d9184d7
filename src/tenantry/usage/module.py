"""What usage plugs in."""

from datetime import timedelta

from tenantry.holders import PlanChanged
from tenantry.kernel import Context, Module
from tenantry.kernel.module import Export, Job

from .actions import follow_plan, forget_old_windows
from .api import router
from .panel import USAGE_PANEL
from .queries import counters as queries
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
        "leases": "counts for callers that may not write counters, apart from their units, of many holders at once",
        "decide": "tells a caller whose plan does not name the meter how it stands",
        "follow_plan": "runs in the unit that changed the plan",
    },
)
