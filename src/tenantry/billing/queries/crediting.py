"""What of a holder's purchases brings credits: subscriptions with what was paid for their period, and payments."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import and_, cast, exists, func, or_, select
from sqlalchemy.orm import aliased

from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.database.types import Id, Whole
from tenantry.kernel.sql import now

from ..models import Payments, Prices, Products, Subscriptions
from ..rows import Payment, Subscription
from .payments import IS_PAID


class Bought(msgspec.Struct, frozen=True):
    """A subscription, what its price and product say, and what was paid for its current period and given back of it."""

    subscription: Subscription
    at: datetime
    details: Mapping[str, str]
    of_product: Mapping[str, str]
    paid_minor: int
    refunded_minor: int


class Pack(msgspec.Struct, frozen=True):
    """A payment, and what the price that was paid once and its product say."""

    payment: Payment
    details: Mapping[str, str]
    of_product: Mapping[str, str]


_SUBSCRIPTION = [Subscriptions.__table__.c[name] for name in Subscription.__struct_fields__]
_PAYMENT = [Payments.__table__.c[name] for name in Payment.__struct_fields__]
_later = aliased(Payments)


def _when(table: Any) -> Any:
    return func.coalesce(table.period_start, table.paid_at, table.created_at)


# Where nobody tells when a period began, the last payment is what was paid for it.
_is_for_the_period = or_(
    and_(
        Subscriptions.period_start.is_not(None),
        _when(Payments) >= Subscriptions.period_start,
        or_(Subscriptions.period_end.is_(None), _when(Payments) < Subscriptions.period_end),
    ),
    and_(
        Subscriptions.period_start.is_(None),
        ~exists().where(
            _later.provider == Payments.provider,
            _later.subscription_external_id == Payments.subscription_external_id,
            _when(_later) > _when(Payments),
        ),
    ),
)


def _sum(column: Any) -> Any:
    found = select(func.sum(column)).where(
        Payments.provider == Subscriptions.provider,
        Payments.subscription_external_id == Subscriptions.external_id,
        IS_PAID,
        _is_for_the_period,
    )
    return cast(func.coalesce(found.correlate(Subscriptions).scalar_subquery(), 0), Whole())


def _bought(*values: Any) -> Bought:
    *row, at, details, of_product, paid, refunded = values
    return Bought(Subscription(*row), at, details or {}, of_product or {}, paid, refunded)


_of_holder = statement(
    select(
        *_SUBSCRIPTION,
        now().label("at"),
        Prices.details,
        Products.details.label("of_product"),
        _sum(Payments.amount_minor).label("paid_minor"),
        _sum(Payments.refunded_minor).label("refunded_minor"),
    )
    .select_from(Subscriptions)
    .outerjoin(Prices, Prices.id == Subscriptions.price_id)
    .outerjoin(Products, Products.id == Prices.product_id)
    .where(Subscriptions.holder_id == param("holder", Id()))
    .order_by(Subscriptions.id),
    _bought,
)
_pack = statement(
    select(*_PAYMENT, Prices.details, Products.details.label("of_product"))
    .join(Prices, Prices.id == Payments.price_id)
    .join(Products, Products.id == Prices.product_id)
    .where(
        Payments.id == param("payment", Id()),
        Payments.subscription_external_id.is_(None),
        Prices.interval.is_(None),
        IS_PAID,
    ),
    lambda *values: Pack(Payment(*values[:-2]), *values[-2:]),
)


async def bought(db: Unit, holder_id: UUID) -> list[Bought]:
    """Every subscription of a holder, in one statement."""
    return await db.rows(_of_holder, holder=holder_id)


async def pack(db: Unit, payment_id: UUID) -> Pack | None:
    """A payment that was made for a price that is paid once; None for any other, and while its price is not known."""
    return await db.one_or_none(_pack, payment=payment_id)
