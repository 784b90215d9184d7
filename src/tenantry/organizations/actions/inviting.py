"""Asking people to join: invite, send again, take back."""

from typing import Literal
from uuid import UUID

from tenantry.identity.addresses import clean_email
from tenantry.kernel import Context, new_id
from tenantry.kernel.audit import audit
from tenantry.kernel.crypto import token_hash
from tenantry.kernel.ids import new_token
from tenantry.kernel.problems import Invalid
from tenantry.web import Translator

from .. import queries
from ..errors import AlreadyMember, InvitationNotFound, InvitationOver, InvitationPending, OrganizationNotFound
from ..letters import Asked, Drawn, draw, invitation_letter, post
from ..limits import count_invitation
from ..roles import INVITE, Role
from ..rows import Invitation, OwnOrganization
from ..seats import refuse_invited
from ..standing import changing, declared, look

TOKEN_PREFIX = "invitation"  # noqa: S105 - how a token begins, and none itself


async def invite(
    ctx: Context,
    organization_id: UUID,
    email: str,
    role: Literal["admin", "member"] = "member",
    *,
    words: Translator | None = None,
) -> Invitation:
    """Ask whoever has this address to join as `role`, by a mail in the language of `words`.

    Raises `AlreadyMember`, `InvitationPending` (with its id), `SeatsFull` (all 409), `TooManyAttempts`, and `Invalid`
    for what is no address.
    """
    address = clean_email(email)
    if address is None:
        wrong = {"field": "body.email", "message": "Use an e-mail address, for example ada@example.com."}
        raise Invalid(errors=[{**wrong, "code": "value_error"}])
    async with ctx.service(writes=False) as reading:
        found = await look(reading, organization_id, INVITE)
    await count_invitation(ctx, organization_id, address)
    token = new_token(TOKEN_PREFIX)
    drawn = await _drawn(ctx, found, role, token, words or Translator())
    async with changing(ctx, organization_id, INVITE) as (working, _standing):
        await _refuse_known(working, organization_id, address)
        await refuse_invited(working, organization_id)
        made = await queries.invitations.add(
            working.db,
            new_id(),
            declared(ctx).invitation_lifetime,
            organization_id=organization_id,
            email=address,
            role=role,
            token_hash=token_hash(token),
            invited_by=ctx.user_id,
        )
        detail = {"invitation_id": str(made.id), "email": address, "role": role}
        await audit(working, "organization.invited", subject=("organization", organization_id), detail=detail)
        await post(working, [address], drawn)
    return made


async def resend(
    ctx: Context, organization_id: UUID, invitation_id: UUID, *, words: Translator | None = None
) -> Invitation:
    """Send an undecided invitation again, with a new link and a new end; the link of the old mail works no more.

    Raises `InvitationNotFound`, `InvitationOver` (409), `SeatsFull` (409) for one that had expired, `TooManyAttempts`.
    """
    async with ctx.service(writes=False) as reading:
        own = await look(reading, organization_id, INVITE)
        found = await _undecided(reading, organization_id, invitation_id)
    await count_invitation(ctx, organization_id, found.email)
    token = new_token(TOKEN_PREFIX)
    drawn = await _drawn(ctx, own, found.role, token, words or Translator())
    async with changing(ctx, organization_id, INVITE) as (working, _standing):
        found = await _undecided(working, organization_id, invitation_id)
        if found.state == "expired":
            await refuse_invited(working, organization_id)
        lifetime = declared(ctx).invitation_lifetime
        sent = await queries.invitations.send_anew(working.db, invitation_id, lifetime, token)
        if sent is None:
            raise InvitationOver(state=found.state)
        await _audit(working, "organization.invitation_resent", sent)
        await post(working, [sent.email], drawn)
    return sent


async def revoke(ctx: Context, organization_id: UUID, invitation_id: UUID) -> Invitation:
    """Take an undecided invitation back, also one that has expired. Raises `InvitationNotFound`, `InvitationOver`."""
    async with changing(ctx, organization_id, INVITE) as (working, _standing):
        found = await _undecided(working, organization_id, invitation_id)
        taken = await queries.invitations.decide(working.db, invitation_id, "revoked", in_time=False)
        if taken is None:
            raise InvitationOver(state=found.state)
        await _audit(working, "organization.invitation_revoked", taken)
    return taken


async def _undecided(ctx: Context, organization_id: UUID, invitation_id: UUID) -> Invitation:
    found = await queries.invitations.one(ctx.db, organization_id, invitation_id)
    if found is None:
        raise InvitationNotFound
    if found.status != "pending":
        raise InvitationOver(state=found.state)
    return found


async def _refuse_known(ctx: Context, organization_id: UUID, email: str) -> None:
    if await queries.members.of_email(ctx.db, organization_id, email) is not None:
        raise AlreadyMember
    waiting = await queries.invitations.pending_of(ctx.db, organization_id, email)
    if waiting is not None and waiting.state == "pending":
        raise InvitationPending(invitation_id=str(waiting.id))
    if waiting is not None:
        # Too late to be accepted: the new one takes its place.
        await queries.invitations.decide(ctx.db, waiting.id, "revoked", in_time=False)


async def _drawn(ctx: Context, own: OwnOrganization, role: Role, token: str, words: Translator) -> Drawn:
    async with ctx.service(writes=False) as reading:
        inviter = await queries.organizations.person(reading.db, ctx.user_id)
    if inviter is None:
        raise OrganizationNotFound
    asked = Asked(own.name, role, inviter, ctx.clock.now() + declared(ctx).invitation_lifetime)
    return draw(ctx, invitation_letter(ctx, words, asked, token=token), words)


async def _audit(ctx: Context, action: str, invitation: Invitation) -> None:
    detail = {"invitation_id": str(invitation.id), "email": invitation.email}
    await audit(ctx, action, subject=("organization", invitation.organization_id), detail=detail)
