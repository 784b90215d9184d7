"""What the providers say, as rows: products and prices, customers, subscriptions, payments, and the events received.

Every row of a provider's object is known by (`provider`, `external_id`): its ids are the provider's and never ours.
"""

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, Index, UniqueConstraint, func, literal_column

from tenantry.holders import of_my_holders
from tenantry.kernel.database import Base, Created, Touched, column, id_column, length_between, one_of
from tenantry.kernel.database.types import Bytes, Flag, Id, Json, UtcDateTime, Whole, Words
from tenantry.kernel.policies import Policy, Rights, anyone
from tenantry.kernel.sql import now

PROVIDERS = ("stripe", "polar", "lemonsqueezy", "fake")
STATUSES = ("incomplete", "trialing", "active", "past_due", "unpaid", "paused", "canceled", "expired")
LIVE = ("trialing", "active", "past_due", "unpaid", "paused")
"""The states of a subscription that goes on, or may: what the one slot of a holder is kept for."""
_IS_LIVE: ColumnElement[bool] = literal_column(f"status IN {LIVE}")
_IS_UNLINKED: ColumnElement[bool] = literal_column("holder_id IS NULL")
PAYMENT_STATUSES = ("pending", "paid", "failed", "partially_refunded", "refunded", "void")
EVENT_STATUSES = ("received", "waiting", "done", "ignored", "dead")


class Products(Touched, Base):
    """What is sold, as the provider has it: the single source of truth for what can be bought there."""

    __tablename__ = "products"
    __policy__ = Policy(authenticated=Rights(read=anyone), anon=Rights(read=anyone))

    id = id_column()
    provider = column(Words())
    external_id = column(Words())
    name = column(Words())
    description = column(Words(), nullable=True)
    is_active = column(Flag())
    details = column(Json())
    """The provider's metadata."""
    fetched_at = column(UtcDateTime())

    __table_args__ = (
        one_of("provider", *PROVIDERS),
        length_between("external_id", 1, 255),
        UniqueConstraint("provider", "external_id"),
    )


class Prices(Touched, Base):
    """One price of a product. Without an `interval` it is paid once. Without an `amount` the buyer names it."""

    __tablename__ = "prices"
    __policy__ = Policy(authenticated=Rights(read=anyone), anon=Rights(read=anyone))

    id = id_column()
    provider = column(Words())
    external_id = column(Words())
    product_id = column(Id(), ForeignKey("products.id", ondelete="CASCADE"))
    lookup = column(Words(), nullable=True)
    amount_minor = column(Whole(), nullable=True)
    currency = column(Words())
    interval = column(Words(), nullable=True)
    interval_count = column(Whole(), server_default="1")
    is_active = column(Flag())
    details = column(Json())
    fetched_at = column(UtcDateTime())

    __table_args__ = (
        one_of("provider", *PROVIDERS),
        one_of("interval", "day", "week", "month", "year"),
        length_between("external_id", 1, 255),
        length_between("currency", 3, 3),
        CheckConstraint("amount_minor >= 0", name="amount_minor_counted"),
        CheckConstraint("interval_count > 0", name="interval_count_counted"),
        UniqueConstraint("provider", "external_id"),
        Index("ix_prices_product_id", "product_id"),
        Index("ix_prices_provider_lookup", "provider", "lookup"),
    )


class Customers(Touched, Base):
    """A holder as a provider knows it. The row is there before the provider is asked to make its side of it.

    Without an `external_id` it is reserved: whoever made it asks the provider, all others wait for the answer.
    """

    __tablename__ = "customers"
    __policy__ = Policy(authenticated=Rights(read=of_my_holders()))

    id = id_column()
    holder_id = column(Id(), ForeignKey("holders.id", ondelete="CASCADE"))
    provider = column(Words())
    external_id = column(Words(), nullable=True)
    email = column(Words(), nullable=True)

    __table_args__ = (
        one_of("provider", *PROVIDERS),
        length_between("external_id", 1, 255),
        UniqueConstraint("holder_id", "id"),
        UniqueConstraint("holder_id", "provider"),
        UniqueConstraint("provider", "external_id"),
    )


