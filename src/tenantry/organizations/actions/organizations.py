"""Organizations themselves: create, rename, delete, and choose which one a session works for."""

from uuid import UUID

from tenantry.identity.recent import require_recent
from tenantry.kernel import Context
from tenantry.kernel.audit import audit
from tenantry.kernel.database.failures import ForeignKeyViolation
from tenantry.kernel.problems import Unauthenticated

from .. import queries
from ..errors import OrganizationNotFound
from ..making import end, make, refuse_more
from ..roles import DELETE, EDIT
from ..rows import Organization
from ..standing import changing, declared


async def create(ctx: Context, name: str) -> Organization:
    """A new organization that the signed-in person owns, with a holder where organizations are billed.

    `name` is one that `organization_name` lets through. The session works for it from now on. Raises
    `TooManyOrganizations` (409).
    """
    declared(ctx)
    user = ctx.user_id
    async with ctx.service() as working:
        if await queries.organizations.lock_person(working.db, user) is None:
            raise Unauthenticated
        await refuse_more(working, user)
        made = await make(working, name, owner=user)
        await queries.members.choose(working.db, made.id, user, session=ctx.actor.session_id)
    return made


async def rename(ctx: Context, organization_id: UUID, name: str) -> Organization:
    """Give an organization another name, one that `organization_name` lets through."""
    async with changing(ctx, organization_id, EDIT) as (working, standing):
        before = standing.organization
        if before.name == name:
            return before
        renamed = await queries.organizations.rename(working.db, organization_id, name)
        detail = {"before": before.name, "name": name}
        await audit(working, "organization.renamed", subject=("organization", organization_id), detail=detail)
    return renamed


async def delete(ctx: Context, organization_id: UUID) -> None:
    """Delete an organization with everything it holds: memberships, invitations, keys, usage. For good.

    Raises `ConfirmationNeeded` (403) unless who asks has just shown who they are.
    """
    async with changing(ctx, organization_id, DELETE) as (working, standing):
        require_recent(ctx)
        await end(working, standing.organization)


async def choose(ctx: Context, organization_id: UUID) -> Organization:
    """Let the session work for an organization of the person's; sessions that begin later begin there, too."""
    user = ctx.user_id
    try:
        async with ctx.service() as working:
            found = await queries.organizations.by_id(working.db, organization_id)
            if found is None or await queries.members.role(working.db, organization_id, user) is None:
                raise OrganizationNotFound
            await queries.members.choose(working.db, organization_id, user, session=ctx.actor.session_id)
    except ForeignKeyViolation as gone:
        # Removed in this moment, or the session has ended.
        raise OrganizationNotFound from gone
    return found
