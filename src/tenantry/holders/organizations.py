"""The holders of organizations. A door of its own, beside that of the room, for who keeps the organizations."""

from collections.abc import Sequence
from uuid import UUID

from tenantry.kernel import Context, new_id
from tenantry.kernel.context import Holder

from . import queries

__all__ = ["by_organization", "open_for_organization", "open_for_organizations"]


async def open_for_organization(ctx: Context, organization_id: UUID) -> Holder:
    """Make the holder of a new organization, on the default plan.

    Needs the service login, in the unit that makes the organization.
    """
    plan = ctx.product.default.name
    return await queries.create_for_organization(ctx.db, new_id(), organization_id=organization_id, plan=plan)


async def open_for_organizations(ctx: Context, organization_ids: Sequence[UUID]) -> int:
    """The same for organizations that were made when people held the plans; answers how many had none."""
    opened = {one: new_id() for one in organization_ids}
    return await queries.create_for_organizations(ctx.db, opened, plan=ctx.product.default.name)


async def by_organization(ctx: Context, organization_id: UUID) -> Holder | None:
    """The holder of an organization; None where there is none, or it is not the reader's to see."""
    return await queries.by_organization(ctx.db, organization_id)