class Subscriptions(Touched, Base):
    """A subscription as its provider last said, in the normal form. What ended stays, as history.

    `holder_id` NULL: a purchase that nobody is known for yet; `customer` and `email` are what it may be claimed by.
    `plan`: the declared plan that its price buys; NULL, none of them. `slot`: what a holder has at most one live
    subscription in; where the product allows several, and for what exceeds one, the subscription's own id.
    `past_due_since`: our own first sight, where the provider does not say. `access_until`: until when it gives its
    plan if nothing changes; NULL without a known end. `fetched_at`: when the reading of it began, by the database's
    time; NULL when only an event's payload told of it. `version`: the provider's time of what was applied last.
    """

    __tablename__ = "subscriptions"
    __policy__ = Policy(authenticated=Rights(read=of_my_holders()))

    id = id_column()
    holder_id = column(Id(), ForeignKey("holders.id", ondelete="CASCADE"), nullable=True)
    provider = column(Words())
    external_id = column(Words())
    customer = column(Words(), nullable=True)
    email = column(Words(), nullable=True)
    price_id = column(Id(), ForeignKey("prices.id", ondelete="RESTRICT"), nullable=True)
    plan = column(Words(), ForeignKey("plans.name", ondelete="RESTRICT"), nullable=True)
    status = column(Words())
    raw_status = column(Words())
    quantity = column(Whole(), server_default="1")
    period_start = column(UtcDateTime(), nullable=True)
    period_end = column(UtcDateTime(), nullable=True)
    trial_ends_at = column(UtcDateTime(), nullable=True)
    cancel_at = column(UtcDateTime(), nullable=True)
    ended_at = column(UtcDateTime(), nullable=True)
    resumes_at = column(UtcDateTime(), nullable=True)
    past_due_since = column(UtcDateTime(), nullable=True)
    access_until = column(UtcDateTime(), nullable=True)
    slot = column(Words())
    version = column(UtcDateTime(), nullable=True)
    fetched_at = column(UtcDateTime(), nullable=True)

    __table_args__ = (
        one_of("provider", *PROVIDERS),
        one_of("status", *STATUSES),
        length_between("external_id", 1, 255),
        length_between("raw_status", 1, 100),
        CheckConstraint("quantity >= 0", name="quantity_counted"),
        CheckConstraint("period_end >= period_start", name="period_forward"),
        UniqueConstraint("provider", "external_id"),
        UniqueConstraint("holder_id", "id"),
        Index("ix_subscriptions_holder_id_status", "holder_id", "status"),
        Index("ix_subscriptions_provider_customer", "provider", "customer"),
        Index("ix_subscriptions_price_id", "price_id"),
        Index("ix_subscriptions_status_access_until", "status", "access_until"),
        Index("ix_subscriptions_status_id", "status", "id"),
        Index("ix_subscriptions_plan_id", "plan", "id"),
        Index("ix_subscriptions_trial_ends_at", "trial_ends_at"),
        Index(
            "uq_subscriptions_holder_id_slot",
            "holder_id",
            "slot",
            unique=True,
            postgresql_where=_IS_LIVE,
            sqlite_where=_IS_LIVE,
        ),
        Index(
            "ix_subscriptions_unlinked",
            "email",
            postgresql_where=_IS_UNLINKED,
            sqlite_where=_IS_UNLINKED,
        ),
    )


