"""What a holder has: keys, payments, credits and their ledger. Whoever holds it: a person, an organization, a trial."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import and_, case, cast, func, literal_column, or_, select

from tenantry.billing.models import Payments
from tenantry.holders.models import Holders, plan_now
from tenantry.identity.models import Users
from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.database.types import Id, Whole
from tenantry.kernel.sql import now, plus
from tenantry.keys.models import ApiKeys
from tenantry.organizations.models import Organizations
from tenantry.trials.models import TrialWorkspaces
from tenantry.usage.credits.models import CreditEntries, CreditGrants, CreditReservations

SHOWN_MAX = 50
SOON = timedelta(days=30)
"""What expires within that time expires soon."""


class Held(msgspec.Struct, frozen=True):
    """A holder, with the plan in force and whose it is. `name` is an organization's or a workspace's."""

    id: UUID
    kind: str
    plan: str
    user_id: UUID | None
    email: str | None
    organization_id: UUID | None
    name: str | None


class Key(msgspec.Struct, frozen=True):
    """An API key as people are shown it, and whose it is: a person's, their workspace's, an organization's."""

    id: UUID
    holder_id: UUID
    kind: str
    owner_id: UUID | None
    organization_id: UUID | None
    label: str
    prefix: str
    ending: str
    status: str
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    created_at: datetime
    is_over: bool

    @property
    def state(self) -> str:
        """`revoked`, `expired`, `pending_verification` or `active`."""
        return "expired" if self.is_over and self.status != "revoked" else self.status


class Payment(msgspec.Struct, frozen=True):
    """A payment of a holder's."""

    id: UUID
    provider: str
    external_id: str
    status: str
    reason: str
    amount_minor: int
    refunded_minor: int
    currency: str
    number: str | None
    paid_at: datetime | None
    created_at: datetime


class Entry(msgspec.Struct, frozen=True):
    """A line of a holder's ledger of credits."""

    number: int
    kind: str
    amount: int
    balance_after: int
    reference: str | None
    label: str | None
    created_at: datetime


class Kept(msgspec.Struct, frozen=True):
    """What a holder has in credits, and when the next of it expires; or, of one grant, what expires then.

    `reserved`: how many of all of them are set aside for work under way, and not to be spent.
    """

    holder_id: UUID
    kind: str
    user_id: UUID | None
    email: str | None
    name: str | None
    amount: int
    expires_at: datetime | None
    reserved: int


_owner = Users.__table__.alias("owner")
_WHOSE: dict[str, Any] = {
    "user_id": Holders.owner_id.label("user_id"),
    "email": _owner.c.email,
    "name": func.coalesce(Organizations.name, TrialWorkspaces.name).label("name"),
}


def _with_names(selected: Any) -> Any:
    """With whose holder it is: the person's address, the organization's or the workspace's name."""
    return (
        selected.outerjoin(_owner, _owner.c.id == Holders.owner_id)
        .outerjoin(Organizations, Organizations.id == Holders.organization_id)
        .outerjoin(TrialWorkspaces, TrialWorkspaces.id == Holders.workspace_id)
    )


_held = statement(
    _with_names(
        select(
            Holders.id, Holders.kind, plan_now().label("plan"), _WHOSE["user_id"], _WHOSE["email"],
            Holders.organization_id, _WHOSE["name"],
        ).select_from(Holders)
    ).where(Holders.id == param("holder", Id())),
    Held,
)  # fmt: skip
_is_over = and_(ApiKeys.expires_at.is_not(None), ApiKeys.expires_at <= now()).label("is_over")
_OF_KEY: dict[str, Any] = {
    "is_over": _is_over,
    **{name: Holders.__table__.c[name] for name in ("kind", "owner_id", "organization_id")},
}
_keys = (
    select(*(_OF_KEY[name] if name in _OF_KEY else ApiKeys.__table__.c[name] for name in Key.__struct_fields__))
    .join(Holders, Holders.id == ApiKeys.holder_id)
    .order_by(ApiKeys.id.desc())
    .limit(param("limit", Whole()))
)
_keys_of_owner = statement(_keys.where(Holders.owner_id == param("owner", Id())), Key)
_keys_of_holder = statement(_keys.where(ApiKeys.holder_id == param("holder", Id())), Key)
_key = statement(_keys.where(ApiKeys.id == param("key", Id())), Key)
_payments = statement(
    select(*(Payments.__table__.c[name] for name in Payment.__struct_fields__))
    .where(Payments.holder_id == param("holder", Id()))
    .order_by(Payments.__table__.c.created_at.desc(), Payments.id.desc())
    .limit(param("limit", Whole())),
    Payment,
)
_ledger = statement(
    select(*(CreditEntries.__table__.c[name] for name in Entry.__struct_fields__))
    .where(CreditEntries.holder_id == param("holder", Id()), CreditEntries.number < param("before", Whole()))
    .order_by(CreditEntries.number.desc())
    .limit(param("limit", Whole())),
    Entry,
)

