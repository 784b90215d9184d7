"""An organization for a demo, with people in it and somebody it waits for. A door beside the room's own."""

from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID

from tenantry.kernel import Context, new_id
from tenantry.kernel.audit import audit
from tenantry.kernel.crypto import token_hash
from tenantry.kernel.ids import new_token

from . import queries
from .actions.inviting import TOKEN_PREFIX
from .errors import SeatsFull
from .making import make
from .seats import refuse_invited, refuse_joining
from .standing import declared

__all__ = ["make_demo_organization"]


async def make_demo_organization(
    ctx: Context, name: str, *, owner: UUID, members: Sequence[UUID] = (), invited: Sequence[str] = ()
) -> tuple[UUID, bool]:
    """The organization of that name that `owner` owns, made if there is none; answers its id and whether it is new.

    Who finds every seat taken is left out. No mail is sent: who is invited finds the invitation after signing in.
    Needs the service login, in an open unit. For development only.
    """
    if ctx.settings.is_production:
        msg = "organizations of the demo are not made in production"
        raise RuntimeError(msg)
    for one in await queries.organizations.owned(ctx.db, owner):
        if one.name == name:
            return one.id, False
    made = await make(ctx, name, owner=owner)
    with suppress(SeatsFull):
        for person in members:
            await refuse_joining(ctx, made.id)
            await queries.members.add(ctx.db, made.id, person, "member")
            await audit(ctx, "organization.joined", subject=("organization", made.id), detail={"role": "member"})
        for email in invited:
            await refuse_invited(ctx, made.id)
            await _invite(ctx, made.id, email, by=owner)
    for person in (owner, *members):
        if await queries.members.role(ctx.db, made.id, person):
            await queries.members.choose(ctx.db, made.id, person, session=None)
    return made.id, True


async def _invite(ctx: Context, organization_id: UUID, email: str, *, by: UUID) -> None:
    invitation = await queries.invitations.add(
        ctx.db,
        new_id(),
        declared(ctx).invitation_lifetime,
        organization_id=organization_id,
        email=email,
        role="member",
        # Nobody knows the token: the invitation is answered by its id.
        token_hash=token_hash(new_token(TOKEN_PREFIX)),
        invited_by=by,
    )
    detail = {"invitation_id": str(invitation.id), "email": email, "role": "member"}
    await audit(ctx, "organization.invited", subject=("organization", organization_id), detail=detail)
