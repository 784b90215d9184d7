"""What is done to organizations by itself."""

from datetime import timedelta
from typing import Any

from tenantry.kernel import Context
from tenantry.kernel.module import Job
from tenantry.kernel.retention import forget

from .queries.invitations import EXPIRED

KEPT = timedelta(days=90)
"""After an invitation's end, whatever became of it: it holds the address of somebody who may never have come here."""


async def _forget(ctx: Context, _payload: dict[str, Any]) -> None:
    await forget(ctx, EXPIRED, before=ctx.clock.now() - KEPT)


FORGET_INVITATIONS = Job("organizations.forget_invitations", _forget, every=timedelta(hours=1))
