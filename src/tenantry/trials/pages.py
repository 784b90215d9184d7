"""`/trials`: the reader's trial workspaces, and the keys of each."""

from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from tenantry.holders import PlanUnknown
from tenantry.kernel import Context, Problem, SignedIn
from tenantry.kernel.permissions import member_may
from tenantry.keys import issue, revoke
from tenantry.keys.workspaces import KeyNotFound, ScopeUnknown, TrialEnded
from tenantry.usage import LimitReached
from tenantry.web import gettext, mark, page

from . import actions, queries
from .api import workspace_name
from .errors import NoMoreExtensions, NoMoreTrials, PlanNotFree, TooManyTrials, TrialNotActive
from .rows import Listed

ROWS_MAX = 20
"""Workspaces on one page of the list."""
LABEL_MAX = 100
LABEL_REFUSED = mark("Give it a name of up to 100 characters, so that you know it again.")
DONE = ("started", "extended", "cancelled", "converted", "revoked")

router = APIRouter(include_in_schema=False)


@router.api_route("/trials", methods=["GET", "HEAD"], response_class=HTMLResponse)
async def show_trials(
    ctx: SignedIn, request: Request, number: Annotated[int, Query(alias="page", ge=1, le=5000)] = 1
) -> Response:
    """Show the workspaces, newest first, and what a new one needs."""
    return await _list_page(ctx, request, number=number)


@router.post("/trials")
async def start_trial(
    ctx: SignedIn,
    request: Request,
    name: Annotated[str, Form(max_length=1000)] = "",
    tier: Annotated[str, Form(max_length=20)] = "standard",
) -> Response:
    """Start a trial."""
    asked = {"name": name, "tier": tier}
    try:
        checked = workspace_name(name)
    except ValueError as refused:
        return await _list_page(ctx, request, asked=asked, error=str(refused), status=422)
    try:
        made = await actions.start(ctx, checked, tier="enterprise" if tier == "enterprise" else "standard")
    except (NoMoreTrials, TooManyTrials) as problem:
        return await _list_page(ctx, request, asked=asked, problem=problem, status=problem.status)
    return _back(made.workspace.id, "started")


@router.api_route("/trials/{trial_id}", methods=["GET", "HEAD"], response_class=HTMLResponse)
async def show_trial(ctx: SignedIn, request: Request, trial_id: UUID, done: str = "") -> Response:
    """Show one workspace with its keys."""
    return await _trial_page(ctx, request, trial_id, done=done if done in DONE else "")


@router.post("/trials/{trial_id}/extend")
async def extend_trial(ctx: SignedIn, request: Request, trial_id: UUID) -> Response:
    """Put the end off."""
    try:
        await actions.extend(ctx, trial_id)
    except (TrialNotActive, NoMoreExtensions) as problem:
        return await _trial_page(ctx, request, trial_id, problem=problem, status=problem.status)
    return _back(trial_id, "extended")


@router.post("/trials/{trial_id}/cancel")
async def cancel_trial(ctx: SignedIn, request: Request, trial_id: UUID) -> Response:
    """End a trial at once."""
    try:
        await actions.cancel(ctx, trial_id)
    except TrialNotActive as problem:
        return await _trial_page(ctx, request, trial_id, problem=problem, status=problem.status)
    return _back(trial_id, "cancelled")


@router.post("/trials/{trial_id}/convert")
async def convert_trial(ctx: SignedIn, request: Request, trial_id: UUID) -> Response:
    """Take over what the trial has onto one's own plan."""
    try:
        await actions.convert(ctx, trial_id)
    except (TrialNotActive, PlanNotFree, PlanUnknown, LimitReached) as problem:
        return await _trial_page(ctx, request, trial_id, problem=problem, status=problem.status)
    return _back(trial_id, "converted")


@router.post("/trials/{trial_id}/keys")
async def make_key(
    ctx: SignedIn,
    request: Request,
    trial_id: UUID,
    label: Annotated[str, Form(max_length=1000)] = "",
    scopes: Annotated[list[str], Form()] = [],  # noqa: B006 - FastAPI copies it
) -> Response:
    """Make a key of the workspace and show its secret."""
    found = await actions.read(ctx, trial_id)
    asked = {"label": label.strip(), "scopes": scopes}
    if not 1 <= len(label.strip()) <= LABEL_MAX:
        return await _trial_page(ctx, request, trial_id, asked=asked, label_refusal=LABEL_REFUSED, status=422)
    try:
        made = await issue(actions.working_as(ctx, found), label=label.strip(), scopes=scopes)
    except (LimitReached, ScopeUnknown, TrialEnded) as problem:
        return await _trial_page(ctx, request, trial_id, asked=asked, problem=problem, status=problem.status)
    back = f"/trials/{trial_id}"
    response = page(request, "keys/made.html", made=made, old=None, back=back, here=back)
    response.headers["Cache-Control"] = "no-store"
    return response


@router.post("/trials/{trial_id}/keys/{key_id}/revoke")
async def revoke_key(ctx: SignedIn, request: Request, trial_id: UUID, key_id: UUID) -> Response:
    """Revoke a key of the workspace."""
    try:
        await revoke(actions.working_as(ctx, await actions.read(ctx, trial_id)), key_id)
    except KeyNotFound as problem:
        return await _trial_page(ctx, request, trial_id, problem=problem, status=problem.status)
    return _back(trial_id, "revoked")


def _back(trial_id: UUID, done: str) -> Response:
    return RedirectResponse(f"/trials/{trial_id}?done={done}", status_code=303)


async def _list_page(
    ctx: Context, request: Request, *, number: int = 1, problem: Problem | None = None, status: int = 200, **more: Any
) -> Response:
    trials = actions.declared(ctx)
    reading, offset = ctx.reading(), (number - 1) * ROWS_MAX
    found = await queries.page(
        reading.db, ctx.user_id, status=None, before=None, limit=ROWS_MAX + 1, offset=offset
    )  # fmt: skip
    return page(
        request,
        "trials/trials.html",
        status=status,
        listed=found[:ROWS_MAX],
        plans={one.holder.plan: ctx.product.plan(one.holder.plan).display_name for one in found},
        declared=trials,
        days=trials.length / timedelta(days=1),
        number=number,
        has_more=len(found) > ROWS_MAX,
        refusal=_sentence(request, problem),
        asked=more.get("asked", {"name": "", "tier": "standard"}),
        error=more.get("error", ""),
    )


async def _trial_page(
    ctx: Context, request: Request, trial_id: UUID, *, problem: Problem | None = None, status: int = 200, **more: Any
) -> Response:
    found = await actions.read(ctx, trial_id)
    trials = actions.declared(ctx)
    left = None if trials.extensions is None else max(0, trials.extensions - found.workspace.extensions)
    return page(
        request,
        "trials/trial.html",
        status=status,
        trial=found.workspace,
        keys=found.keys,
        plan=ctx.product.plan(found.holder.plan),
        own_plan=ctx.product.plan(ctx.holder.plan),
        is_shared=ctx.holder.kind == "organization",
        may_convert=member_may(ctx, actions.CONVERT),
        extensions_left=left,
        key_rules=ctx.product.keys if _takes_keys(ctx, found) else None,
        refusal=_sentence(request, problem),
        asked=more.get("asked", {"label": "", "scopes": []}),
        label_refusal=more.get("label_refusal", ""),
        done=more.get("done", ""),
    )


def _takes_keys(ctx: Context, found: Listed) -> bool:
    return ctx.product.keys is not None and found.workspace.state == "active"


def _sentence(request: Request, problem: Problem | None) -> str:
    return gettext(request)(problem.detail or problem.title) if problem else ""
