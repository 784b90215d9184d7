"""What an operator changes: with the right, and a reason that the audit log keeps. No unit is open."""

from uuid import UUID

from tenantry.billing import operating as billing
from tenantry.billing.operating import SubscriptionNotFound
from tenantry.identity.operating import ADMINISTER, stated
from tenantry.kernel import Context
from tenantry.kernel.audit import audit
from tenantry.kernel.jobs import operating as jobs

from .errors import AddressUnproven, NotReplayable, PurchaseOwned


async def replay_event(ctx: Context, event_id: UUID, *, reason: str) -> None:
    """Let an event be worked on again: what it is about is read from its provider once more.

    Raises `ReasonMissing` and `NotReplayable`.
    """
    ctx.require(ADMINISTER)
    if not await billing.replay(ctx, event_id, reason=stated(reason)):
        raise NotReplayable


async def claim_purchase(ctx: Context, subscription_id: UUID, email: str, *, reason: str) -> None:
    """Give a purchase that is nobody's to the person with that proven address.

    Raises `ReasonMissing`, `AddressUnproven` and `PurchaseOwned`.
    """
    ctx.require(ADMINISTER)
    told = stated(reason)
    try:
        if await billing.claim(ctx, subscription_id, email.strip(), reason=told) is None:
            raise AddressUnproven
    except SubscriptionNotFound:
        raise PurchaseOwned from None


async def replay_job(ctx: Context, job_id: UUID, *, reason: str) -> None:
    """Queue a dead job again, with all its attempts before it. Raises `ReasonMissing` and `NotReplayable`."""
    ctx.require(ADMINISTER)
    told = stated(reason)
    async with ctx.service() as working:
        if not await jobs.replay(working.db, job_id):
            raise NotReplayable
        await audit(working, "job.replayed", subject=("job", job_id), reason=told)
