"""Subscriptions, as the providers have them."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.dialects.postgresql import insert

from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.database.types import Id, UtcDateTime, Whole, Words
from tenantry.kernel.sql import folded, now, plus

from ..models import LIVE, Subscriptions
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
_unlinked = statement(
    select(*_SUBSCRIPTION)
    .where(Subscriptions.holder_id.is_(None), Subscriptions.id > param("after", Id()))
    .order_by(Subscriptions.id)
    .limit(param("limit", Whole())),
    Subscription,
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
        Subscriptions.access_until <= param("before", UtcDateTime()),
        Subscriptions.id > param("after", Id()),
    )
    .order_by(Subscriptions.id)
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
    )
    .order_by(Subscriptions.trial_ends_at)
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


async def unlinked_of_email(db: Unit, email: str) -> list[Subscription]:
    """Those of an address."""
    return await db.rows(_unlinked_of_email, email=email)


async def lock_row(db: Unit, subscription_id: UUID) -> Subscription | None:
    """One subscription by our id; nobody else changes it before the unit ends."""
    return await db.one_or_none(_lock_row, subscription=subscription_id)


async def due(db: Unit, *, before: datetime, after: UUID, limit: int) -> list[Subscription]:
    """Live subscriptions whose access ends by then if nothing changes."""
    return await db.rows(_due, before=before, after=after, limit=limit)


async def unlinked_count(db: Unit) -> int:
    """How many purchases are nobody's."""
    found: int = await db.one(_unlinked_count)
    return found


async def trials_ending(db: Unit, *, within: timedelta, limit: int) -> list[Subscription]:
    """Trials that end within so long and were not cancelled, soonest first."""
    return await db.rows(_trials_ending, seconds=int(within.total_seconds()), limit=limit)
