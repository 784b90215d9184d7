"""What operators do with people: a door beside the room's own, for commands and the operator's pages."""

from uuid import UUID

import msgspec

from tenantry.holders import by_user, set_plan
from tenantry.kernel import Context

from . import queries
from .actions.lost_factors import forget_factors
from .actions.operators import (
    Appointed,
    appoint,
    ban,
    close_account,
    dismiss,
    end_sessions,
    lift,
    operators,
    set_role,
)
from .errors import PlanOfOrganizations, UserNotFound
from .rights import ADMINISTER, stated

__all__ = [
    "ADMINISTER",
    "Appointed",
    "Granted",
    "appoint",
    "ban",
    "close_account",
    "dismiss",
    "end_sessions",
    "forget_factors",
    "grant_plan",
    "lift",
    "operators",
    "refuse_plans_of_organizations",
    "set_role",
    "stated",
]


class Granted(msgspec.Struct, frozen=True):
    """A plan that was given by hand, and the one in force before and since: a higher one that is paid for stays."""

    user_id: UUID
    email: str
    granted: str
    before: str
    plan: str


async def grant_plan(ctx: Context, email: str, plan: str, *, reason: str) -> Granted:
    """Give the person with this address a plan by hand, audited; the default plan takes back what was given.

    No unit is open. Raises `UserNotFound`, also for who has left or never proved the address, `PlanUnknown`, and
    `PlanOfOrganizations` where organizations are billed: what a person holds by themselves counts for nothing there.
    """
    refuse_plans_of_organizations(ctx)
    async with ctx.service() as working:
        user = await queries.users.of_email(working.db, email)
        if user is None or user.deleted_at is not None or user.email_verified_at is None:
            raise UserNotFound
        held = await by_user(working.db, user.id)
        if held is None:
            raise UserNotFound
        await set_plan(working, held.id, plan, source="admin", reason=reason)
        stands = await by_user(working.db, user.id)
        return Granted(user.id, user.email, plan, held.plan, stands.plan if stands else plan)


def refuse_plans_of_organizations(ctx: Context) -> None:
    """Raise `PlanOfOrganizations` where people hold no plans."""
    if ctx.product.billed == "organization":
        raise PlanOfOrganizations
