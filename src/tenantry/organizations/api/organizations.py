"""`/v1/organizations`: those of who is signed in, and the one that the session works for."""

from datetime import datetime
from typing import Self
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel

from tenantry.identity.recent import ConfirmationNeeded
from tenantry.kernel import Context, Read, SignedIn, problems
from tenantry.kernel.problems import Invalid, PersonNeeded, Unauthenticated
from tenantry.web import CrossSiteRefused

from .. import actions, queries
from ..errors import OrganizationNotFound, TooManyOrganizations
from ..looking import overview
from ..roles import Role
from ..rows import OwnOrganization
from ..seats import Room
from .fields import CHANGE, READ, Body, Limit, Name, Offset

router = APIRouter(prefix="/v1", tags=["organizations"])


class Named(Body):
    """What an organization is to be called."""

    name: Name


class Chosen(Body):
    """The organization that the session is to work for."""

    organization_id: UUID


class OrganizationEntry(BaseModel):
    """An organization of who asks, and what they are in it.

    `is_current`: the session works for it. `plan`: null where people are billed, and not organizations.
    """

    id: UUID
    name: str
    owner_id: UUID
    role: Role
    permissions: list[str]
    members: int
    plan: str | None
    is_current: bool
    joined_at: datetime
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, ctx: Context, found: OwnOrganization) -> Self:
        given = {name: getattr(found, name) for name in OwnOrganization.__struct_fields__}
        may, is_current = sorted(ctx.runtime.rights[found.role]), found.id == ctx.actor.organization_id
        return cls(permissions=may, is_current=is_current, **given)


class SeatsEntry(BaseModel):
    """The seats: those of members and those kept for who is invited. `limit` null: any number."""

    used: int
    members: int
    invited: int
    limit: int | None

    @classmethod
    def of(cls, room: Room) -> Self:
        return cls(used=room.used, members=room.members, invited=room.invited, limit=room.limit)


class OrganizationWhole(OrganizationEntry):
    """The same with its seats."""

    seats: SeatsEntry


class OrganizationList(BaseModel):
    """Organizations, newest first."""

    items: list[OrganizationEntry]
    next_cursor: UUID | None


@router.get("/organizations", responses=problems(Invalid, PersonNeeded, Unauthenticated))
async def list_organizations(
    ctx: Read, limit: Limit = 50, cursor: UUID | None = None, offset: Offset = 0
) -> OrganizationList:
    """List the organizations of who is signed in."""
    found = await queries.organizations.of_user(ctx.db, ctx.user_id, before=cursor, limit=limit + 1, offset=offset)
    shown = [OrganizationEntry.of(ctx, one) for one in found[:limit]]
    return OrganizationList(items=shown, next_cursor=shown[-1].id if len(found) > limit else None)


@router.post(
    "/organizations",
    status_code=201,
    responses=problems(CrossSiteRefused, Invalid, PersonNeeded, TooManyOrganizations, Unauthenticated),
)
async def create_organization(body: Named, ctx: SignedIn) -> OrganizationWhole:
    """Make an organization of one's own; the session works for it from now on."""
    made = await actions.create(ctx, body.name)
    return await _whole(ctx, made.id, is_current=True)


@router.get("/organizations/{organization_id}", responses=problems(*READ))
async def read_organization(organization_id: UUID, ctx: SignedIn) -> OrganizationWhole:
    """Show an organization of who is signed in, with its seats."""
    return await _whole(ctx, organization_id)


@router.patch("/organizations/{organization_id}", responses=problems(*CHANGE))
async def rename_organization(organization_id: UUID, body: Named, ctx: SignedIn) -> OrganizationWhole:
    """Give an organization another name."""
    await actions.rename(ctx, organization_id, body.name)
    return await _whole(ctx, organization_id)


@router.delete("/organizations/{organization_id}", status_code=204, responses=problems(*CHANGE, ConfirmationNeeded))
async def delete_organization(organization_id: UUID, ctx: SignedIn) -> None:
    """Delete an organization with everything it holds, for good. Only soon after signing in, or confirming."""
    await actions.delete(ctx, organization_id)


@router.put(
    "/me/organization",
    responses=problems(CrossSiteRefused, Invalid, OrganizationNotFound, PersonNeeded, Unauthenticated),
)
async def choose_organization(body: Chosen, ctx: SignedIn) -> OrganizationWhole:
    """Let this session work for another organization of one's own; new sessions begin there, too."""
    await actions.choose(ctx, body.organization_id)
    return await _whole(ctx, body.organization_id, is_current=True)


async def _whole(ctx: Context, organization_id: UUID, *, is_current: bool | None = None) -> OrganizationWhole:
    found, room = await overview(ctx, organization_id)
    told = OrganizationEntry.of(ctx, found).model_dump()
    if is_current is not None:
        told["is_current"] = is_current
    return OrganizationWhole(**told, seats=SeatsEntry.of(room))
