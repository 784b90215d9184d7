"""What subscriptions cost, and since when: the past that the normal form does not keep."""

from sqlalchemy import CheckConstraint, ForeignKey, Index

from tenantry.kernel.database import Base, column, length_between, one_of
from tenantry.kernel.database.types import Id, UtcDateTime, Whole, Words
from tenantry.kernel.policies import Policy

from ..models import PROVIDERS


class SubscriptionTerms(Base):
    """From `since` on a subscription has cost this, until the next term. Without a `currency`: nothing.

    The normal form keeps no past: this does, for the figures. Amounts are copied, since a provider may change a price
    in its place. No key to the subscription: what was earned stays when its holder goes. `origin` "payment": told by a
    payment of the time before the subscription was first seen.
    """

    __tablename__ = "subscription_terms"
    __policy__ = Policy()

    provider = column(Words(), primary_key=True)
    subscription_external_id = column(Words(), primary_key=True)
    since = column(UtcDateTime(), primary_key=True)
    origin = column(Words())
    customer = column(Words(), nullable=True)
    price_id = column(Id(), ForeignKey("prices.id", ondelete="SET NULL"), nullable=True)
    amount_minor = column(Whole(), nullable=True)
    currency = column(Words(), nullable=True)
    interval = column(Words(), nullable=True)
    interval_count = column(Whole(), server_default="1")
    quantity = column(Whole(), server_default="1")

    __table_args__ = (
        one_of("provider", *PROVIDERS),
        one_of("origin", "state", "payment"),
        one_of("interval", "day", "week", "month", "year"),
        length_between("subscription_external_id", 1, 255),
        length_between("currency", 3, 3),
        CheckConstraint("amount_minor >= 0 AND interval_count > 0 AND quantity >= 0", name="amount_minor_counted"),
        Index("ix_subscription_terms_price_id", "price_id"),
    )