# Not a bound zero: then no database would know that the indexes of what is left may serve.
_is_left = CreditGrants.remaining > literal_column("0")
_lives = or_(CreditGrants.expires_at.is_(None), CreditGrants.expires_at > now())
_sum = cast(func.sum(CreditGrants.remaining), Whole())
_sums = (
    select(
        CreditGrants.holder_id,
        _sum.label("amount"),
        func.min(CreditGrants.expires_at).label("expires_at"),
    )
    .where(_is_left, _lives)
    .group_by(CreditGrants.holder_id)
    .order_by(_sum.desc(), CreditGrants.holder_id)
    .limit(param("limit", Whole()))
    .subquery("sums")
)


def _kept(of: Any, reserved: Any) -> list[Any]:
    return [of.holder_id, Holders.kind, *_WHOSE.values(), of.amount, of.expires_at, reserved.label("reserved")]


_set_aside = (
    select(cast(func.coalesce(func.sum(CreditReservations.amount), 0), Whole()))
    .where(
        CreditReservations.holder_id == _sums.c.holder_id,
        CreditReservations.status == "held",
        CreditReservations.expires_at > now(),
    )
    .scalar_subquery()
)
# As much as there is: what was set aside may have expired meanwhile.
_reserved = case((_set_aside < _sums.c.amount, _set_aside), else_=_sums.c.amount)
_largest = statement(
    _with_names(
        select(*_kept(_sums.c, _reserved)).select_from(_sums).join(Holders, Holders.id == _sums.c.holder_id)
    ).order_by(_sums.c.amount.desc(), _sums.c.holder_id),
    Kept,
)
_due = (
    select(CreditGrants.id, CreditGrants.holder_id, CreditGrants.remaining.label("amount"), CreditGrants.expires_at)
    .where(_is_left, CreditGrants.expires_at > now(), CreditGrants.expires_at <= plus(now(), param("soon", Whole())))
    .order_by(CreditGrants.expires_at)
    .limit(param("limit", Whole()))
    .subquery("due")
)
_expiring = statement(
    _with_names(
        select(*_kept(_due.c, cast(literal_column("0"), Whole())))
        .select_from(_due)
        .join(Holders, Holders.id == _due.c.holder_id)
    ).order_by(_due.c.expires_at, _due.c.id),
    Kept,
)


async def holder(db: Unit, holder_id: UUID) -> Held | None:
    """A holder with its plan and whose it is; None when there is none of that id."""
    return await db.one_or_none(_held, holder=holder_id)


async def keys_of_owner(db: Unit, user: UUID) -> list[Key]:
    """The keys of a person's own holder and of their trial workspaces, newest first."""
    return await db.rows(_keys_of_owner, owner=user, limit=SHOWN_MAX)


async def keys_of_holder(db: Unit, holder_id: UUID) -> list[Key]:
    """The keys of one holder, newest first."""
    return await db.rows(_keys_of_holder, holder=holder_id, limit=SHOWN_MAX)


async def key(db: Unit, key_id: UUID) -> Key | None:
    """One key; None when there is none of that id."""
    return await db.one_or_none(_key, key=key_id, limit=1)


async def payments(db: Unit, holder_id: UUID) -> list[Payment]:
    """A holder's payments, newest first, `SHOWN_MAX` at most."""
    return await db.rows(_payments, holder=holder_id, limit=SHOWN_MAX)


async def ledger(db: Unit, holder_id: UUID, *, before: int) -> list[Entry]:
    """Entries of a holder's ledger of credits before a number, newest first, one more than `SHOWN_MAX`."""
    return await db.rows(_ledger, holder=holder_id, before=before, limit=SHOWN_MAX + 1)


async def largest_balances(db: Unit) -> list[Kept]:
    """Who has most credits at this second, `SHOWN_MAX` of them: without what is used up or has expired.

    It adds up all that is left of anybody's.
    """
    return await db.rows(_largest, limit=SHOWN_MAX)


async def expiring(db: Unit) -> list[Kept]:
    """Which grants expire soon with something left, the next first, `SHOWN_MAX` of them."""
    return await db.rows(_expiring, limit=SHOWN_MAX, soon=int(SOON.total_seconds()))
