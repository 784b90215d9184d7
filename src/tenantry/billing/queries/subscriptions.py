"""Subscriptions, as the providers have them."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from tenantry.holders.models import Holders
from tenantry.identity.models import Users
from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.database.types import Id, UtcDateTime, Whole, Words
from tenantry.kernel.sql import folded, now, plus

from ..models import LIVE, Customers, Subscriptions
from ..rows import Subscription

_SUBSCRIPTION = [Subscriptions.__table__.c[name] for name in Subscription.__struct_fields__]
_this_subscription = (
    Subscriptions.provider == param("provider"),
    Subscriptions.external_id == param("external_id", Words()),
)
_subscription = statement(select(*_SUBSCRIPTION).where(*_this_subscription), Subscription)
_lock_subscription = statement(select(*_SUBSCRIPTION).where(*_this_subscription).with_for_update(), Subscription)
_WRITTEN = [name for name in Subscription.__struct_fields__ if name != "created_at"]
_subscription_insert = insert(Subscriptions).values({name: param(name) for name in _WRITTEN})
_put_subscription = statement(
    _subscription_insert.on_conflict_do_update(
        index_elements=["provider", "external_id"],
        set_={
            name: _subscription_insert.excluded[name]
            for name in _WRITTEN
            if name not in {"id", "provider", "external_id"}
        },
    )
)
_add_subscription = statement(_subscription_insert.on_conflict_do_nothing(index_elements=["provider", "external_id"]))
_slot_taken = statement(
    select(Subscriptions.external_id).where(
        Subscriptions.holder_id == param("holder"),
        Subscriptions.slot == param("slot"),
        or_(*(Subscriptions.status == status for status in LIVE)),
    )
)
_renewed_of_user = statement(
    select(*_SUBSCRIPTION)
    .join(Holders, Holders.id == Subscriptions.holder_id)
    .where(
        Holders.user_id == param("user", Id()),
        or_(*(Subscriptions.status == status for status in LIVE)),
        Subscriptions.cancel_at.is_(None),
    ),
    Subscription,
)
_going_on = statement(
    select(*_SUBSCRIPTION).where(
        Subscriptions.holder_id == param("holder", Id()), or_(*(Subscriptions.status == status for status in LIVE))
    ),
    Subscription,
)
_unlinked = statement(
    select(*_SUBSCRIPTION)
    .where(Subscriptions.holder_id.is_(None), Subscriptions.id > param("after", Id()))
    .order_by(Subscriptions.id)
    .limit(param("limit", Whole())),
    Subscription,
)
# Looked up from each purchase that is nobody's: by whom one might be, and not one by one in transactions.
_claimable = statement(
    select(*_SUBSCRIPTION)
    .where(
        Subscriptions.holder_id.is_(None),
        Subscriptions.id > param("after", Id()),
        or_(
            exists().where(
                Customers.provider == Subscriptions.provider, Customers.external_id == Subscriptions.customer
            ),
            exists().where(
                folded(Users.email) == folded(Subscriptions.email),
                Users.email_verified_at.is_not(None),
                Users.deleted_at.is_(None),
            ),
        ),
    )
    .order_by(Subscriptions.id)
    .limit(param("limit", Whole())),
    Subscription,
)
_read_in_vain = statement(
    update(Subscriptions)
    .where(
        *_this_subscription,
        or_(Subscriptions.fetched_at.is_(None), Subscriptions.fetched_at < param("at", UtcDateTime())),
    )
    .values(fetched_at=param("at", UtcDateTime()))
)
_unlinked_of_email = statement(
    select(*_SUBSCRIPTION).where(
        Subscriptions.holder_id.is_(None), folded(Subscriptions.email) == folded(param("email"))
    ),
    Subscription,
)
_lock_row = statement(
    select(*_SUBSCRIPTION).where(Subscriptions.id == param("subscription")).with_for_update(), Subscription
)
_due = statement(
    select(*_SUBSCRIPTION)
    .where(
        or_(Subscriptions.status == "trialing", Subscriptions.status == "active", Subscriptions.status == "past_due"),
        Subscriptions.provider == param("provider"),
        Subscriptions.access_until <= now(),
        or_(Subscriptions.fetched_at.is_(None), Subscriptions.fetched_at < plus(now(), param("seconds", Whole()))),
    )
    .order_by(Subscriptions.fetched_at.nulls_first(), Subscriptions.id)
    .limit(param("limit", Whole())),
    Subscription,
)
_trials_ending = statement(
    select(*_SUBSCRIPTION)
    .where(
        Subscriptions.status == "trialing",
        Subscriptions.cancel_at.is_(None),
        Subscriptions.trial_ends_at > now(),
        Subscriptions.trial_ends_at <= plus(now(), param("seconds", Whole())),
        Subscriptions.id > param("after", Id()),
    )
    .order_by(Subscriptions.id)
    .limit(param("limit", Whole())),
    Subscription,
)
_unlinked_count = statement(select(func.count()).select_from(Subscriptions).where(Subscriptions.holder_id.is_(None)))


async def subscription(db: Unit, provider: str, external_id: str, *, lock: bool = False) -> Subscription | None:
    """One subscription; `lock`: nobody else changes it before the unit ends."""
    return await db.one_or_none(
        _lock_subscription if lock else _subscription, provider=provider, external_id=external_id
    )


async def add_subscription(db: Unit, row: Subscription) -> bool:
    """Write a new subscription; False when somebody else wrote it meanwhile, and has committed."""
    return await db.run(_add_subscription, **{name: getattr(row, name) for name in _WRITTEN}) == 1


async def put_subscription(db: Unit, row: Subscription) -> None:
    """Write a subscription that was read under lock."""
    await db.run(_put_subscription, **{name: getattr(row, name) for name in _WRITTEN})


async def in_slot(db: Unit, holder: UUID, slot: str) -> str | None:
    """The provider's id of the live subscription in a holder's slot."""
    return await db.one_or_none(_slot_taken, holder=holder, slot=slot)


async def unlinked(db: Unit, *, after: UUID, limit: int) -> list[Subscription]:
    """Purchases nobody is known for."""
    return await db.rows(_unlinked, after=after, limit=limit)


async def claimable(db: Unit, *, after: UUID, limit: int) -> list[Subscription]:
    """Those of them whose customer, or whose proven address, somebody is."""
    return await db.rows(_claimable, after=after, limit=limit)


async def read_in_vain(db: Unit, provider: str, external_id: str, at: datetime) -> None:
    """Write down that a subscription was read then, and the provider has none of that id."""
    await db.run(_read_in_vain, provider=provider, external_id=external_id, at=at)


async def unlinked_of_email(db: Unit, email: str) -> list[Subscription]:
    """Those of an address."""
    return await db.rows(_unlinked_of_email, email=email)


async def lock_row(db: Unit, subscription_id: UUID) -> Subscription | None:
    """One subscription by our id; nobody else changes it before the unit ends."""
    return await db.one_or_none(_lock_row, subscription=subscription_id)


async def due(db: Unit, provider: str, *, unread: timedelta, limit: int) -> list[Subscription]:
    """Live subscriptions whose access ended and that were not read for so long, longest ago first."""
    return await db.rows(_due, provider=provider, seconds=-int(unread.total_seconds()), limit=limit)


async def unlinked_count(db: Unit) -> int:
    """How many purchases are nobody's."""
    found: int = await db.one(_unlinked_count)
    return found


async def trials_ending(db: Unit, *, within: timedelta, after: UUID, limit: int) -> list[Subscription]:
    """Trials that end within so long and were not cancelled; `after` is the id of the last one of the page before."""
    return await db.rows(_trials_ending, seconds=int(within.total_seconds()), after=after, limit=limit)


async def renewed_of_user(db: Unit, user: UUID) -> list[Subscription]:
    """What a person's own holder goes on to pay for, whether or not the account is closed."""
    return await db.rows(_renewed_of_user, user=user)


async def going_on(db: Unit, holder: UUID) -> list[Subscription]:
    """What a holder has that is not over, also what will end."""
    return await db.rows(_going_on, holder=holder)
