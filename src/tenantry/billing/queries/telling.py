"""Who is told about a subscription, and what a mail about it needs."""

from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import and_, exists, literal, select

from tenantry.holders.models import Holders, plan_now
from tenantry.identity.models import Users
from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.database.types import Words
from tenantry.kernel.sql import now

from ..models import BillingFacts, Prices, Products, Subscriptions
from ..snapshots import Interval


class Told(msgspec.Struct, frozen=True):
    """A subscription as a mail about it needs it. `current`: the holder's plan; `at`: the database's time."""

    plan: str | None
    product: str | None
    amount_minor: int | None
    currency: str | None
    interval: Interval | None
    interval_count: int | None
    quantity: int
    cancel_at: datetime | None
    was_started: bool
    current: str
    address: str
    at: datetime


# As `facts.py` writes it: one that was never paid for ends without a word.
_started = exists().where(
    BillingFacts.fact
    == literal("subscription:", Words()) + Subscriptions.provider + ":" + Subscriptions.external_id + ":started"
)
# An address that nobody has confirmed may be a stranger's.
_told = statement(
    select(
        Subscriptions.plan,
        Products.name.label("product"),
        Prices.amount_minor,
        Prices.currency,
        Prices.interval,
        Prices.interval_count,
        Subscriptions.quantity,
        Subscriptions.cancel_at,
        _started.label("was_started"),
        plan_now().label("current"),
        Users.email.label("address"),
        now().label("at"),
    )
    .select_from(Subscriptions)
    .join(Holders, Holders.id == Subscriptions.holder_id)
    .join(Users, and_(Users.id == Holders.user_id, Users.email_verified_at.is_not(None), Users.deleted_at.is_(None)))
    .outerjoin(Prices, Prices.id == Subscriptions.price_id)
    .outerjoin(Products, Products.id == Prices.product_id)
    .where(Subscriptions.id == param("subscription")),
    Told,
)


async def told(db: Unit, subscription_id: UUID) -> Told | None:
    """What a mail about a subscription needs; None where nobody can be written to."""
    return await db.one_or_none(_told, subscription=subscription_id)
