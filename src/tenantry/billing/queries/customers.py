"""Holders as providers know them, and who answers for a holder."""

from uuid import UUID

import msgspec
from sqlalchemy import and_, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from tenantry.holders.models import Holders
from tenantry.identity.models import Users
from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.database.types import Id, Words
from tenantry.kernel.sql import now, plus
from tenantry.organizations.models import Organizations

from ..models import Customers
from ..snapshots import ExternalId, ProviderName

RESERVED_SECONDS = 60
"""How long who reserved a customer may take to have it made; then another one takes over."""


class Customer(msgspec.Struct, frozen=True):
    """A holder as a provider knows it; without an `external_id`, as it will know it."""

    id: UUID
    holder_id: UUID
    provider: ProviderName
    external_id: ExternalId | None
    email: str | None


class Buyer(msgspec.Struct, frozen=True):
    """Who answers for a holder: the person's address, and whether it is known to be theirs.

    Of an organization's it is the owner's, and `name` the organization's.
    """

    email: str
    name: str | None
    is_proven: bool


_COLUMNS = [Customers.__table__.c[name] for name in Customer.__struct_fields__]
_is_of = and_(Customers.holder_id == param("holder", Id()), Customers.provider == param("provider"))
_this = Customers.id == param("customer", Id())
_is_reserved = Customers.external_id.is_(None)

_of_holder = statement(select(*_COLUMNS).where(_is_of), Customer)
_all_of_holder = statement(
    select(*_COLUMNS).where(Customers.holder_id == param("holder", Id())).order_by(Customers.id), Customer
)
_new = insert(Customers).values(
    id=param("id"), holder_id=param("holder"), provider=param("provider"), email=param("email")
)
# One that was reserved a while ago by who has died since is taken over, and its time begins anew.
_reserve = statement(
    _new.on_conflict_do_update(
        index_elements=["holder_id", "provider"],
        set_={"email": _new.excluded.email},
        where=and_(_is_reserved, Customers.__table__.c.updated_at <= plus(now(), -RESERVED_SECONDS)),
    ).returning(*_COLUMNS),
    Customer,
)
_complete = statement(
    update(Customers)
    .where(_this, _is_reserved)
    .values(external_id=param("made", Words()), email=param("address", Words()))
    .returning(*_COLUMNS),
    Customer,
)
_release = statement(delete(Customers).where(_this, _is_reserved))

_buyer = statement(
    select(Users.email, Users.name, Users.email_verified_at.is_not(None).label("is_proven"))
    .join(Holders, and_(Holders.user_id == Users.id, Holders.owner_id == Users.id))
    .where(Holders.id == param("holder", Id()), Users.deleted_at.is_(None)),
    Buyer,
)
_organization_buyer = statement(
    select(Users.email, Organizations.name, Users.email_verified_at.is_not(None).label("is_proven"))
    .select_from(Holders)
    .join(Organizations, Organizations.id == Holders.organization_id)
    .join(Users, Users.id == Organizations.owner_id)
    .where(Holders.id == param("holder", Id())),
    Buyer,
)


async def of_holder(db: Unit, holder_id: UUID, provider: str) -> Customer | None:
    """The holder's row at a provider, made or reserved."""
    return await db.one_or_none(_of_holder, holder=holder_id, provider=provider)


async def all_of_holder(db: Unit, holder_id: UUID) -> list[Customer]:
    """The holder at every provider that knows it."""
    return await db.rows(_all_of_holder, holder=holder_id)


async def reserve(db: Unit, customer_id: UUID, *, holder_id: UUID, provider: str, email: str) -> Customer | None:
    """Reserve the row before the provider is asked; None when it is there already or somebody else is at it."""
    return await db.one_or_none(_reserve, id=customer_id, holder=holder_id, provider=provider, email=email)


async def complete(db: Unit, customer_id: UUID, *, external_id: ExternalId, email: str) -> Customer | None:
    """Write down whom the provider made; None when that was done meanwhile."""
    return await db.one_or_none(_complete, customer=customer_id, made=external_id, address=email)


async def release(db: Unit, customer_id: UUID) -> None:
    """Take a reservation back, so that the next one need not wait."""
    await db.run(_release, customer=customer_id)


async def buyer(db: Unit, holder_id: UUID) -> Buyer | None:
    """The person of a holder; None for a holder of another kind, and for one who is gone."""
    return await db.one_or_none(_buyer, holder=holder_id)


async def organization_buyer(db: Unit, holder_id: UUID) -> Buyer | None:
    """The organization of a holder at its owner's address; None for a holder of another kind."""
    return await db.one_or_none(_organization_buyer, holder=holder_id)
