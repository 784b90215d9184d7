"""The holders of organizations. A door of its own, beside that of the room, for who keeps the organizations."""

from uuid import UUID

from tenantry.kernel import Context, new_id
from tenantry.kernel.context import Holder

from . import queries

__all__ = ["by_organization", "open_for_organization"]


async def open_for_organization(ctx: Context, organization_id: UUID) -> Holder:
    """Make the holder of a new organization, on the default plan.

    Needs the service login, in the unit that makes the organization.
    """
    plan = ctx.product.default.name
    return await queries.create_for_organization(ctx.db, new_id(), organization_id=organization_id, plan=plan)


async def by_organization(ctx: Context, organization_id: UUID) -> Holder | None:
    """The holder of an organization; None where there is none, or it is not the reader's to see."""
    return await queries.by_organization(ctx.db, organization_id)
