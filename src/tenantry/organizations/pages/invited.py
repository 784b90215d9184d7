"""`/invitations`: what an invitation is, and its answer. Looking at it uses nothing up; the buttons on it do.

The mailed link has the token in its address. Nobody is sent on with it: after signing in one comes back by the
invitation's id, which says nothing to whom it is not for.
"""

from typing import Literal
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from tenantry.kernel import Context, Open, Problem, SignedIn
from tenantry.web import page

from .. import actions, queries
from ..errors import InvitationNotFound, InvitationOver, InvitedOther, InvitedUnproven
from ..roles import DESCRIPTIONS
from ..rows import Offered, Person
from .showing import back, sentence

State = Literal["open", "unproven", "another", "stranger", "accepted", "declined", "revoked", "expired"]
_STATUS = {
    "another": InvitedOther.status,
    "unproven": InvitedUnproven.status,
    **dict.fromkeys(("accepted", "declined", "revoked", "expired"), InvitationOver.status),
}

router = APIRouter(prefix="/invitations", include_in_schema=False)


@router.api_route("", methods=["GET", "HEAD"], response_class=HTMLResponse)
async def show_link(ctx: Open, request: Request, token: str = "") -> Response:
    """Show what a mailed link is for."""
    if not token:
        return RedirectResponse("/team", status_code=303)
    async with ctx.service(writes=False) as working:
        found = await queries.invitations.by_token(working.db, token)
        user = ctx.actor.user_id
        reader = await queries.organizations.person(working.db, user) if user else None
    response = _page(ctx, request, found, _state(reader, found) if found else "another")
    # With its path it would tell the token to every page that one goes to from here.
    response.headers.update({"Referrer-Policy": "strict-origin", "Cache-Control": "no-store"})
    return response


@router.api_route("/{invitation_id}", methods=["GET", "HEAD"], response_class=HTMLResponse)
async def show(ctx: SignedIn, request: Request, invitation_id: UUID) -> Response:
    """Show an invitation to the person whom it is for; to anybody else it is not there."""
    return await _own_page(ctx, request, invitation_id)


@router.post("/{invitation_id}/accept")
async def accept(ctx: SignedIn, request: Request, invitation_id: UUID) -> Response:
    """Join the organization, and work for it from now on."""
    try:
        await actions.accept(ctx, invitation_id)
    except Problem as problem:
        return await _own_page(ctx, request, invitation_id, problem)
    return back("joined")


@router.post("/{invitation_id}/decline")
async def decline(ctx: SignedIn, request: Request, invitation_id: UUID) -> Response:
    """Say no."""
    try:
        await actions.decline(ctx, invitation_id)
    except Problem as problem:
        return await _own_page(ctx, request, invitation_id, problem)
    return back("declined")


async def _own_page(ctx: Context, request: Request, invitation_id: UUID, problem: Problem | None = None) -> Response:
    async with ctx.service(writes=False) as working:
        found = await queries.invitations.by_id(working.db, invitation_id)
        reader = await queries.organizations.person(working.db, ctx.user_id)
    if found is None or reader is None or not _is_theirs(reader, found):
        return _page(ctx, request, None, "another")
    return _page(ctx, request, found, _state(reader, found), problem)


def _page(
    ctx: Context, request: Request, found: Offered | None, state: State, problem: Problem | None = None
) -> Response:
    status = InvitationNotFound.status if found is None else _STATUS.get(state, 200)
    response = page(
        request,
        "organizations/invitations/invitation.html",
        status=problem.status if problem and found else status,
        one=found,
        state=state,
        description=DESCRIPTIONS[found.invitation.role] if found else "",
        refusal=sentence(request, problem),
    )
    response.headers.update(problem.headers if problem else {})
    return response


def _state(reader: Person | None, found: Offered) -> State:
    """What the reader can do about an invitation. Whether they may is decided where they do it."""
    if found.invitation.state != "pending":
        return found.invitation.state
    if reader is None:
        return "stranger"
    if not _is_theirs(reader, found):
        return "another"
    return "open" if reader.proven else "unproven"


def _is_theirs(reader: Person, found: Offered) -> bool:
    return reader.email.casefold() == found.invitation.email.casefold()
