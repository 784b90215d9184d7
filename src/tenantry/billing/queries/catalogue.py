"""Products and prices, as the providers have them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from operator import le, lt
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import and_, func, select, update
from sqlalchemy.dialects.postgresql import insert

from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.database.types import Id, UtcDateTime, Words

from ..models import Prices, Products, Subscriptions

UNREAD = datetime(1970, 1, 1, tzinfo=UTC)
"""When a product was read of which only the id is known."""
PRICES_MAX = 20_000


class StoredPrice(msgspec.Struct, frozen=True):
    """A price with what its product says, which together name a plan."""

    id: UUID
    external_id: str
    lookup: str | None
    details: Mapping[str, str]
    product_details: Mapping[str, str]


_PRODUCT = ("name", "description", "is_active", "details", "fetched_at")
_product_insert = insert(Products).values(
    {name: param(name) for name in ("id", "provider", "external_id", *_PRODUCT)},
)
# `<=`: of two that were read in the same moment the later written is the later read, for readers take turns.
# Of what two payloads tell of one moment, neither is newer.
_put_product = {
    is_read: statement(
        _product_insert.on_conflict_do_update(
            index_elements=["provider", "external_id"],
            set_={name: _product_insert.excluded[name] for name in _PRODUCT},
            where=(le if is_read else lt)(Products.fetched_at, _product_insert.excluded.fetched_at),
        )
    )
    for is_read in (True, False)
}
_product = statement(
    select(*(Products.__table__.c[name] for name in _PRODUCT)).where(
        Products.provider == param("provider"), Products.external_id == param("external_id")
    ),
    lambda *values: dict(zip(_PRODUCT, values, strict=True)),
)
_know_product = statement(_product_insert.on_conflict_do_nothing(index_elements=["provider", "external_id"]))

_PRICE = (
    "product_id", "lookup", "amount_minor", "currency", "interval", "interval_count", "is_active", "details",
    "fetched_at",
)  # fmt: skip
_product_of = (
    select(Products.id)
    .where(Products.provider == param("provider", Words()), Products.external_id == param("product", Words()))
    .scalar_subquery()
)
_price_insert = insert(Prices).values(
    {name: param(name) for name in ("id", "provider", "external_id", *_PRICE[1:])} | {"product_id": _product_of}
)
_put_price = {
    is_read: statement(
        _price_insert.on_conflict_do_update(
            index_elements=["provider", "external_id"],
            set_={name: _price_insert.excluded[name] for name in _PRICE},
            where=(le if is_read else lt)(Prices.fetched_at, _price_insert.excluded.fetched_at),
        )
    )
    for is_read in (True, False)
}
_price_row = statement(
    select(Products.external_id, *(Prices.__table__.c[name] for name in _PRICE[1:]))
    .join(Products, Products.id == Prices.product_id)
    .where(Prices.provider == param("provider"), Prices.external_id == param("external_id")),
    lambda *values: dict(zip(("product", *_PRICE[1:]), values, strict=True)),
)

_STORED = (Prices.id, Prices.external_id, Prices.lookup, Prices.details, Products.details.label("product_details"))
_prices = select(*_STORED).join(Products, Products.id == Prices.product_id)
_price = statement(
    _prices.where(Prices.provider == param("provider"), Prices.external_id == param("external_id")), StoredPrice
)
_of_product = statement(
    _prices.where(Products.provider == param("provider"), Products.external_id == param("product")), StoredPrice
)
_all = statement(_prices.order_by(Prices.id).limit(PRICES_MAX), StoredPrice)

_newest = statement(
    select(func.max(Products.fetched_at)).where(Products.provider == param("provider"), Products.is_active)
)
_buys_another = and_(
    Subscriptions.price_id == param("price", Id()),
    Subscriptions.plan.is_distinct_from(param("new_plan", Words())),
)
_details = {
    table: statement(
        select(table.details).where(
            table.provider == param("provider"), table.external_id == param("external_id", Words())
        )
    )
    for table in (Products, Prices)
}
_buyers = statement(
    select(Subscriptions.holder_id)
    .where(Subscriptions.price_id == param("price", Id()), Subscriptions.holder_id.is_not(None))
    .distinct()
    .order_by(Subscriptions.holder_id)
)
_to_replan = statement(
    select(Subscriptions.holder_id)
    .where(_buys_another, Subscriptions.holder_id.is_not(None))
    .distinct()
    .order_by(Subscriptions.holder_id)
)
_replan = statement(
    update(Subscriptions)
    .where(_buys_another)
    .values(plan=param("new_plan", Words()))
    .returning(Subscriptions.holder_id)
)
_retire_products, _retire_prices = (
    statement(
        update(table)
        .where(table.provider == param("provider"), table.fetched_at < param("before", UtcDateTime()), table.is_active)
        .values(is_active=False)
    )
    for table in (Products, Prices)
)


async def put_product(db: Unit, product: UUID, *, is_read: bool, **given: Any) -> bool:
    """Write a product as it was at `fetched_at`; False when what stands is later, or told of the same moment."""
    return await db.run(_put_product[is_read], id=product, **given) == 1


async def agrees_product(db: Unit, provider: str, external_id: str, **given: Any) -> bool:
    """Whether the product that stands is later than what is told of it, or the same."""
    stands = await db.one_or_none(_product, provider=provider, external_id=external_id)
    return _agrees(stands, given)


async def know_product(db: Unit, product: UUID, *, provider: str, external_id: str) -> None:
    """Write down that there is such a product, of which nothing else is known yet."""
    given: dict[str, Any] = {
        "name": external_id,
        "description": None,
        "is_active": False,
        "details": {},
        "fetched_at": UNREAD,
    }
    await db.run(_know_product, id=product, provider=provider, external_id=external_id, **given)


async def put_price(db: Unit, price: UUID, *, is_read: bool, **given: Any) -> bool:
    """Write a price of a product that is known, as it was at `fetched_at`; False as in `put_product`."""
    return await db.run(_put_price[is_read], id=price, **given) == 1


async def agrees_price(db: Unit, provider: str, external_id: str, **given: Any) -> bool:
    """As `agrees_product`."""
    stands = await db.one_or_none(_price_row, provider=provider, external_id=external_id)
    return _agrees(stands, given)


async def price(db: Unit, provider: str, external_id: str) -> StoredPrice | None:
    """One price."""
    return await db.one_or_none(_price, provider=provider, external_id=external_id)


async def prices_of_product(db: Unit, provider: str, product: str) -> list[StoredPrice]:
    """The prices of one product."""
    return await db.rows(_of_product, provider=provider, product=product)


async def all_prices(db: Unit) -> list[StoredPrice]:
    """The prices of all providers, sold or not."""
    return await db.rows(_all)


async def to_replan(db: Unit, price_id: UUID, plan: str | None) -> list[UUID]:
    """Whose subscriptions `replan` would change, in the order in which holders are locked."""
    return await db.rows(_to_replan, price=price_id, new_plan=plan)


async def details_of(db: Unit, table: type[Products | Prices], provider: str, external_id: str) -> Mapping[str, str]:
    """The metadata of a product or a price as it stands; none where it is not known."""
    return await db.one_or_none(_details[table], provider=provider, external_id=external_id) or {}


async def buyers(db: Unit, price_id: UUID) -> list[UUID]:
    """Who has a subscription to a price, in the order in which holders are locked."""
    return await db.rows(_buyers, price=price_id)


async def replan(db: Unit, price_id: UUID, plan: str | None) -> list[UUID | None]:
    """Let the subscriptions to a price buy another plan; whose they are, as far as they changed."""
    return await db.rows(_replan, price=price_id, new_plan=plan)


async def newest(db: Unit, provider: str) -> datetime | None:
    """When something that is on offer was read last."""
    found: datetime | None = await db.one(_newest, provider=provider)
    return found


async def retire_unlisted(db: Unit, provider: str, *, before: datetime) -> int:
    """Take out of the offer what a whole listing, begun then, did not show."""
    given: dict[str, Any] = {"provider": provider, "before": before}
    return await db.run(_retire_products, **given) + await db.run(_retire_prices, **given)


def _agrees(stands: Mapping[str, Any] | None, told: Mapping[str, Any]) -> bool:
    return stands is not None and (stands["fetched_at"] > told["fetched_at"] or stands == told)
