"""`/v1/organizations/{id}/members`: who belongs to it, as what; leaving it, and handing it over."""

from datetime import datetime
from typing import Self
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel

from tenantry.identity.recent import ConfirmationNeeded
from tenantry.kernel import SignedIn, problems
from tenantry.web import gettext

from .. import actions, looking
from ..errors import MemberNotFound, OwnerBlocked, OwnerStays
from ..roles import Role
from ..rows import Member
from .fields import CHANGE, READ, Body, GivenRole, Limit, Offset

router = APIRouter(prefix="/v1/organizations/{organization_id}", tags=["organizations"])


class MemberEntry(BaseModel):
    """Somebody who belongs to the organization."""

    user_id: UUID
    name: str | None
    email: str
    image: str | None
    role: Role
    joined_at: datetime

    @classmethod
    def of(cls, found: Member) -> Self:
        return cls(**{name: getattr(found, name) for name in cls.model_fields})


class MemberList(BaseModel):
    """Members, in the order of when they signed up here."""

    items: list[MemberEntry]
    next_cursor: UUID | None


class RoleChange(Body):
    """What a member is to be. The owner is made by a transfer only."""

    role: GivenRole


class Transfer(Body):
    """The member who is to be the owner."""

    user_id: UUID


@router.get("/members", responses=problems(*READ))
async def list_members(
    organization_id: UUID, ctx: SignedIn, limit: Limit = 50, cursor: UUID | None = None, offset: Offset = 0
) -> MemberList:
    """List who belongs to an organization of one's own."""
    found = await looking.members_of(ctx, organization_id, after=cursor, limit=limit + 1, offset=offset)
    shown = [MemberEntry.of(one) for one in found[:limit]]
    return MemberList(items=shown, next_cursor=shown[-1].user_id if len(found) > limit else None)


@router.patch("/members/{user_id}", status_code=204, responses=problems(*CHANGE, MemberNotFound, OwnerStays))
async def change_member(organization_id: UUID, user_id: UUID, body: RoleChange, ctx: SignedIn) -> None:
    """Make a member an admin, or an admin a member."""
    await actions.change_role(ctx, organization_id, user_id, body.role)


@router.delete("/members/{user_id}", status_code=204, responses=problems(*CHANGE, MemberNotFound, OwnerStays))
async def remove_member(organization_id: UUID, user_id: UUID, ctx: SignedIn) -> None:
    """Take somebody out. Oneself: that is leaving."""
    await actions.remove(ctx, organization_id, user_id)


@router.post("/leave", status_code=204, responses=problems(*CHANGE, OwnerStays))
async def leave_organization(organization_id: UUID, ctx: SignedIn) -> None:
    """Leave an organization; its owner hands it over first."""
    await actions.leave(ctx, organization_id)


@router.post(
    "/transfer", status_code=204, responses=problems(*CHANGE, ConfirmationNeeded, MemberNotFound, OwnerBlocked)
)
async def transfer_organization(organization_id: UUID, body: Transfer, request: Request, ctx: SignedIn) -> None:
    """Make another member the owner; who was it is an admin then. Only soon after signing in, or confirming."""
    await actions.transfer(ctx, organization_id, body.user_id, words=gettext(request))
