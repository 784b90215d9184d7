"""`/admin/events`: what the payment providers told, and what became of it."""

from typing import Annotated, NamedTuple
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, Response

from tenantry.billing import operating as billing
from tenantry.kernel import Context, Problem
from tenantry.kernel.problems import NotFound
from tenantry.kernel.redaction import scrubbed
from tenantry.web import page

from .. import actions
from ..masking import redacted_json
from ..operator import Seller
from ..paging import ROWS, Reason, Turned, Word, done, known, refusal_of, sentence, shown_at, turns
from ..queries.subscriptions import PROVIDERS

PATH = "/admin/events"
STATUSES = ("received", "waiting", "done", "ignored", "dead")
REPLAYABLE = ("waiting", "done", "dead")

router = APIRouter()


class Asked(NamedTuple):
    """Which events are shown."""

    status: str
    provider: str
    object_id: str


async def _asked(status: Word = "", provider: Word = "", object_id: Word = "") -> Asked:
    return Asked(known(status, STATUSES), known(provider, PROVIDERS), object_id.strip())


@shown_at(router, PATH)
async def show_events(
    ctx: Seller, request: Request, place: Turned, asked: Annotated[Asked, Depends(_asked)]
) -> HTMLResponse:
    """List the events, newest first."""
    wanted = {name: value or None for name, value in asked._asdict().items()}
    async with ctx.service(writes=False) as reading:
        counts = await billing.event_counts(reading.db)
        found = await billing.events_page(reading.db, place, limit=ROWS, **wanted)
    standing = dict.fromkeys(STATUSES, 0)
    for one in counts:
        standing[one.status] += one.count
    return page(
        request,
        "admin/events.html",
        events=found.rows,
        standing=standing,
        providers=sorted({one.provider for one in counts}),
        asked=asked,
        turns=turns(PATH, found, **asked._asdict()),
        scrubbed=scrubbed,
    )


@shown_at(router, PATH + "/{event_id}")
async def show_event(ctx: Seller, request: Request, event_id: UUID, done: str = "") -> Response:
    """Show one event: what it told, without secrets, and what became of it."""
    return await _event_page(ctx, request, event_id, done=done)


@router.post(PATH + "/{event_id}/replay")
async def replay_event(ctx: Seller, request: Request, event_id: UUID, reason: Reason = "") -> Response:
    """Let an event be worked on again."""
    problem = await refusal_of(actions.replay_event(ctx, event_id, reason=reason))
    if problem is not None:
        return await _event_page(ctx, request, event_id, problem=problem, reason=reason)
    return done(f"{PATH}/{event_id}", "replayed")


async def _event_page(
    ctx: Context, request: Request, event_id: UUID, *, problem: Problem | None = None, done: str = "", reason: str = ""
) -> Response:
    async with ctx.service(writes=False) as reading:
        found = await billing.event(reading.db, event_id)
    if found is None:
        raise NotFound
    return page(
        request,
        "admin/event.html",
        status=problem.status if problem else 200,
        event=found.event,
        occurred_at=found.occurred_at,
        size=None if found.body is None else len(found.body),
        body=redacted_json(found.body or b""),
        is_replayable=found.event.status in REPLAYABLE,
        refusal=sentence(request, problem),
        reason=reason,
        done=done,
        scrubbed=scrubbed,
    )
