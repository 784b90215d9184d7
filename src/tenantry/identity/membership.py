"""What billing writes of a person: a door beside the room's own, for who keeps subscriptions."""

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from tenantry.kernel import Context
from tenantry.kernel.audit import audit

from . import queries

__all__ = ["Membership", "put_membership"]


class Membership(msgspec.Struct, frozen=True):
    """A person's role by what is paid and granted, and how their subscriptions stand.

    PREMIUM is in force until `until`; None: no end is known.
    """

    role: Literal["USER", "PREMIUM"]
    until: datetime | None
    status: Literal["ACTIVE", "INACTIVE", "CANCELED", "PAST_DUE"]


async def put_membership(ctx: Context, user_id: UUID, membership: Membership, *, before: str) -> None:
    """Write it in one statement, and audit another role than the one `before`. Who is an ADMIN stays one.

    In the open unit on the service login; who calls it leaves it when nothing changes.
    """
    await queries.roles.put_membership(
        ctx.db, user_id, role=membership.role, until=membership.until, status=membership.status
    )
    if before not in {membership.role, "ADMIN"}:
        detail = {"role": membership.role, "before": before}
        await audit(ctx, "user.role_set", subject=("user", user_id), reason="subscriptions", detail=detail)
