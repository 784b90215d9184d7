"""Whose things are: holders, and what a provider knows them by."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import delete, exists, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import aliased

from tenantry.holders.models import Holders
from tenantry.identity.models import Users
from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.database.types import Id, Whole, Words
from tenantry.kernel.sql import folded, now
from tenantry.organizations.models import Organizations

from ..models import Customers, Subscriptions
from ..rows import Subscription

_SUBSCRIPTION = [Subscriptions.__table__.c[name] for name in Subscription.__struct_fields__]


class HeldPlan(msgspec.Struct, frozen=True):
    """A holder as billing last wrote it, and one of its subscriptions, a row for each."""

    plan: str
    source: str
    granted: str | None
    until: datetime | None
    after: str | None
    period_start: datetime | None
    period_end: datetime | None
    revision: int
    at: datetime


_HELD = (
    Holders.plan, Holders.plan_source, Holders.granted_plan, Holders.plan_until, Holders.plan_after,
    Holders.period_start, Holders.period_end, Holders.revision, now().label("at"),
)  # fmt: skip
# Whose: first who is known by the customer, then whom our checkout named, then whose proven address it is.
_locked = select(Holders.id).with_for_update(of=Holders)
_by_customer = statement(
    _locked.join(Customers, Customers.holder_id == Holders.id).where(
        Customers.provider == param("provider"), Customers.external_id == param("customer")
    )
)
_by_id = statement(_locked.where(Holders.id == param("holder")))
_named = statement(_locked.where(Holders.id == param("holder"), Holders.kind != "workspace"))
_by_email = statement(
    _locked.join(Users, Users.id == Holders.user_id).where(
        folded(Users.email) == folded(param("email")),
        Users.email_verified_at.is_not(None),
        Users.deleted_at.is_(None),
    )
)
# Of several that one person owns the one that was made first: ids follow the time.
_by_owner = statement(
    _locked.join(Organizations, Organizations.id == Holders.organization_id)
    .join(Users, Users.id == Organizations.owner_id)
    .where(
        folded(Users.email) == folded(param("email")),
        Users.email_verified_at.is_not(None),
        Users.deleted_at.is_(None),
    )
    .order_by(Organizations.id)
    .limit(1)
)
# A holder that is another customer there already keeps that one; this customer's things are found by their own rows.
_customer_insert = insert(Customers).values(
    {name: param(name) for name in ("id", "holder_id", "provider", "external_id", "email")}
)
# No key is named: the holder may be another customer there, and the customer another holder's.
_add_customer = statement(_customer_insert.on_conflict_do_nothing())
_other = aliased(Customers)
_complete_customer = statement(
    update(Customers)
    .where(
        Customers.holder_id == param("holder", Id()),
        Customers.provider == param("of", Words()),
        Customers.external_id.is_(None),
        ~exists().where(_other.provider == param("of", Words()), _other.external_id == param("known_as", Words())),
    )
    .values(external_id=param("known_as", Words()))
)
_forget_customer = statement(
    delete(Customers).where(
        Customers.provider == param("provider"), Customers.external_id == param("external_id", Words())
    )
)
_held = statement(
    select(*_HELD, *_SUBSCRIPTION)
    .outerjoin(Subscriptions, Subscriptions.holder_id == Holders.id)
    .where(Holders.id == param("holder")),
    lambda *values: (
        HeldPlan(*values[: len(_HELD)]),
        Subscription(*values[len(_HELD) :]) if values[len(_HELD)] is not None else None,
    ),
)
_lapsed = statement(
    select(Holders.id).where(Holders.plan_until <= now()).order_by(Holders.plan_until).limit(param("limit", Whole()))
)
_proven_email = statement(
    select(Users.email).where(
        Users.id == param("user"), Users.email_verified_at.is_not(None), Users.deleted_at.is_(None)
    )
)


async def lock_by_customer(db: Unit, provider: str, customer: str) -> UUID | None:
    """The holder whom a provider's customer is, locked until the unit ends."""
    return await db.one_or_none(_by_customer, provider=provider, customer=customer)


async def lock_by_id(db: Unit, holder: UUID) -> UUID | None:
    """A holder, locked until the unit ends; None when it is gone."""
    return await db.one_or_none(_by_id, holder=holder)


async def lock_named(db: Unit, holder: UUID) -> UUID | None:
    """The same, of a holder that can buy: a trial workspace cannot."""
    return await db.one_or_none(_named, holder=holder)


async def lock_by_email(db: Unit, email: str) -> UUID | None:
    """The holder whose person has proven that address, locked until the unit ends."""
    return await db.one_or_none(_by_email, email=email)


async def lock_by_owner(db: Unit, email: str) -> UUID | None:
    """The same of the first organization that the person with that proven address owns."""
    return await db.one_or_none(_by_owner, email=email)


async def know_customer(db: Unit, customer: UUID, **given: Any) -> None:
    """Remember whom a provider's customer is, unless it is known, or the holder is another customer there."""
    if await db.run(_add_customer, id=customer, **given) == 0:
        known = {"of": given["provider"], "known_as": given["external_id"]}
        await db.run(_complete_customer, holder=given["holder_id"], **known)


async def forget_customer(db: Unit, provider: str, customer: str) -> None:
    """Forget a customer that is gone at the provider; the holder becomes another one with the next purchase."""
    await db.run(_forget_customer, provider=provider, external_id=customer)


async def held(db: Unit, holder: UUID) -> tuple[HeldPlan, list[Subscription]] | None:
    """A holder with all its subscriptions, in one statement; None when it is gone."""
    rows = await db.rows(_held, holder=holder)
    return (rows[0][0], [one for _, one in rows if one is not None]) if rows else None


async def lapsed(db: Unit, *, limit: int) -> list[UUID]:
    """Holders whose plan has ended and has not been written down."""
    return await db.rows(_lapsed, limit=limit)


async def proven_email(db: Unit, user: UUID) -> str | None:
    """A person's address, where it is proven."""
    return await db.one_or_none(_proven_email, user=user)
