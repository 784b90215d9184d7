"""What a holder has bought, and what there is to buy."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Select, and_, func, or_, select, true

from tenantry.holders.models import Holders
from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.database.types import Id, Whole
from tenantry.kernel.sql import now

from ..models import Payments, Prices, Products, Subscriptions
from ..rows import Payment, Subscription
from ..snapshots import ExternalId, Interval, ProviderName

HELD_MAX = 200
"""Subscriptions of one holder that are looked at, newest first."""
SOLD_MAX = 1000
_LAST = UUID(int=2**128 - 1)


class SoldPrice(msgspec.Struct, frozen=True):
    """A price with its product. Without an `interval` it is paid once, without an amount the buyer names it."""

    id: UUID
    provider: ProviderName
    external_id: ExternalId
    lookup: str | None
    amount_minor: int | None
    currency: str
    interval: Interval | None
    interval_count: int
    details: dict[str, str]
    product_id: UUID
    product_name: str
    product_description: str | None
    product_details: dict[str, str]


class Held(msgspec.Struct, frozen=True):
    """A subscription with what it buys; None where its price is not known yet."""

    subscription: Subscription
    price: SoldPrice | None


class Account(msgspec.Struct, frozen=True):
    """What a holder was granted and has bought, all of it, newest first; `at` is the database's time of the reading."""

    granted: str | None
    at: datetime
    held: list[Held]


_SUBSCRIPTION = [Subscriptions.__table__.c[name] for name in Subscription.__struct_fields__]
_PAYMENT = [Payments.__table__.c[name] for name in Payment.__struct_fields__]
_PRICE = [
    Prices.id, Prices.provider, Prices.external_id, Prices.lookup, Prices.amount_minor, Prices.currency,
    Prices.interval, Prices.interval_count, Prices.details,
    Products.id.label("product_id"), Products.name.label("product_name"),
    Products.description.label("product_description"), Products.details.label("product_details"),
]  # fmt: skip
_of_holder = Subscriptions.holder_id == param("holder", Id())


def _held(*values: Any) -> Held:
    subscription, price = values[: len(_SUBSCRIPTION)], values[len(_SUBSCRIPTION) :]
    return Held(Subscription(*subscription), None if price[0] is None else SoldPrice(*price))


def _account(granted: str | None, at: datetime, *values: Any) -> tuple[str | None, datetime, Held | None]:
    return granted, at, None if values[0] is None else _held(*values)


def _with_price(these: Select[Any]) -> Any:
    return these.outerjoin(Prices, Prices.id == Subscriptions.price_id).outerjoin(
        Products, Products.id == Prices.product_id
    )


_account_of = statement(
    _with_price(
        select(Holders.granted_plan, now().label("at"), *_SUBSCRIPTION, *_PRICE)
        .select_from(Holders)
        .outerjoin(Subscriptions, Subscriptions.holder_id == Holders.id)
    )
    .where(Holders.id == param("holder", Id()))
    .order_by(Subscriptions.id.desc())
    .limit(HELD_MAX),
    _account,
)
_page = statement(
    _with_price(select(*_SUBSCRIPTION, *_PRICE).select_from(Subscriptions))
    .where(_of_holder, Subscriptions.id < param("before", Id()))
    .order_by(Subscriptions.id.desc())
    .limit(param("limit", Whole()))
    .offset(param("offset", Whole())),
    _held,
)
_one = statement(
    _with_price(select(*_SUBSCRIPTION, *_PRICE).select_from(Subscriptions)).where(
        _of_holder, Subscriptions.id == param("subscription", Id())
    ),
    _held,
)

_on_sale = statement(
    select(*_PRICE)
    .join(Products, Products.id == Prices.product_id)
    .where(Prices.provider == param("provider"), Prices.is_active == true(), Products.is_active == true())
    .order_by(Prices.id)
    .limit(SOLD_MAX),
    SoldPrice,
)
_price = statement(
    select(*_PRICE).join(Products, Products.id == Prices.product_id).where(Prices.id == param("price", Id())), SoldPrice
)
_knows_products = statement(select(Products.id).where(Products.provider == param("provider")).limit(1))

# When it happened, whenever we were told of it.
_when = func.coalesce(Payments.paid_at, Payments.__table__.c.created_at)
_paid_by = Payments.holder_id == param("holder", Id())
_cursor = select(_when).where(Payments.id == param("before", Id()), _paid_by).scalar_subquery()


def _payments(*conditions: Any) -> Any:
    return statement(
        select(*_PAYMENT)
        .where(_paid_by, *conditions)
        .order_by(_when.desc(), Payments.id.desc())
        .limit(param("limit", Whole()))
        .offset(param("offset", Whole())),
        Payment,
    )


_first_payments = _payments()
_next_payments = _payments(or_(_when < _cursor, and_(_when == _cursor, Payments.id < param("before", Id()))))


async def account(db: Unit, holder_id: UUID) -> Account | None:
    """Everything a holder has bought with price and product, in one statement; None when there is no such holder."""
    rows: Sequence[tuple[str | None, datetime, Held | None]] = await db.rows(_account_of, holder=holder_id)
    if not rows:
        return None
    granted, at, _ = rows[0]
    return Account(granted, at, [held for _, _, held in rows if held is not None])


async def page(db: Unit, holder_id: UUID, *, before: UUID | None, limit: int, offset: int = 0) -> list[Held]:
    """A holder's subscriptions, newest first; `before` is the id of the last one of the page before."""
    return await db.rows(_page, holder=holder_id, before=before or _LAST, limit=limit, offset=offset)


async def one(db: Unit, holder_id: UUID, subscription: UUID) -> Held | None:
    """One subscription of a holder's."""
    return await db.one_or_none(_one, holder=holder_id, subscription=subscription)


async def on_sale(db: Unit, provider: str) -> list[SoldPrice]:
    """The prices that can be bought at a provider now, in the order in which we came to know them."""
    return await db.rows(_on_sale, provider=provider)


async def price(db: Unit, price_id: UUID) -> SoldPrice | None:
    """One price by our id, sold or not."""
    return await db.one_or_none(_price, price=price_id)


async def knows_products(db: Unit, provider: str) -> bool:
    """Whether anything of what a provider sells is known here."""
    return await db.one_or_none(_knows_products, provider=provider) is not None


async def payments(
    db: Unit, holder_id: UUID, *, before: UUID | None = None, limit: int, offset: int = 0
) -> list[Payment]:
    """A holder's payments, newest first; `before` is the id of the last one of the page before."""
    given = {"holder": holder_id, "limit": limit, "offset": offset}
    if before is None:
        return await db.rows(_first_payments, **given)
    return await db.rows(_next_payments, before=before, **given)