class Payments(Touched, Base):
    """One payment, however many events tell of it; refunds move it and make no row of their own.

    `external_id` is the invoice's or order's where there is one, else the payment's own; `intent` the charge's side of
    it. The law makes one keep payments: when the holder goes, they stay without it.
    """

    __tablename__ = "payments"
    __policy__ = Policy(authenticated=Rights(read=of_my_holders()))

    id = id_column()
    holder_id = column(Id(), ForeignKey("holders.id", ondelete="SET NULL"), nullable=True)
    provider = column(Words())
    external_id = column(Words())
    intent = column(Words(), nullable=True)
    customer = column(Words(), nullable=True)
    subscription_external_id = column(Words(), nullable=True)
    price_id = column(Id(), ForeignKey("prices.id", ondelete="SET NULL"), nullable=True)
    status = column(Words())
    reason = column(Words())
    amount_minor = column(Whole())
    refunded_minor = column(Whole(), server_default="0")
    currency = column(Words())
    number = column(Words(), nullable=True)
    receipt_url = column(Words(), nullable=True)
    paid_at = column(UtcDateTime(), nullable=True)
    period_start = column(UtcDateTime(), nullable=True)
    period_end = column(UtcDateTime(), nullable=True)
    version = column(UtcDateTime(), nullable=True)
    fetched_at = column(UtcDateTime(), nullable=True)

    __table_args__ = (
        one_of("provider", *PROVIDERS),
        one_of("status", *PAYMENT_STATUSES),
        one_of("reason", "initial", "renewal", "change", "once"),
        length_between("external_id", 1, 255),
        length_between("currency", 3, 3),
        CheckConstraint("amount_minor >= 0 AND refunded_minor >= 0", name="amount_minor_counted"),
        CheckConstraint("refunded_minor <= amount_minor", name="refunded_minor_bounded"),
        UniqueConstraint("provider", "external_id"),
        Index("ix_payments_holder_id_created_at", "holder_id", "created_at"),
        Index("ix_payments_provider_customer", "provider", "customer"),
        Index("ix_payments_provider_subscription_external_id", "provider", "subscription_external_id"),
        Index("ix_payments_provider_intent", "provider", "intent"),
        Index("ix_payments_price_id", "price_id"),
        Index("ix_payments_paid", func.coalesce(literal_column("paid_at"), literal_column("created_at"))),
    )


class BillingEvents(Base):
    """What a provider sent, byte by byte, stored before anything is done about it: a hint that an object changed.

    `dedupe_key` is what the provider's repetitions share. A worker holds an event by `lease` until `leased_until`.
    `waiting`: its object could not be read, or the payload alone does not decide.
    """

    __tablename__ = "billing_events"
    __policy__ = Policy()

    id = id_column()
    provider = column(Words())
    dedupe_key = column(Words())
    event = column(Words())
    object_kind = column(Words(), nullable=True)
    object_id = column(Words(), nullable=True)
    occurred_at = column(UtcDateTime(), nullable=True)
    received_at = column(UtcDateTime(), server_default=now())
    headers = column(Json())
    body = column(Bytes(), nullable=True)
    status = column(Words(), server_default="received")
    attempts = column(Whole(), server_default="0")
    due_at = column(UtcDateTime(), server_default=now())
    lease = column(Id(), nullable=True)
    leased_until = column(UtcDateTime(), nullable=True)
    finished_at = column(UtcDateTime(), nullable=True)
    last_error = column(Words(), nullable=True)

    __table_args__ = (
        one_of("provider", *PROVIDERS),
        one_of("status", *EVENT_STATUSES),
        one_of("object_kind", "subscription", "payment", "customer", "product", "price"),
        length_between("dedupe_key", 1, 255),
        CheckConstraint("attempts >= 0", name="attempts_counted"),
        UniqueConstraint("provider", "dedupe_key"),
        Index("ix_billing_events_status_due_at", "status", "due_at"),
        Index("ix_billing_events_status_id", "status", "id"),
        Index("ix_billing_events_provider_object", "provider", "object_id", "object_kind"),
        Index("ix_billing_events_received_at", "received_at"),
    )


class BillingLocks(Base):
    """Who reads an object of a provider's right now: one at a time, so that a later reading is never overwritten."""

    __tablename__ = "billing_locks"
    __policy__ = Policy()

    provider = column(Words(), primary_key=True)
    object_kind = column(Words(), primary_key=True)
    object_id = column(Words(), primary_key=True)
    lease = column(Id())
    leased_until = column(UtcDateTime())

    __table_args__ = (
        one_of("provider", *PROVIDERS),
        one_of("object_kind", "subscription", "payment", "customer", "product", "price", "products", "intent"),
        Index("ix_billing_locks_leased_until", "leased_until"),
    )


class BillingFacts(Created, Base):
    """What happened once, and what was done about it: a payment, a period, a move from one state to another.

    Side effects hang on these, never on events: however often and by whatever event it is told, a fact is written
    once, in the transaction that does what follows from it.
    """

    __tablename__ = "billing_facts"
    __policy__ = Policy()

    fact = column(Words(), primary_key=True)
    holder_id = column(Id(), ForeignKey("holders.id", ondelete="CASCADE"))

    __table_args__ = (
        length_between("fact", 1, 500),
        Index("ix_billing_facts_holder_id", "holder_id"),
        Index("ix_billing_facts_created_at", "created_at"),
    )
