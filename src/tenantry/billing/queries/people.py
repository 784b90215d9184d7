"""People with what they bought, in one statement each: for operators, and for code that asks what somebody has."""

from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Select, or_, select

from tenantry.holders.models import Holders, plan_now
from tenantry.identity.models import Users
from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.database.types import Id
from tenantry.kernel.sql import folded, now
from tenantry.keys import ApiKey
from tenantry.keys.models import ApiKeys

from ..models import LIVE, Prices, Products, Subscriptions
from ..rows import Subscription
from .reading import HELD_MAX, Held, SoldPrice


class Person(msgspec.Struct, frozen=True):
    """A person with the own holder, and the plan in force."""

    user_id: UUID
    email: str
    name: str | None
    holder_id: UUID
    plan: str


class PersonWithKeys(msgspec.Struct, frozen=True):
    """A person, the subscription that goes on or else the last one, and the own keys, newest first."""

    person: Person
    subscription: Subscription | None
    keys: list[ApiKey]


class PersonWithSubscriptions(msgspec.Struct, frozen=True):
    """A person, and the own subscriptions that are active or trialing, newest first, with what each buys."""

    person: Person
    held: list[Held]


_PERSON: list[Any] = [
    column.label(f"person_{name}")
    for name, column in zip(
        Person.__struct_fields__, (Users.id, Users.email, Users.name, Holders.id, plan_now()), strict=True
    )
]
_SUBSCRIPTION = [
    Subscriptions.__table__.c[name].label(f"subscription_{name}") for name in Subscription.__struct_fields__
]
_KEY = [now().label("at") if name == "at" else ApiKeys.__table__.c[name] for name in ApiKey.__struct_fields__]
_PRICE = [
    (Products if name.startswith("product_") else Prices).__table__.c[name.removeprefix("product_")].label(name)
    for name in SoldPrice.__struct_fields__
]
_MINE, _BOUGHT = len(_PERSON), len(_PERSON) + len(_SUBSCRIPTION)
_goes_on = or_(*(Subscriptions.status == status for status in LIVE))
_in_force = or_(Subscriptions.status == "active", Subscriptions.status == "trialing")
_is_user = Users.id == param("user", Id())


def _with_key(*values: Any) -> tuple[Person, Subscription | None, ApiKey | None]:
    bought, key = values[_MINE:_BOUGHT], values[_BOUGHT:]
    return (
        Person(*values[:_MINE]),
        None if bought[0] is None else Subscription(*bought),
        None if key[0] is None else ApiKey(*key),
    )


def _with_price(*values: Any) -> tuple[Person, Held | None]:
    bought, price = values[_MINE:_BOUGHT], values[_BOUGHT:]
    person = Person(*values[:_MINE])
    if bought[0] is None:
        return person, None
    return person, Held(Subscription(*bought), None if price[0] is None else SoldPrice(*price))


def _people(these: Select[Any]) -> Select[Any]:
    return these.select_from(Users).join(Holders, Holders.user_id == Users.id)


_one = (
    _people(select(*_PERSON, *_SUBSCRIPTION))
    .outerjoin(Subscriptions, Subscriptions.holder_id == Holders.id)
    .where(folded(Users.email) == folded(param("email")), Users.deleted_at.is_(None))
    .order_by(_goes_on.desc().nulls_last(), Subscriptions.id.desc())
    .limit(1)
    .subquery("person")
)
_by_email = statement(
    select(*_one.c, *_KEY)
    .select_from(_one)
    .outerjoin(ApiKeys, ApiKeys.holder_id == _one.c.person_holder_id)
    .order_by(ApiKeys.id.desc()),
    _with_key,
)
_bought = (
    _people(select(*_PERSON, *_SUBSCRIPTION, *_PRICE))
    .outerjoin(Subscriptions, (Subscriptions.holder_id == Holders.id) & _in_force)
    .outerjoin(Prices, Prices.id == Subscriptions.price_id)
    .outerjoin(Products, Products.id == Prices.product_id)
    .where(_is_user, Users.deleted_at.is_(None))
    .order_by(Subscriptions.id.desc())
)
_with_subscriptions = statement(_bought.limit(HELD_MAX), _with_price)
_current = statement(_bought.where(_in_force).limit(1), _with_price)


async def by_email(db: Unit, email: str) -> PersonWithKeys | None:
    """The person with this address, without regard to case; None when nobody has it."""
    rows = await db.rows(_by_email, email=email)
    if not rows:
        return None
    person, subscription, _ = rows[0]
    return PersonWithKeys(person, subscription, [key for _, _, key in rows if key is not None])


async def with_subscriptions(db: Unit, user: UUID) -> PersonWithSubscriptions | None:
    """A person with all that is active or trialing; None when there is no such person."""
    rows = await db.rows(_with_subscriptions, user=user)
    return PersonWithSubscriptions(rows[0][0], [held for _, held in rows if held is not None]) if rows else None


async def current(db: Unit, user: UUID) -> Held | None:
    """The newest subscription of a person's that is active or trialing, with product and price."""
    found = await db.one_or_none(_current, user=user)
    return found[1] if found else None
