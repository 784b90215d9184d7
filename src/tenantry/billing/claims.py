"""Purchases that are nobody's: linked when their buyer's address is proven, or by an operator."""

from uuid import UUID

from tenantry.identity.events import UserAddressChanged, UserProven
from tenantry.kernel import Context
from tenantry.kernel.audit import audit

from .applying import link
from .errors import SubscriptionNotFound
from .linking import find_holder
from .queries import owners, subscriptions
from .rows import Subscription

BATCH = 200
FIRST = UUID(int=0)


async def claim_of_proven(ctx: Context, event: UserProven | UserAddressChanged) -> None:
    """Give a person what was bought with the address they have just proven."""
    email = await owners.proven_email(ctx.db, event.user_id)
    if email is None:
        return
    for row in await subscriptions.unlinked_of_email(ctx.db, email):
        await _try(ctx, row)


async def claim_for(ctx: Context, subscription_id: UUID, holder_id: UUID, *, reason: str) -> Subscription:
    """Give a purchase that is nobody's to a holder, by an operator's word; audited. In the open service unit.

    Raises `SubscriptionNotFound` for one that is somebody's, or for a holder that is gone.
    """
    holder = await owners.lock_by_id(ctx.db, holder_id)
    row = await subscriptions.lock_row(ctx.db, subscription_id)
    if holder is None or row is None or row.holder_id is not None:
        raise SubscriptionNotFound
    detail = {"provider": row.provider, "subscription": row.external_id, "holder_id": str(holder)}
    await audit(ctx, "billing.claimed", subject=("subscription", row.id), reason=reason, detail=detail)
    await link(ctx, row, holder)
    return row


async def link_unlinked(ctx: Context) -> int:
    """Link the unlinked purchases that are somebody's by now; no unit is open. Answers how many were."""
    after, linked = FIRST, 0
    while True:
        async with ctx.service(writes=False) as reading:
            page = await subscriptions.claimable(reading.db, after=after, limit=BATCH)
        for row in page:
            async with ctx.service() as working:
                linked += await _try(working, row)
        if len(page) < BATCH:
            return linked
        after = page[-1].id


async def _try(ctx: Context, row: Subscription) -> bool:
    holder = await find_holder(ctx, row.provider, customer=row.customer, named=None, email=row.email)
    if holder is None:
        return False
    again = await subscriptions.subscription(ctx.db, row.provider, row.external_id, lock=True)
    if again is None or again.holder_id is not None:
        return False
    await link(ctx, again, holder)
    return True
