"""Who is told about a subscription, and what a mail about it needs."""

from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import exists, literal, select

from tenantry.holders.models import Holders, plan_now
from tenantry.identity.models import Users
from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.database.types import Words
from tenantry.kernel.sql import now
from tenantry.organizations.answering import answering
from tenantry.organizations.models import Organizations

from ..models import BillingFacts, Prices, Products, Subscriptions
from ..snapshots import Interval


class Told(msgspec.Struct, frozen=True):
    """A subscription as a mail to one of its readers needs it.

    `current`: the holder's plan; `organization`: the name of the one whose it is; `at`: the database's time.
    """

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
    organization: str | None = None


# As `facts.py` writes it: one that was never paid for ends without a word.
_started = exists().where(
    BillingFacts.fact
    == literal("subscription:", Words()) + Subscriptions.provider + ":" + Subscriptions.external_id + ":started"
)
_told = statement(
    answering(
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
            Organizations.name.label("organization"),
        )
        .select_from(Subscriptions)
        .join(Holders, Holders.id == Subscriptions.holder_id)
        .outerjoin(Prices, Prices.id == Subscriptions.price_id)
        .outerjoin(Products, Products.id == Prices.product_id)
    )
    .where(Subscriptions.id == param("subscription"))
    .order_by(Users.email),
    Told,
)


async def told(db: Unit, subscription_id: UUID) -> list[Told]:
    """What mails about a subscription need, one for each reader: the person, or the organization's owner and admins.

    None where nobody can be written to.
    """
    return await db.rows(_told, subscription=subscription_id)
