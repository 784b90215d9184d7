"""Looking at organizations of one's own, on the service login.

Other people's names and an owner's plan are nobody else's to read: what may be seen of them is decided here.
"""

from uuid import UUID

from tenantry.kernel import Context

from . import queries
from .roles import INVITE
from .rows import Invitation, Member, Offered, OwnOrganization, State
from .seats import Room, room_of
from .standing import look

WAITING_MAX = 5
"""Invitations to a person that are shown beside something else."""


async def overview(ctx: Context, organization_id: UUID) -> tuple[OwnOrganization, Room]:
    """An organization of who asks, with its seats. Raises `OrganizationNotFound`."""
    async with ctx.service(writes=False) as reading:
        found = await look(reading, organization_id)
        return found, await room_of(reading, organization_id)


async def members_of(
    ctx: Context, organization_id: UUID, *, after: UUID | None = None, limit: int = 50, offset: int = 0
) -> list[Member]:
    """Who belongs to an organization of who asks. Raises `OrganizationNotFound`."""
    async with ctx.service(writes=False) as reading:
        await look(reading, organization_id)
        given = {"after": after, "limit": limit, "offset": offset}
        return await queries.members.page(reading.db, ctx.user_id, organization_id, **given)  # type: ignore[arg-type]


async def invitations_of(
    ctx: Context,
    organization_id: UUID,
    state: State | None = "pending",
    *,
    before: UUID | None = None,
    limit: int = 50,
    offset: int = 0,
) -> list[Invitation]:
    """Whom an organization has invited: for who may invite. Raises `OrganizationNotFound`, `Forbidden`."""
    async with ctx.service(writes=False) as reading:
        await look(reading, organization_id, INVITE)
        return await queries.invitations.page(
            reading.db, organization_id, state=state, before=before, limit=limit, offset=offset
        )


async def invitations_for(
    ctx: Context, *, before: UUID | None = None, limit: int = 50, offset: int = 0
) -> list[Offered]:
    """The invitations that wait for who asks: to the address that they have proven."""
    async with ctx.service(writes=False) as reading:
        return await queries.invitations.for_person(reading.db, ctx.user_id, before=before, limit=limit, offset=offset)
