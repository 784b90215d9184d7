"""What credits plug in, where the product has them. Why they work on the service login stands in usage's own."""

from datetime import timedelta

from tenantry.identity.events import UserRegistered
from tenantry.kernel import Context, Module
from tenantry.kernel.module import Export, Job, NavItem
from tenantry.kernel.permissions import member_may
from tenantry.organizations.events import OwnOrganizationOpened
from tenantry.web import mark

from ..permissions import CREDITS_READ, CREDITS_SPEND
from . import queries
from .api import router
from .granting import give_gift
from .pages import CREDITS_PANEL
from .pages import router as pages_router
from .rows import Entry
from .upkeep import expire_credits, forget_reservations

EXPORT_MAX = 100_000


async def _collect(ctx: Context) -> list[Entry]:
    return await queries.page(ctx.db, ctx.holder.id, limit=EXPORT_MAX) if member_may(ctx, CREDITS_READ) else []


MODULE = Module(
    "credits",
    routers=[router],
    pages=[pages_router],
    permissions=[CREDITS_READ, CREDITS_SPEND],
    nav=[NavItem(mark("Credits"), "/credits", order=15, icon="data")],
    panels=[CREDITS_PANEL],
    handlers={UserRegistered: give_gift, OwnOrganizationOpened: give_gift},
    jobs=[
        Job("credits.expire", expire_credits, every=timedelta(minutes=5)),
        Job("credits.forget_reservations", forget_reservations, every=timedelta(hours=1)),
    ],
    exports=[Export("credits", _collect)],
)
