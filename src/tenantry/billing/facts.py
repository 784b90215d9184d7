"""What follows from how things stand, each once: a fact is written down in the transaction that announces it.

A fact is read off the state, not off the event that told of it. So it does not matter how often, in what order or by
whom the state was told; and a purchase that is linked to its holder later has its facts then.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

from tenantry.kernel import Context
from tenantry.product import Billing

from .access import access, until
from .events import (
    PaymentRefunded,
    PaymentSucceeded,
    SubscriptionCancelled,
    SubscriptionEnded,
    SubscriptionPastDue,
    SubscriptionStarted,
)
from .queries import payments
from .rows import Payment, Subscription
from .snapshots import RECEIVED, TERMINAL

NEWS = timedelta(days=7)
"""An end that is longer ago is history: the first listing of a provider tells of many."""


async def announce_subscription(ctx: Context, holder: UUID, row: Subscription, billing: Billing, now: datetime) -> None:
    """Announce what a linked subscription's state means and nobody was told yet."""
    for fact, event in _of_subscription(holder, row, billing, now):
        if await payments.add_fact(ctx.db, f"subscription:{row.provider}:{row.external_id}:{fact}", holder):
            await ctx.emit(event)


async def announce_payment(ctx: Context, holder: UUID, row: Payment) -> None:
    """The same for a payment."""
    for fact, event in _of_payment(holder, row):
        if await payments.add_fact(ctx.db, f"payment:{row.provider}:{row.external_id}:{fact}", holder):
            await ctx.emit(event)


def _of_subscription(holder: UUID, row: Subscription, billing: Billing, now: datetime) -> Iterator[tuple[str, object]]:
    if access(row, now, billing.grace):
        yield "started", SubscriptionStarted(holder, row.id)
    if row.status in {"trialing", "active"} and row.cancel_at is not None and row.cancel_at > now:
        yield f"cancelled:{row.cancel_at.isoformat()}", SubscriptionCancelled(holder, row.id, row.cancel_at)
    if row.status == "past_due" and row.past_due_since is not None:
        # A period's failure is one, however many times the provider tries the card.
        began = row.period_start or row.past_due_since
        yield f"past_due:{began.isoformat()}", SubscriptionPastDue(holder, row.id, until(row, billing.grace))
    ended_at = row.ended_at or row.version
    if row.status in TERMINAL and ended_at is not None and ended_at > now - NEWS:
        yield "ended", SubscriptionEnded(holder, row.id)


def _of_payment(holder: UUID, row: Payment) -> Iterator[tuple[str, object]]:
    if row.status in RECEIVED:
        yield "paid", PaymentSucceeded(holder, row.id)
    if row.refunded_minor:
        yield f"refunded:{row.refunded_minor}", PaymentRefunded(holder, row.id, row.refunded_minor)
