"""`/admin/jobs`: the machine's work, and what of it died."""

from typing import Annotated, NamedTuple
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, Response

from tenantry.kernel import Context, Problem
from tenantry.kernel.jobs import operating as jobs
from tenantry.kernel.problems import NotFound
from tenantry.kernel.redaction import scrubbed
from tenantry.web import page

from .. import actions
from ..masking import members_of
from ..operator import Operator
from ..paging import ROWS, Reason, Turned, Word, done, known, refusal_of, sentence, shown_at, turns
from ..queries import people

PATH = "/admin/jobs"

router = APIRouter()


class Asked(NamedTuple):
    """Which jobs are shown."""

    status: str
    name: str


async def _asked(status: Word = "", name: Word = "") -> Asked:
    return Asked(known(status, jobs.STATUSES), name.strip())


@shown_at(router, PATH)
async def show_jobs(
    ctx: Operator, request: Request, place: Turned, asked: Annotated[Asked, Depends(_asked)]
) -> HTMLResponse:
    """List the jobs, newest first."""
    async with ctx.service(writes=False) as reading:
        counts = await jobs.counts(reading.db)
        queue = await jobs.queue(reading.db)
        found = await jobs.JOBS.page(
            reading.db, place, limit=ROWS, status=asked.status or None, name=asked.name or None
        )
    return page(
        request,
        "admin/jobs.html",
        jobs=found.rows,
        standing=dict.fromkeys(jobs.STATUSES, 0) | {one.status: one.count for one in counts},
        queue=queue,
        names=sorted(ctx.runtime.jobs),
        asked=asked,
        turns=turns(PATH, found, **asked._asdict()),
        scrubbed=scrubbed,
    )


@shown_at(router, PATH + "/{job_id}")
async def show_job(ctx: Operator, request: Request, job_id: UUID, done: str = "") -> Response:
    """Show one job: what it failed of, and the shape of what it was given."""
    return await _job_page(ctx, request, job_id, done=done)


@router.post(PATH + "/{job_id}/replay")
async def replay_job(ctx: Operator, request: Request, job_id: UUID, reason: Reason = "") -> Response:
    """Queue a dead job again."""
    problem = await refusal_of(actions.replay_job(ctx, job_id, reason=reason))
    if problem is not None:
        return await _job_page(ctx, request, job_id, problem=problem, reason=reason)
    return done(f"{PATH}/{job_id}", "replayed")


async def _job_page(
    ctx: Context, request: Request, job_id: UUID, *, problem: Problem | None = None, done: str = "", reason: str = ""
) -> Response:
    async with ctx.service(writes=False) as reading:
        found = await jobs.one(reading.db, job_id)
        if found is None:
            raise NotFound
        named = await people.addresses(reading.db, [found.job.actor_id])
    return page(
        request,
        "admin/job.html",
        status=problem.status if problem else 200,
        job=found.job,
        members=members_of(found.payload),
        actor=named.get(found.job.actor_id, "") if found.job.actor_id else "",
        refusal=sentence(request, problem),
        reason=reason,
        done=done,
        scrubbed=scrubbed,
    )
