"""What an operator changes: with the right, and a reason that the audit log keeps. No unit is open."""

from uuid import UUID

from tenantry.billing import operating as billing
from tenantry.billing.operating import SubscriptionNotFound
from tenantry.identity.operating import ADMINISTER
from tenantry.kernel import Context
from tenantry.kernel.audit import audit
from tenantry.kernel.jobs import operating as jobs

from .errors import AddressUnproven, NotReplayable, PurchaseOwned, ReasonNeeded

REASON_MAX = 500


async def replay_event(ctx: Context, event_id: UUID, *, reason: str) -> None:
    """Let an event be worked on again: what it is about is read from its provider once more.

    Raises `ReasonNeeded` and `NotReplayable`.
    """
    ctx.require(ADMINISTER)
    if not await billing.replay(ctx, event_id, reason=checked_reason(reason)):
        raise NotReplayable


async def claim_purchase(ctx: Context, subscription_id: UUID, email: str, *, reason: str) -> None:
    """Give a purchase that is nobody's to the person with that proven address.

    Raises `ReasonNeeded`, `AddressUnproven` and `PurchaseOwned`.
    """
    ctx.require(ADMINISTER)
    told = checked_reason(reason)
    try:
        if await billing.claim(ctx, subscription_id, email.strip(), reason=told) is None:
            raise AddressUnproven
    except SubscriptionNotFound:
        raise PurchaseOwned from None


async def replay_job(ctx: Context, job_id: UUID, *, reason: str) -> None:
    """Queue a dead job again, with all its attempts before it. Raises `ReasonNeeded` and `NotReplayable`."""
    ctx.require(ADMINISTER)
    told = checked_reason(reason)
    async with ctx.service() as working:
        if not await jobs.replay(working.db, job_id):
            raise NotReplayable
        await audit(working, "job.replayed", subject=("job", job_id), reason=told)


def checked_reason(text: str) -> str:
    """A reason as it is kept; raises `ReasonNeeded` for none, and for one that is too long."""
    reason = text.strip()
    if not 1 <= len(reason) <= REASON_MAX:
        raise ReasonNeeded
    return reason
