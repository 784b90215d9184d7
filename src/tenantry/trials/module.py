"""What trials plug in."""

from datetime import timedelta
from typing import Any

from tenantry.kernel import Context, Module
from tenantry.kernel.module import Export, Job, NavItem
from tenantry.web import mark

from . import queries
from .actions import CONVERT
from .api import router
from .notices import expire_trials, remind_owners
from .pages import router as pages_router

EXPORT_MAX = 1000


async def _collect(ctx: Context) -> list[Any]:
    return await queries.page(ctx.db, ctx.user_id, status=None, before=None, limit=EXPORT_MAX)


async def _collect_usage(ctx: Context) -> list[Any]:
    return await queries.windows(ctx.db, ctx.user_id)


MODULE = Module(
    "trials",
    routers=[router],
    pages=[pages_router],
    nav=[NavItem(mark("Trials"), "/trials", order=30, icon="flask")],
    permissions=[CONVERT],
    jobs=[
        Job("trials.expire", expire_trials, every=timedelta(minutes=1)),
        Job("trials.remind", remind_owners, every=timedelta(minutes=1)),
    ],
    exports=[Export("trials", _collect), Export("trial_usage", _collect_usage)],
    service={
        "start": "counts a person's trials behind a lock, and writes a workspace, which the API login may not",
        "extend": "moves a workspace and its holder, which the API login may only read",
        "cancel": "the same",
        "convert": "the same, and gives keys and levels to another holder",
        "notices": "ends everybody's trials, and writes to their owners",
    },
)
