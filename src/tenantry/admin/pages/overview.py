"""`/admin`: what needs somebody, and how many people and subscriptions there are."""

from typing import NamedTuple

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from tenantry.billing import operating as billing
from tenantry.kernel import Context
from tenantry.kernel.jobs import operating as jobs
from tenantry.kernel.mail import operating as mails
from tenantry.web import page

from ..operator import Operator
from ..paging import address, shown_at
from ..queries import audit, people, subscriptions

router = APIRouter()


class Need(NamedTuple):
    """Something that somebody should look at, and where."""

    what: str
    number: int
    href: str


class Sales(NamedTuple):
    """Live subscriptions by their status, and what a sync repaired in the last seven days."""

    live: dict[str, int]
    drifted: int
    drift_href: str


@shown_at(router, "/admin")
async def show_overview(ctx: Operator, request: Request) -> HTMLResponse:
    """Show what needs somebody."""
    async with ctx.service(writes=False) as reading:
        needs = await _needs(reading)
        registered = await people.registered(reading.db)
        queue = await jobs.queue(reading.db)
        sales = await _sales(reading) if ctx.product.billing is not None else None
    return page(
        request,
        "admin/overview.html",
        needs=[one for one in needs if one.number],
        registered=registered,
        queue=queue,
        sales=sales,
    )


async def _needs(ctx: Context) -> list[Need]:
    standing = {one.status: one.count for one in await jobs.counts(ctx.db)}
    found = [
        Need("dead_jobs", standing.get("dead", 0), address("/admin/jobs", status="dead")),
        Need("late_mails", await mails.late(ctx.db), address("/admin/mails", status="queued")),
    ]
    if ctx.product.billing is not None:
        dead = sum(one.count for one in await billing.event_counts(ctx.db) if one.status == "dead")
        found.append(Need("dead_events", dead, address("/admin/events", status="dead")))
        found.append(Need("unlinked", await billing.unlinked_count(ctx.db), "/admin/purchases"))
    return found


async def _sales(ctx: Context) -> Sales:
    action = billing.DRIFT_REPAIRED
    return Sales(
        await subscriptions.live(ctx.db),
        await audit.drifted(ctx.db, action),
        address("/admin/audit", action=action),
    )
