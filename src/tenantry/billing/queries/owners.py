"""Whose things are: holders, and what a provider knows them by."""

from collections.abc import Mapping
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

from ..models import Customers, Prices, Products, Subscriptions
from ..rows import Subscription

ROLE = "role"
"""The key of a price's or product's metadata that names the role that it makes its buyer."""

_SUBSCRIPTION = [Subscriptions.__table__.c[name] for name in Subscription.__struct_fields__]


class HeldPerson(msgspec.Struct, frozen=True):
    """The person whose own holder it is, as billing last wrote them; without the times a ban or a role is in force."""

    user_id: UUID
    role: str
    until: datetime | None
    status: str


class HeldPlan(msgspec.Struct, frozen=True):
    """A holder as billing last wrote it; `roles`: what the metadata of its subscriptions' prices says of a role.

    Of each the words of the price and of its product, by the subscription's id.
    """

    plan: str
    source: str
    granted: str | None
    until: datetime | None
    after: str | None
    period_start: datetime | None
    period_end: datetime | None
    revision: int
    at: datetime
    person: HeldPerson | None = None
    roles: Mapping[UUID, tuple[str | None, str | None]] = {}


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
_of_user = statement(_locked.where(Holders.user_id == param("user")))
_named = statement(_locked.where(Holders.id == param("holder"), Holders.kind != "workspace"))
_by_email = statement(
    _locked.join(Users, Users.id == Holders.user_id).where(
        folded(Users.email) == folded(param("email")),
        Users.email_verified_at.is_not(None),
        Users.deleted_at.is_(None),
    )
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
_PERSON = (Users.id.label("person_id"), Users.role, Users.role_until, Users.membership_status)
_SAID = (Prices.details.label("of_price"), Products.details.label("of_product"))
_PERSON_AT, _SAID_AT, _SUBSCRIPTION_AT = (
    len(_HELD), len(_HELD) + len(_PERSON), len(_HELD) + len(_PERSON) + len(_SAID),
)  # fmt: skip


def _held_row(*values: Any) -> tuple[HeldPlan, Subscription | None]:
    person = values[_PERSON_AT:_SAID_AT]
    plan = HeldPlan(*values[:_PERSON_AT])
    if person[0] is not None:
        plan = msgspec.structs.replace(plan, person=HeldPerson(*person))
    if values[_SUBSCRIPTION_AT] is None:
        return plan, None
    row = Subscription(*values[_SUBSCRIPTION_AT:])
    of_price, of_product = ((details or {}).get(ROLE) for details in values[_SAID_AT:_SUBSCRIPTION_AT])
    return msgspec.structs.replace(plan, roles={row.id: (of_price, of_product)}), row


_held = statement(
    select(*_HELD, *_PERSON, *_SAID, *_SUBSCRIPTION)
    .outerjoin(Users, Users.id == Holders.user_id)
    .outerjoin(Subscriptions, Subscriptions.holder_id == Holders.id)
    .outerjoin(Prices, Prices.id == Subscriptions.price_id)
    .outerjoin(Products, Products.id == Prices.product_id)
    .where(Holders.id == param("holder")),
    _held_row,
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


async def lock_of_user(db: Unit, user: UUID) -> UUID | None:
    """A person's own holder, locked until the unit ends."""
    return await db.one_or_none(_of_user, user=user)


async def lock_named(db: Unit, holder: UUID) -> UUID | None:
    """The same, of a holder that can buy: a trial workspace cannot."""
    return await db.one_or_none(_named, holder=holder)


async def lock_by_email(db: Unit, email: str) -> UUID | None:
    """The holder whose person has proven that address, locked until the unit ends."""
    return await db.one_or_none(_by_email, email=email)


async def know_customer(db: Unit, customer: UUID, **given: Any) -> None:
    """Remember whom a provider's customer is, unless it is known, or the holder is another customer there."""
    if await db.run(_add_customer, id=customer, **given) == 0:
        known = {"of": given["provider"], "known_as": given["external_id"]}
        await db.run(_complete_customer, holder=given["holder_id"], **known)


async def forget_customer(db: Unit, provider: str, customer: str) -> None:
    """Forget a customer that is gone at the provider; the holder becomes another one with the next purchase."""
    await db.run(_forget_customer, provider=provider, external_id=customer)


async def held(db: Unit, holder: UUID) -> tuple[HeldPlan, list[Subscription]] | None:
    """A holder with its person and all its subscriptions, in one statement; None when it is gone."""
    rows = await db.rows(_held, holder=holder)
    if not rows:
        return None
    said = {subscription: roles for plan, _ in rows for subscription, roles in plan.roles.items()}
    return msgspec.structs.replace(rows[0][0], roles=said), [one for _, one in rows if one is not None]


async def lapsed(db: Unit, *, limit: int) -> list[UUID]:
    """Holders whose plan has ended and has not been written down."""
    return await db.rows(_lapsed, limit=limit)


async def proven_email(db: Unit, user: UUID) -> str | None:
    """A person's address, where it is proven."""
    return await db.one_or_none(_proven_email, user=user)
