"""`/v1/organizations/{id}/invitations`: whom an organization asks to join."""

from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel

from tenantry.identity.addresses import EmailAddress
from tenantry.kernel import SignedIn, problems
from tenantry.kernel.attempts import TooManyAttempts
from tenantry.kernel.idempotency import creates
from tenantry.kernel.problems import Forbidden
from tenantry.web import gettext

from .. import actions, looking
from ..errors import AlreadyMember, InvitationNotFound, InvitationOver, InvitationPending, SeatsFull
from ..rows import State
from .fields import CHANGE, READ, Body, GivenRole, InvitationEntry, Limit, Offset

router = APIRouter(prefix="/v1/organizations/{organization_id}/invitations", tags=["organizations"])


class Invite(Body):
    """Who is asked to join, as what."""

    email: EmailAddress
    role: GivenRole = "member"


class InvitationList(BaseModel):
    """Invitations, newest first."""

    items: list[InvitationEntry]
    next_cursor: UUID | None


@router.get("", responses=problems(*READ, Forbidden))
async def list_invitations(
    organization_id: UUID,
    ctx: SignedIn,
    status: State | None = None,
    limit: Limit = 50,
    cursor: UUID | None = None,
    offset: Offset = 0,
) -> InvitationList:
    """List whom an organization has invited, all of them or those of one status."""
    given = {"before": cursor, "limit": limit + 1, "offset": offset}
    found = await looking.invitations_of(ctx, organization_id, status, **given)  # type: ignore[arg-type]
    shown = [InvitationEntry.of(one) for one in found[:limit]]
    return InvitationList(items=shown, next_cursor=shown[-1].id if len(found) > limit else None)


@router.post(
    "",
    status_code=201,
    responses=problems(*CHANGE, AlreadyMember, InvitationPending, SeatsFull, TooManyAttempts),
)
async def invite(organization_id: UUID, body: Invite, request: Request, ctx: SignedIn) -> InvitationEntry:
    """Ask an address to join, by mail; only who has proven that address may accept."""
    words = gettext(request)
    return InvitationEntry.of(await actions.invite(ctx, organization_id, body.email, body.role, words=words))


@router.post(
    "/{invitation_id}/resend",
    responses=problems(*CHANGE, InvitationNotFound, InvitationOver, SeatsFull, TooManyAttempts),
)
@creates
async def resend_invitation(
    organization_id: UUID, invitation_id: UUID, request: Request, ctx: SignedIn
) -> InvitationEntry:
    """Send an invitation again; the link of the mail before works no more."""
    return InvitationEntry.of(await actions.resend(ctx, organization_id, invitation_id, words=gettext(request)))


@router.delete("/{invitation_id}", responses=problems(*CHANGE, InvitationNotFound, InvitationOver))
async def revoke_invitation(organization_id: UUID, invitation_id: UUID, ctx: SignedIn) -> InvitationEntry:
    """Take an invitation back."""
    return InvitationEntry.of(await actions.revoke(ctx, organization_id, invitation_id))
