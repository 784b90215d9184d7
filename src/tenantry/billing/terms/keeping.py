"""Keeping what a subscription costs: a term is written where that changes, in the transaction that writes the change.

Written from what was read, so the last term always says what stands, whichever events were lost or late. Payments are
facts of the provider's and tell of the time before a subscription was first seen.
"""

from datetime import datetime

from tenantry.kernel import Context

from ..merging import Told
from ..queries import revenue as queries
from ..rows import Payment, Subscription
from ..snapshots import RECEIVED, TERMINAL
from .worth import PAYING

_NOT_YET = frozenset({"trialing", "incomplete"})


async def keep_term(ctx: Context, old: Subscription | None, row: Subscription, told: Told) -> None:
    """Write down what a subscription costs from now on, where that is another thing than before."""
    if _cost(old) == _cost(row) and not (old is None and row.status in TERMINAL):
        return
    last = await queries.last_seen(ctx.db, row.provider, row.external_id)
    price = row.price_id if _cost(row) else None
    if last is None:
        if price is None and row.status not in TERMINAL:
            return
    elif (last.price_id, last.quantity if price else None) == (price, row.quantity if price else None):
        return
    since = min(_since(old, row, told), told.now)
    await queries.put_term(
        ctx.db,
        provider=row.provider,
        subscription_external_id=row.external_id,
        # What was written first happened first, whatever the provider says of it later.
        since=since if last is None else max(since, last.since),
        origin="state",
        customer=row.customer,
        quantity=row.quantity,
        price=price,
    )


async def keep_paid(ctx: Context, row: Payment) -> None:
    """Write down that a subscription was paid for, for the time before it was first seen."""
    of, since = row.subscription_external_id, row.period_start or row.paid_at
    is_paid = row.reason in {"initial", "renewal"} and row.status in RECEIVED and row.amount_minor > 0
    if not is_paid or of is None or since is None or row.price_id is None:
        return
    if await queries.is_seen(ctx.db, row.provider, of, since):
        return
    await queries.add_term(
        ctx.db,
        provider=row.provider,
        subscription_external_id=of,
        since=since,
        origin="payment",
        customer=row.customer,
        quantity=1,
        price=row.price_id,
    )


def _cost(row: Subscription | None) -> tuple[object, int] | None:
    """What the cost hangs on; None: it costs nothing, or its price is not known yet."""
    if row is None or row.status not in PAYING or row.price_id is None:
        return None
    return row.price_id, row.quantity


def _since(old: Subscription | None, row: Subscription, told: Told) -> datetime:
    """Since when it is so, as the provider says; else since it was seen."""
    seen = told.read_at or row.version or told.now
    if row.status in TERMINAL:
        return row.ended_at or seen
    if _cost(row) is None:
        return seen
    if old is None or old.status in _NOT_YET or (_cost(old) is None and old.status in PAYING):
        trial_ended = row.trial_ends_at if row.trial_ends_at is not None and row.trial_ends_at <= seen else None
        return row.period_start or trial_ended or seen
    if _cost(old) is not None and row.period_start is not None and row.period_start != old.period_start:
        return row.period_start
    return seen
