"""Subscriptions of everybody, with whom they belong to."""

from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import func, or_, select

from tenantry.billing.models import LIVE, PROVIDERS, STATUSES, Prices, Products, Subscriptions
from tenantry.holders.models import Holders
from tenantry.identity.models import Users
from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.database.types import Id
from tenantry.kernel.listing import Listing
from tenantry.kernel.sql import folded


class Sold(msgspec.Struct, frozen=True):
    """A subscription as an operator sees it. `owner`: the address of whose holder it is, where that is a person's."""

    id: UUID
    holder_id: UUID | None
    user_id: UUID | None
    owner: str | None
    provider: str
    external_id: str
    customer: str | None
    email: str | None
    plan: str | None
    product: str | None
    status: str
    quantity: int
    period_end: datetime | None
    trial_ends_at: datetime | None
    cancel_at: datetime | None
    ended_at: datetime | None
    past_due_since: datetime | None
    fetched_at: datetime | None
    created_at: datetime


class StatusCount(msgspec.Struct, frozen=True):
    """How many subscriptions stand at a status."""

    status: str
    count: int


_JOINED = {"user_id": Users.id.label("user_id"), "owner": Users.email.label("owner"),
           "product": Products.name.label("product")}  # fmt: skip
_selected = (
    select(*(_JOINED[name] if name in _JOINED else Subscriptions.__table__.c[name] for name in Sold.__struct_fields__))
    .select_from(Subscriptions)
    .outerjoin(Holders, Holders.id == Subscriptions.holder_id)
    .outerjoin(Users, Users.id == Holders.user_id)
    .outerjoin(Prices, Prices.id == Subscriptions.price_id)
    .outerjoin(Products, Products.id == Prices.product_id)
)
_holders_of = (
    select(Holders.id).join(Users, Users.id == Holders.user_id).where(folded(Users.email) == folded(param("owner")))
)

SUBSCRIPTIONS = Listing(
    _selected,
    Sold,
    id=Subscriptions.id,
    filters={
        "status": Subscriptions.status == param("status"),
        "plan": Subscriptions.plan == param("plan"),
        "provider": Subscriptions.provider == param("provider"),
        "holder": Subscriptions.holder_id == param("holder", Id()),
        "owner": Subscriptions.holder_id == _holders_of.scalar_subquery(),
        "unlinked": Subscriptions.holder_id.is_(None),
    },
)
"""Subscriptions by `status`, `plan`, `provider`, `holder`, `owner` (an address) and `unlinked` ({}), nobody's."""

_one = statement(_selected.where(Subscriptions.id == param("subscription", Id())), Sold)
_live = statement(
    select(Subscriptions.status, func.count().label("count"))
    .where(or_(*(Subscriptions.status == status for status in LIVE)))
    .group_by(Subscriptions.status),
    StatusCount,
)


async def one(db: Unit, subscription: UUID) -> Sold | None:
    """One subscription; None when there is none of that id."""
    return await db.one_or_none(_one, subscription=subscription)


async def live(db: Unit) -> dict[str, int]:
    """How many subscriptions go on, or may, by their status."""
    return {one.status: one.count for one in await db.rows(_live)}


__all__ = ["PROVIDERS", "STATUSES", "SUBSCRIPTIONS", "Sold", "live", "one"]
