"""Whose a holder is: a door beside the room's own, for rooms that keep what organizations have."""

from uuid import UUID

import msgspec

from tenantry.holders import HolderNotFound, by_id, set_plan
from tenantry.kernel import Context

from .queries.answering import OwnedHolder, answering, first_owned, one

__all__ = ["GrantedToOrganization", "OwnedHolder", "answering", "first_owned", "grant_plan_to", "owned_holder"]


class GrantedToOrganization(msgspec.Struct, frozen=True):
    """A plan that was given by hand, and the one in force before and since: a higher one that is paid for stays."""

    organization_id: UUID
    name: str
    email: str
    granted: str
    before: str
    plan: str


async def owned_holder(ctx: Context, whom: str) -> OwnedHolder | None:
    """The holder that is meant by an organization's id, or by its owner's address: that of their first organization.

    Needs the service login, in an open unit. None when there is no such organization.
    """
    try:
        organization = UUID(whom)
    except ValueError:
        return await first_owned(ctx.db, whom)
    return await one(ctx.db, organization)


async def grant_plan_to(ctx: Context, whom: str, plan: str, *, reason: str) -> GrantedToOrganization:
    """Give an organization a plan by hand, audited; `whom` as `owned_holder` has it. The default plan takes it back.

    No unit is open. Raises `HolderNotFound` when nobody is meant, and `PlanUnknown`.
    """
    async with ctx.service() as working:
        found = await owned_holder(working, whom)
        if found is None:
            raise HolderNotFound("There is no such organization, and nobody with that address owns one.")
        await set_plan(working, found.holder.id, plan, source="admin", reason=reason)
        stands = await by_id(working.db, found.holder.id)
        now = stands.plan if stands else plan
        return GrantedToOrganization(found.organization_id, found.name, found.email, plan, found.holder.plan, now)
