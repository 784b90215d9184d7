"""Making organizations and ending them, in an open unit on the service login: what actions and handlers share."""

from uuid import UUID

from tenantry.holders.organizations import by_organization, open_for_organization
from tenantry.kernel import Context, new_id
from tenantry.kernel.audit import audit
from tenantry.kernel.notices import tell

from . import queries
from .errors import TooManyOrganizations
from .events import OrganizationDeleted
from .rows import Organization
from .standing import declared, is_billed


async def make(ctx: Context, name: str, *, owner: UUID) -> Organization:
    """An organization with its owner, and with its holder where organizations are billed."""
    made = await queries.organizations.add(ctx.db, new_id(), name=name, owner=owner)
    await queries.members.add(ctx.db, made.id, owner, "owner")
    if is_billed(ctx):
        await open_for_organization(ctx, made.id)
    await audit(ctx, "organization.created", subject=("organization", made.id), detail={"name": name})
    return made


async def end(ctx: Context, organization: Organization, *, reason: str | None = None) -> None:
    """Delete a locked organization with everything it holds. Its keys stop within a second, everywhere."""
    held = await by_organization(ctx, organization.id)
    holder_id = held.id if held else None
    detail = {"name": organization.name}
    await audit(ctx, "organization.deleted", subject=("organization", organization.id), reason=reason, detail=detail)
    await ctx.emit(OrganizationDeleted(organization.id, holder_id))
    if holder_id is not None:
        await tell(ctx, "holder", holder_id)
    await queries.organizations.remove(ctx.db, organization.id)


async def refuse_more(ctx: Context, user: UUID) -> None:
    """Let a locked person belong to one more organization, or raise `TooManyOrganizations` (409)."""
    most = declared(ctx).most
    if most is not None and (present := await queries.members.count_of_user(ctx.db, user)) >= most:
        raise TooManyOrganizations(most=most, present=present)
