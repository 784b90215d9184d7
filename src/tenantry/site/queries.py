"""All SQL of site: the reader's own row."""

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec
from sqlalchemy import and_, cast, func, or_, select

from tenantry.billing.models import Prices, Products, Subscriptions
from tenantry.holders.models import Holders, plan_now
from tenantry.identity.models import Accounts, Users, role_now
from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.database.types import Id, Whole
from tenantry.kernel.sql import now
from tenantry.usage.credits.models import CreditGrants


class Me(msgspec.Struct, frozen=True):
    """A user with the plan that counts for them now, and the provider of the first account still connected.

    `stripe_product_id`: what the newest subscription of the same holder buys that is paid through Stripe and goes on.
    `tokens`: credits that are left of the same holder; `tokens_expires_at`: when the next of them expire.
    """

    id: UUID
    email: str
    email_verified_at: datetime | None
    name: str | None
    image: str | None
    created_at: datetime
    updated_at: datetime
    role: Literal["USER", "PREMIUM", "ADMIN", "BANNED"]
    membership_status: Literal["ACTIVE", "INACTIVE", "CANCELED", "PAST_DUE"]
    plan: str
    provider: str | None
    stripe_product_id: str | None
    tokens: int
    tokens_expires_at: datetime | None


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
_is_left = and_(
    CreditGrants.holder_id == Holders.id,
    CreditGrants.remaining > 0,
    or_(CreditGrants.expires_at.is_(None), CreditGrants.expires_at > now()),
)
_tokens = select(func.sum(CreditGrants.remaining)).where(_is_left).correlate(Holders).scalar_subquery()
_expiry = select(func.min(CreditGrants.expires_at)).where(_is_left).correlate(Holders).scalar_subquery()
_me = statement(
    select(
        Users.id,
        Users.email,
        Users.email_verified_at,
        Users.name,
        Users.image,
        Users.created_at,
        Users.updated_at,
        role_now().label("role"),
        Users.membership_status,
        plan_now().label("plan"),
        _first.label("provider"),
        _product.label("stripe_product_id"),
        cast(func.coalesce(_tokens, 0), Whole()).label("tokens"),
        _expiry.label("tokens_expires_at"),
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
