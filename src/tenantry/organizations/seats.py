"""How many may belong to an organization: what its plan says, or its owner's, where people are billed."""

from uuid import UUID

import msgspec

from tenantry.kernel import Context

from . import queries
from .errors import SeatsFull
from .standing import declared, is_billed


class Room(msgspec.Struct, frozen=True):
    """The seats of an organization: those of members, those kept for who is invited, and how many there are.

    `limit` None: any number.
    """

    members: int
    invited: int
    limit: int | None

    @property
    def used(self) -> int:
        return self.members + self.invited


async def room_of(ctx: Context, organization_id: UUID) -> Room:
    """The seats of an organization; on the service login, for an owner's plan is not the others' to see."""
    found = await queries.organizations.seats(ctx.db, organization_id, is_billed=is_billed(ctx))
    count = declared(ctx).seats
    plan = found.plan or ctx.product.default.name
    return Room(found.members, found.invited, None if count is None else ctx.product.limit(plan, count))


async def refuse_invited(ctx: Context, organization_id: UUID) -> None:
    """Let one more be invited into a locked organization, or raise `SeatsFull` (409): a seat is kept for them."""
    room = await room_of(ctx, organization_id)
    if room.limit is not None and room.used + 1 > room.limit:
        raise _full(ctx, room.limit, room.used)


async def refuse_joining(ctx: Context, organization_id: UUID) -> None:
    """Let one who was invited into a locked organization join, or raise `SeatsFull` (409).

    Their seat was kept, but the plan may have become a smaller one: then nobody leaves, and nobody comes.
    """
    room = await room_of(ctx, organization_id)
    if room.limit is not None and room.members + 1 > room.limit:
        raise _full(ctx, room.limit, room.members)


def _full(ctx: Context, limit: int, used: int) -> SeatsFull:
    told = f"This organization has {limit} seats, and {used} are taken."
    return SeatsFull(told, limit=limit, used=used, upgrade=f"{ctx.settings.public_url}/pricing")
