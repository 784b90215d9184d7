"""`/keys`: the reader's API keys. A new secret is shown in the answer that made it, and never again."""

from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from tenantry.kernel import Context, Problem, SignedIn
from tenantry.kernel.permissions import member_may, require_of_member
from tenantry.usage import LimitReached
from tenantry.web import gettext, mark, page

from . import actions, queries
from .errors import KeyIsFollowed, KeyIsOver, KeyNotFound, ScopeUnknown
from .rows import ApiKey, NewKey
from .tiers import effective_tier

ROWS_MAX = 50
"""Keys on one page of the list."""
LIFETIMES = {"0": mark("Until it is revoked"), "30": mark("30 days"), "90": mark("90 days"), "365": mark("A year")}
LABEL_MAX = 100
LABEL_REFUSED = mark("Give it a name of up to 100 characters, so that you know it again.")

router = APIRouter(include_in_schema=False)


@router.api_route("/keys", methods=["GET", "HEAD"], response_class=HTMLResponse)
async def show_keys(
    ctx: SignedIn, request: Request, number: Annotated[int, Query(alias="page", ge=1, le=2000)] = 1, done: str = ""
) -> Response:
    """Show the keys, newest first, and what a new one needs."""
    return await _keys_page(ctx, request, number=number, done=done)


@router.post("/keys")
async def make_key(
    ctx: SignedIn,
    request: Request,
    label: Annotated[str, Form(max_length=1000)] = "",
    lifetime: Annotated[str, Form(max_length=10)] = "0",
    scopes: Annotated[list[str], Form()] = [],  # noqa: B006 - FastAPI copies it
) -> Response:
    """Make a key and show its secret."""
    label, lifetime = label.strip(), lifetime if lifetime in LIFETIMES else "0"
    asked = {"label": label, "lifetime": lifetime, "scopes": scopes}
    if not 1 <= len(label) <= LABEL_MAX:
        return await _keys_page(ctx, request, asked=asked, error=LABEL_REFUSED, status=422)
    ends = ctx.clock.now() + timedelta(days=int(lifetime)) if int(lifetime) else None
    try:
        made = await actions.issue(ctx, label=label, scopes=scopes, expires_at=ends)
    except (LimitReached, ScopeUnknown) as problem:
        return await _keys_page(ctx, request, asked=asked, problem=problem, status=problem.status)
    return _made(request, made)


@router.post("/keys/{key_id}/rotate")
async def rotate_key(ctx: SignedIn, request: Request, key_id: UUID) -> Response:
    """Make the key's successor and show its secret."""
    try:
        made = await actions.rotate(ctx, key_id)
    except (KeyNotFound, KeyIsOver, KeyIsFollowed) as problem:
        return await _keys_page(ctx, request, problem=problem, status=problem.status)
    return _made(request, made, old=await _one(ctx, key_id))


@router.post("/keys/{key_id}/rename")
async def rename_key(ctx: SignedIn, request: Request, key_id: UUID, label: Annotated[str, Form()] = "") -> Response:
    """Give a key another name."""
    if not 1 <= len(label.strip()) <= LABEL_MAX:
        return await _keys_page(ctx, request, told=LABEL_REFUSED, status=422)
    await actions.rename(ctx, key_id, label=label.strip())
    return RedirectResponse("/keys?done=renamed", status_code=303)


@router.post("/keys/{key_id}/revoke")
async def revoke_key(ctx: SignedIn, key_id: UUID) -> Response:
    """Revoke a key."""
    await actions.revoke(ctx, key_id)
    return RedirectResponse("/keys?done=revoked", status_code=303)


async def _keys_page(
    ctx: Context, request: Request, *, problem: Problem | None = None, status: int = 200, **more: Any
) -> Response:
    keys, number = actions.declared(ctx), more.pop("number", 1)
    require_of_member(ctx, actions.KEYS_READ)
    db = ctx.reading().db
    found = await queries.page(db, ctx.holder.id, before=None, limit=ROWS_MAX + 1, offset=(number - 1) * ROWS_MAX)
    plan = ctx.product.plan(ctx.holder.plan)
    _ = gettext(request)
    return page(
        request,
        "keys/keys.html",
        status=status,
        keys=[(one, effective_tier(ctx.product, one.tier, plan.name)) for one in found[:ROWS_MAX]],
        makers=await makers_of(ctx),
        may_change=member_may(ctx, actions.KEYS_WRITE),
        places=await queries.places(db, ctx.holder.id),
        limit=ctx.product.limit(plan.name, keys.count) if keys.count else None,
        plan=plan,
        declared=keys,
        lifetimes=[(value, _(text)) for value, text in LIFETIMES.items()],
        number=number,
        has_more=len(found) > ROWS_MAX,
        refusal=_(problem.detail or problem.title) if problem else _(more.get("told", "")),
        asked={"label": "", "lifetime": "0", "scopes": [], **more.pop("asked", {})},
        error=more.get("error", ""),
        done=more.get("done", ""),
    )


def _made(request: Request, made: NewKey, *, old: ApiKey | None = None) -> Response:
    response = page(request, "keys/made.html", made=made, old=old, back="/keys", here="/keys")
    response.headers["Cache-Control"] = "no-store"
    return response


async def makers_of(ctx: Context) -> dict[UUID, str]:
    """Who made the keys of an organization, by name or address; a person knows that of their own."""
    if ctx.holder.kind != "organization":
        return {}
    async with ctx.service(writes=False) as reading:
        return await queries.makers(reading.db, ctx.holder.id)


async def _one(ctx: Context, key_id: UUID) -> ApiKey | None:
    return await queries.one(ctx.reading().db, ctx.holder.id, key_id)
