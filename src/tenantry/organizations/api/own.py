"""`/v1/invitations`: those that wait for who is signed in, and their answers."""

from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from tenantry.kernel import SignedIn, problems
from tenantry.kernel.idempotency import creates
from tenantry.kernel.problems import Invalid, PersonNeeded, Unauthenticated
from tenantry.web import CrossSiteRefused

from .. import actions, looking
from ..errors import (
    AlreadyMember,
    InvitationNotFound,
    InvitationOver,
    InvitedOther,
    InvitedUnproven,
    SeatsFull,
    TooManyOrganizations,
)
from .fields import Body, Limit, Offset, OwnInvitation

router = APIRouter(prefix="/v1/invitations", tags=["organizations"])

_READ = (Invalid, PersonNeeded, Unauthenticated)
_ANSWER = (*_READ, CrossSiteRefused, InvitationNotFound, InvitationOver, InvitedUnproven)
_JOIN = (*_ANSWER, AlreadyMember, SeatsFull, TooManyOrganizations)


class Shown(Body):
    """The token of an invitation's mail."""

    token: str = Field(min_length=1, max_length=200)


class OwnInvitationList(BaseModel):
    """Invitations, newest first."""

    items: list[OwnInvitation]
    next_cursor: UUID | None


class Joined(BaseModel):
    """The organization that was joined; the session works for it now."""

    organization_id: UUID
    name: str


@router.get("", responses=problems(*_READ))
async def list_own_invitations(
    ctx: SignedIn, limit: Limit = 50, cursor: UUID | None = None, offset: Offset = 0
) -> OwnInvitationList:
    """List the invitations that wait for who is signed in: those to the address that they have proven."""
    found = await looking.invitations_for(ctx, before=cursor, limit=limit + 1, offset=offset)
    shown = [OwnInvitation.of(one) for one in found[:limit]]
    return OwnInvitationList(items=shown, next_cursor=shown[-1].id if len(found) > limit else None)


@router.post("/accept", responses=problems(*_JOIN, InvitedOther))
@creates
async def accept_by_token(body: Shown, ctx: SignedIn) -> Joined:
    """Join the organization whose mail holds this token."""
    made = await actions.accept(ctx, body.token)
    return Joined(organization_id=made.id, name=made.name)


@router.post("/decline", status_code=204, responses=problems(*_ANSWER, InvitedOther))
async def decline_by_token(body: Shown, ctx: SignedIn) -> None:
    """Say no to the invitation whose mail holds this token."""
    await actions.decline(ctx, body.token)


@router.post("/{invitation_id}/accept", responses=problems(*_JOIN))
@creates
async def accept_invitation(invitation_id: UUID, ctx: SignedIn) -> Joined:
    """Join the organization that asks."""
    made = await actions.accept(ctx, invitation_id)
    return Joined(organization_id=made.id, name=made.name)


@router.post("/{invitation_id}/decline", status_code=204, responses=problems(*_ANSWER))
async def decline_invitation(invitation_id: UUID, ctx: SignedIn) -> None:
    """Say no."""
    await actions.decline(ctx, invitation_id)
