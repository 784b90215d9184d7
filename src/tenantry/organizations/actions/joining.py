"""Answering an invitation: accept, decline. Only who has proven the address that was invited may do either."""

from typing import Literal
from uuid import UUID

from tenantry.kernel import Context
from tenantry.kernel.audit import audit
from tenantry.kernel.problems import Unauthenticated

from .. import queries
from ..errors import AlreadyMember, InvitationNotFound, InvitationOver, InvitedOther, InvitedUnproven
from ..making import refuse_more
from ..names import masked
from ..rows import Invitation, Offered, Organization, Person
from ..seats import refuse_joining
from ..standing import declared


async def accept(ctx: Context, which: UUID | str) -> Organization:
    """Join the organization that asks: `which` is the invitation's id, or the token of its mail.

    The invitation is used up and the membership written together; the session works for the organization from now on.
    Raises `InvitationNotFound`, `InvitedOther`, `InvitedUnproven`, `InvitationOver`, `AlreadyMember`, `SeatsFull`,
    `TooManyOrganizations`.
    """
    declared(ctx)
    user = ctx.user_id
    async with ctx.service() as working:
        joined, waiting = await _answering(working, which)
        organization_id = joined.id
        invitation = await _decided(working, waiting, "accepted")
        await refuse_more(working, user)
        await refuse_joining(working, organization_id)
        if not await queries.members.add(working.db, organization_id, user, invitation.role):
            raise AlreadyMember
        await queries.members.choose(working.db, organization_id, user, session=ctx.actor.session_id)
        detail = {"invitation_id": str(invitation.id), "role": invitation.role}
        await audit(working, "organization.joined", subject=("organization", organization_id), detail=detail)
    return joined


async def decline(ctx: Context, which: UUID | str) -> Invitation:
    """Say no to an invitation, given as to `accept`.

    Raises `InvitationNotFound`, `InvitedOther`, `InvitedUnproven`, `InvitationOver`.
    """
    async with ctx.service() as working:
        asking, waiting = await _answering(working, which)
        invitation = await _decided(working, waiting, "declined")
        detail = {"invitation_id": str(invitation.id)}
        await audit(working, "organization.declined", subject=("organization", asking.id), detail=detail)
    return invitation


async def find(ctx: Context, which: UUID | str) -> Offered:
    """An invitation by its id or by its mail's token, left as it is; on the service login.

    Raises `InvitationNotFound`.
    """
    if isinstance(which, str):
        found = await queries.invitations.by_token(ctx.db, which)
    else:
        found = await queries.invitations.by_id(ctx.db, which)
    if found is None:
        raise InvitationNotFound
    return found


def refuse_other(offered: Offered, person: Person, *, by_token: bool) -> None:
    """Let only whom an invitation is for look further: who has proven exactly its address.

    By an id alone nobody else is told that there is an invitation.
    """
    if person.email.casefold() != offered.invitation.email.casefold():
        if not by_token:
            raise InvitationNotFound
        invited = masked(offered.invitation.email)
        raise InvitedOther(f"This invitation is for {invited}. Sign in with that address.", invited=invited)
    if not person.proven:
        raise InvitedUnproven


async def _answering(ctx: Context, which: UUID | str) -> tuple[Organization, Invitation]:
    # The person first, then the organization: as whoever closes an account does.
    person = await queries.organizations.lock_person(ctx.db, ctx.user_id)
    if person is None:
        raise Unauthenticated
    offered = await find(ctx, which)
    refuse_other(offered, person, by_token=isinstance(which, str))
    organization = await queries.organizations.lock(ctx.db, offered.invitation.organization_id, user=None)
    if organization is None:
        raise InvitationNotFound
    # Once more: it may have been decided, or sent anew with another token, by whom the lock waited for.
    return organization, (await find(ctx, which)).invitation


async def _decided(ctx: Context, invitation: Invitation, status: Literal["accepted", "declined"]) -> Invitation:
    decided = await queries.invitations.decide(ctx.db, invitation.id, status)
    if decided is None:
        raise InvitationOver(state=invitation.state)
    return decided
