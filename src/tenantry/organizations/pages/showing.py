"""One organization as a page: what its reader may see of it and do with it, and why something was refused."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from tenantry.kernel import Context, Problem
from tenantry.web import gettext, page

from .. import queries
from ..looking import WAITING_MAX
from ..roles import DESCRIPTIONS, INVITE, TRANSFER, Role
from ..rows import Invitation, Member, Offered, OwnOrganization
from ..seats import Room, room_of
from ..standing import is_billed, look

ROWS_MAX = 50
"""Members on one page, and invitations shown with them."""
HEIRS_MAX = 500
"""Members to choose the next owner among."""


@dataclass(slots=True)
class Team:
    """What the page shows. `may`: the names of the reader's permissions. `heirs`: who could become the owner."""

    organization: OwnOrganization
    reader: UUID
    may: frozenset[str]
    number: int
    is_billed: bool
    asked: Mapping[str, str]
    errors: Mapping[str, str]
    members: list[Member] = field(default_factory=list)
    has_more: bool = False
    heirs: list[tuple[str, str]] = field(default_factory=list)
    invitations: list[Invitation] = field(default_factory=list)
    waiting: list[Offered] = field(default_factory=list)
    seats: Room | None = None
    descriptions: Mapping[Role, str] = field(default_factory=lambda: DESCRIPTIONS)

    @property
    def role(self) -> Role:
        """What the reader is in it."""
        return self.organization.role


async def team_page(
    ctx: Context, request: Request, organization_id: UUID, *, problem: Problem | None = None, **more: Any
) -> Response:
    """The page of an organization of the reader's. `errors` stand beside fields; other keywords are what was asked."""
    errors: Mapping[str, str] = more.pop("errors", {})
    number, done = more.pop("number", 1), more.pop("done", "")
    organization = await team_of(ctx, organization_id)
    team = Team(
        organization,
        ctx.user_id,
        ctx.runtime.rights[organization.role],
        number,
        is_billed(ctx),
        {"email": "", "role": "member", "heir": "", "name": organization.name, **more},
        errors,
    )
    await _fill(ctx, team)
    response = page(
        request,
        "organizations/team/team.html",
        status=problem.status if problem else 422 if errors else 200,
        team=team,
        done=done,
        refusal=sentence(request, problem),
        here="/team",
    )
    response.headers.update(problem.headers if problem else {})
    return response


async def team_of(ctx: Context, organization_id: UUID) -> OwnOrganization:
    """An organization of the reader's, and what they are there. Raises `OrganizationNotFound`."""
    async with ctx.service(writes=False) as working:
        return await look(working, organization_id)


def sentence(request: Request, problem: Problem | None) -> str:
    """Why it was refused, in the reader's language; "" for nothing."""
    return gettext(request)(problem.title) if problem else ""


def back(done: str) -> Response:
    """To the team page, which says what was done."""
    return RedirectResponse(f"/team?done={done}", status_code=303)


async def _fill(ctx: Context, team: Team) -> None:
    of, offset = team.organization.id, (team.number - 1) * ROWS_MAX
    async with ctx.service(writes=False) as working:
        db = working.db
        found = await queries.members.page(db, ctx.user_id, of, limit=ROWS_MAX + 1, offset=offset)
        team.members, team.has_more = found[:ROWS_MAX], len(found) > ROWS_MAX
        team.waiting = await queries.invitations.for_person(db, ctx.user_id, limit=WAITING_MAX)
        if INVITE.name in team.may:
            for state in ("pending", "expired"):
                team.invitations += await queries.invitations.page(db, of, state=state, limit=ROWS_MAX)
        room = await room_of(working, of)
        team.seats = None if room.limit is None else room
        if TRANSFER.name in team.may:
            heirs = found
            if team.has_more or team.number > 1:
                heirs = await queries.members.page(db, ctx.user_id, of, limit=HEIRS_MAX)
            team.heirs = [
                (str(one.user_id), f"{one.name} ({one.email})" if one.name else one.email)
                for one in heirs
                if one.role != "owner"
            ]
