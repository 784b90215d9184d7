"""`/team`: the organization that the reader works for; making one, choosing one, and what only some may do with it.

What changes an organization names it in its address: another window may have chosen another one meanwhile.
"""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from tenantry.identity.recent import confirm_first
from tenantry.kernel import Context, Problem, SignedIn
from tenantry.web import gettext, mark, page, safe_return_path

from .. import actions
from ..errors import OrganizationNotFound
from ..looking import WAITING_MAX, invitations_for
from ..names import organization_name
from .showing import back, sentence, team_of, team_page

TYPED_OTHERWISE = mark("Type the name as it stands here.")

router = APIRouter(include_in_schema=False)

Field = Annotated[str, Form(max_length=1000)]


@router.api_route("/team", methods=["GET", "HEAD"], response_class=HTMLResponse)
async def show_team(
    ctx: SignedIn,
    request: Request,
    number: Annotated[int, Query(alias="page", ge=1, le=2000)] = 1,
    done: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """Show the organization with who belongs to it; to who belongs to none, how to get one."""
    if ctx.actor.organization_id is None:
        return await _new_page(ctx, request, done=done)
    return await team_page(ctx, request, ctx.actor.organization_id, number=number, done=done)


@router.api_route("/team/new", methods=["GET", "HEAD"], response_class=HTMLResponse)
async def show_new(ctx: SignedIn, request: Request) -> Response:
    """Show what a new organization needs."""
    return await _new_page(ctx, request)


@router.post("/team/new")
async def create(ctx: SignedIn, request: Request, name: Field = "") -> Response:
    """Make an organization, and work for it."""
    try:
        await actions.create(ctx, organization_name(name))
    except ValueError as refused:
        return await _new_page(ctx, request, name=name, error=str(refused))
    except Problem as problem:
        return await _new_page(ctx, request, name=name, problem=problem)
    return back("created")


@router.post("/team/choose")
async def choose(ctx: SignedIn, organization_id: Annotated[UUID, Form()], return_to: Field = "") -> Response:
    """Work for another organization from now on, and go on where one was."""
    try:
        await actions.choose(ctx, organization_id)
    except OrganizationNotFound:
        return back("gone")
    return RedirectResponse(safe_return_path(return_to, "/team?done=chosen"), status_code=303)


@router.post("/team/{organization_id}/rename")
async def rename(ctx: SignedIn, request: Request, organization_id: UUID, name: Field = "") -> Response:
    """Give the organization another name."""
    try:
        await actions.rename(ctx, organization_id, organization_name(name))
    except ValueError as refused:
        return await team_page(ctx, request, organization_id, errors={"name": str(refused)}, name=name)
    except Problem as problem:
        return await team_page(ctx, request, organization_id, problem=problem, name=name)
    return back("renamed")


@router.post("/team/{organization_id}/leave")
async def leave(ctx: SignedIn, request: Request, organization_id: UUID) -> Response:
    """Belong to it no more."""
    try:
        await actions.leave(ctx, organization_id)
    except Problem as problem:
        return await team_page(ctx, request, organization_id, problem=problem)
    return back("left")


@router.post("/team/{organization_id}/transfer")
async def transfer(
    ctx: SignedIn, request: Request, organization_id: UUID, user_id: Annotated[UUID, Form()], typed: Field = ""
) -> Response:
    """Make another member the owner, once the organization's name was typed."""
    if not await _is_name(ctx, organization_id, typed):
        return await team_page(
            ctx, request, organization_id, errors={"transfer": TYPED_OTHERWISE}, heir=str(user_id)
        )  # fmt: skip
    if first := confirm_first(request, ctx, back="/team"):
        return first
    try:
        await actions.transfer(ctx, organization_id, user_id, words=gettext(request))
    except Problem as problem:
        return await team_page(ctx, request, organization_id, problem=problem)
    return back("transferred")


@router.post("/team/{organization_id}/delete")
async def delete(ctx: SignedIn, request: Request, organization_id: UUID, typed: Field = "") -> Response:
    """Delete the organization, once its name was typed."""
    if not await _is_name(ctx, organization_id, typed):
        return await team_page(ctx, request, organization_id, errors={"delete": TYPED_OTHERWISE})
    if first := confirm_first(request, ctx, back="/team"):
        return first
    try:
        await actions.delete(ctx, organization_id)
    except Problem as problem:
        return await team_page(ctx, request, organization_id, problem=problem)
    return back("deleted")


async def _is_name(ctx: Context, organization_id: UUID, typed: str) -> bool:
    found = await team_of(ctx, organization_id)
    return " ".join(typed.split()) == " ".join(found.name.split())


async def _new_page(
    ctx: Context, request: Request, *, name: str = "", error: str = "", problem: Problem | None = None, done: str = ""
) -> Response:
    is_first = ctx.actor.organization_id is None
    return page(
        request,
        "organizations/team/new.html",
        status=problem.status if problem else 422 if error else 200,
        waiting=await invitations_for(ctx, limit=WAITING_MAX) if is_first else [],
        is_first=is_first,
        name=name,
        error=error,
        refusal=sentence(request, problem),
        done=done,
        here="/team" if is_first else "/team/new",
    )
