"""What organizations add to what a person takes along."""

from collections.abc import Sequence

from tenantry.kernel import Context

from . import queries
from .rows import Invitation, OwnOrganization


async def collect_organizations(ctx: Context) -> Sequence[OwnOrganization]:
    """The organizations that the person belongs to, and as what."""
    return await queries.organizations.of_user(ctx.db, ctx.user_id)


async def collect_invitations(ctx: Context) -> Sequence[Invitation]:
    """The invitations that the person sent, in organizations that they belong to still."""
    return await queries.invitations.sent_by(ctx.db, ctx.user_id)
