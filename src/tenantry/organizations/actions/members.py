"""Who belongs to an organization, and as what: leave, remove, change a role, hand it over. Never without an owner."""

from typing import Literal
from uuid import UUID

from tenantry.identity.recent import require_recent
from tenantry.kernel import Context
from tenantry.kernel.audit import audit
from tenantry.web import Translator

from .. import queries
from ..errors import MemberNotFound, OwnerBlocked, OwnerStays
from ..letters import draw, handed_over_letter, post
from ..roles import CHANGE_ROLE, REMOVE, TRANSFER
from ..rows import Organization
from ..standing import changing, look


async def leave(ctx: Context, organization_id: UUID) -> None:
    """Leave an organization, with the invitations that one sent or might come back by; keys that one made stay.

    Raises `OwnerStays` (409) for its owner.
    """
    async with changing(ctx, organization_id, None) as (working, standing):
        if standing.role == "owner":
            raise OwnerStays
        await queries.members.remove(working.db, organization_id, ctx.user_id)
        await queries.invitations.revoke_of(working.db, organization_id, ctx.user_id)
        subject = ("organization", organization_id)
        await audit(working, "organization.left", subject=subject, detail={"role": standing.role})


async def remove(ctx: Context, organization_id: UUID, user_id: UUID) -> None:
    """Take a member out, an admin too, with the invitations that they sent or might come back by.

    Removing oneself is leaving, which needs no permission. Raises `MemberNotFound`, `OwnerStays`.
    """
    if user_id == ctx.user_id:
        await leave(ctx, organization_id)
        return
    async with changing(ctx, organization_id, REMOVE, other=user_id) as (working, standing):
        if standing.of_other == "owner":
            raise OwnerStays
        await queries.members.remove(working.db, organization_id, user_id)
        await queries.invitations.revoke_of(working.db, organization_id, user_id)
        detail = {"user_id": str(user_id), "role": standing.of_other}
        await audit(working, "organization.member_removed", subject=("organization", organization_id), detail=detail)


async def change_role(ctx: Context, organization_id: UUID, user_id: UUID, role: Literal["admin", "member"]) -> None:
    """Make a member an admin, or an admin a member, oneself too. Raises `MemberNotFound`, `OwnerStays`.

    Who is no admin any more keeps no invitations open, either.
    """
    async with changing(ctx, organization_id, CHANGE_ROLE, other=user_id) as (working, standing):
        before = standing.of_other
        if before == "owner":
            raise OwnerStays
        if before == role:
            return
        await queries.members.set_role(working.db, organization_id, user_id, role)
        if role == "member":
            await queries.invitations.revoke_by(working.db, organization_id, user_id)
        detail = {"user_id": str(user_id), "before": before, "role": role}
        await audit(working, "organization.role_changed", subject=("organization", organization_id), detail=detail)


async def transfer(
    ctx: Context, organization_id: UUID, to_user_id: UUID, *, words: Translator | None = None
) -> Organization:
    """Make another member the owner, who asks an admin, and write to both, in `words`' language.

    Raises `ConfirmationNeeded` (403) unless they have just shown who they are: whoever finds a browser open could
    invite themselves, and take the organization over. Also `MemberNotFound`, `OwnerBlocked` (409) for who is banned.
    """
    words = words or Translator()
    async with ctx.service(writes=False) as reading:
        found = await look(reading, organization_id, TRANSFER)
        by = await queries.organizations.person(reading.db, ctx.user_id)
        to = await queries.organizations.person(reading.db, to_user_id)
    require_recent(ctx)
    if by is None or to is None:
        raise MemberNotFound
    drawn = draw(ctx, handed_over_letter(ctx, words, found.name, by=by, to=to), words)
    async with changing(ctx, organization_id, TRANSFER, other=to_user_id) as (working, standing):
        if standing.of_other == "owner":
            return standing.organization
        if await queries.members.is_banned(working.db, to_user_id):
            raise OwnerBlocked
        # In this order: there are never two owners, and whether there is one is looked at in the end.
        await queries.members.set_role(working.db, organization_id, ctx.user_id, "admin")
        await queries.members.set_role(working.db, organization_id, to_user_id, "owner")
        handed = await queries.organizations.hand_over(working.db, organization_id, to_user_id)
        detail = {"from": str(ctx.user_id), "to": str(to_user_id)}
        await audit(working, "organization.transferred", subject=("organization", organization_id), detail=detail)
        await post(working, [one.email for one in (by, to) if one.proven], drawn)
    return handed
