"""What people change about themselves."""

from tenantry.kernel import Context
from tenantry.kernel.audit import audit

from .. import queries


async def change_name(ctx: Context, name: str | None) -> None:
    """Give the signed-in user another name, one that `person_name` lets through, or none."""
    await queries.rename(ctx.db, ctx.user_id, name)
    await audit(ctx, "user.renamed", subject=("user", ctx.user_id))
