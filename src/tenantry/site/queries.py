"""All SQL of site: the reader's own row."""

from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import or_, select

from tenantry.billing.models import Prices, Products, Subscriptions
from tenantry.holders.models import Holders, plan_now
from tenantry.identity.models import Accounts, Users
from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.database.types import Id


class Me(msgspec.Struct, frozen=True):
    """A user with the plan that counts for them now, and the provider of the first account still connected.

    `stripe_product_id`: what the newest subscription of the same holder buys that is paid through Stripe and goes on.
    """

    id: UUID
    email: str
    email_verified_at: datetime | None
    name: str | None
    image: str | None
    created_at: datetime
    updated_at: datetime
    plan: str
    provider: str | None
    stripe_product_id: str | None


_first = select(Accounts.provider).where(Accounts.user_id == Users.id).order_by(Accounts.id).limit(1).scalar_subquery()
_goes_on = or_(*(Subscriptions.status == status for status in ("trialing", "active", "past_due")))
_product = (
    select(Products.external_id)
    .select_from(Subscriptions)
    .join(Prices, Prices.id == Subscriptions.price_id)
    .join(Products, Products.id == Prices.product_id)
    .where(Subscriptions.holder_id == Holders.id, Subscriptions.provider == "stripe", _goes_on)
    .order_by(Subscriptions.id.desc())
    .limit(1)
    .scalar_subquery()
)
_me = statement(
    select(
        Users.id,
        Users.email,
        Users.email_verified_at,
        Users.name,
        Users.image,
        Users.created_at,
        Users.updated_at,
        plan_now().label("plan"),
        _first.label("provider"),
        _product.label("stripe_product_id"),
    )
    .join(Holders, Holders.id == param("holder", Id()))
    .where(Users.id == param("user")),
    Me,
)


async def me(db: Unit, user: UUID, holder: UUID) -> Me | None:
    """The user's own row with the plan of a holder: the user's own, or the organization's that they work for.

    None when one of them is gone.
    """
    return await db.one_or_none(_me, user=user, holder=holder)
