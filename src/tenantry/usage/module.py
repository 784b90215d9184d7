"""What usage plugs in."""

from datetime import timedelta

from tenantry.holders import PeriodChanged, PlanChanged
from tenantry.kernel import Context, Module
from tenantry.kernel.module import Export, Job, NavItem
from tenantry.kernel.permissions import member_may
from tenantry.web import mark

from .actions import follow_holder, forget_old_windows
from .api import router
from .bursts import Bursts
from .pages import router as pages_router
from .panel import USAGE_PANEL
from .permissions import USAGE_READ
from .queries import counters as queries
from .queries import stocks
from .reservations import expire_reservations
from .rows import Window
from .uncounted import Uncounted, uncounted_figures


async def _collect(ctx: Context) -> list[Window]:
    return await queries.windows(ctx.db, ctx.holder.id) if member_may(ctx, USAGE_READ) else []


async def _collect_levels(ctx: Context) -> list[stocks.Kept]:
    return await stocks.levels(ctx.db, ctx.holder.id) if member_may(ctx, USAGE_READ) else []


MODULE = Module(
    "usage",
    routers=[router],
    pages=[pages_router],
    nav=[NavItem(mark("Usage"), "/usage", order=10, icon="chart")],
    panels=[USAGE_PANEL],
    permissions=[USAGE_READ],
    handlers={PlanChanged: follow_holder, PeriodChanged: follow_holder},
    jobs=[
        Job("usage.forget_old_windows", forget_old_windows, every=timedelta(hours=1)),
        Job("usage.expire_reservations", expire_reservations, every=timedelta(minutes=1)),
    ],
    figures=[uncounted_figures],
    exports=[Export("usage", _collect), Export("gauges", _collect_levels)],
    service={
        "asking": "counts for callers that may not write counters, apart from their units, of many holders at once",
        "notices": "tells people of their limit after calls of anybody, and writes down that they were told",
        "decide": "tells a caller whose plan does not name the meter how it stands",
        "reservations": "sets units aside and counts them, which callers may not, apart from their units",
        "stocks": "changes gauges and locks holders, which the API login may not; in a unit that the caller opened",
        "credits": "changes what holders have, which the API login may not, apart from their units; reads it for keys",
        "follow_holder": "runs in the unit that changed the plan or the period",
    },
)


def ports() -> dict[type, object]:
    """What the room remembers of calls in this process, beside the leases; for `app` to build."""
    return {Bursts: Bursts(), Uncounted: Uncounted()}
