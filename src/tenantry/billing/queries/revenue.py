"""What subscriptions cost, and when; trials; what was paid: for the figures of operators, page by page."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec
from sqlalchemy import and_, exists, func, select, tuple_
from sqlalchemy.dialects.postgresql import insert

from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.database.types import Id, UtcDateTime, Whole, Words

from ..models import Payments, Prices, Subscriptions
from ..snapshots import TERMINAL, Status
from ..terms.models import SubscriptionTerms
from ..terms.worth import Term
from .catalogue import UNREAD
from .payments import IS_PAID

FIRST = ("", "", UNREAD)
FIRST_ID = UUID(int=0)
T = SubscriptionTerms


class Received(msgspec.Struct, frozen=True):
    """What was paid for one price in one currency, and how much of it was given back."""

    provider: str
    price_id: UUID | None
    currency: str
    amount_minor: int
    refunded_minor: int


class TrialRow(msgspec.Struct, frozen=True):
    """A subscription that had a trial. `was_paid`: anything was ever paid for it."""

    id: UUID
    provider: str
    price_id: UUID | None
    status: Status
    trial_ends_at: datetime
    ended_at: datetime | None
    was_paid: bool

    @property
    def ended(self) -> datetime:
        """When the trial ended or will: earlier than planned, where the subscription did."""
        return min(self.trial_ends_at, self.ended_at or self.trial_ends_at)

    def is_over(self, at: datetime) -> bool:
        """Whether the trial has ended; one that is converted early has."""
        return self.ended <= at or self.status not in {"trialing", "incomplete", "paused"}

    def is_running(self, at: datetime) -> bool:
        """Whether it goes on."""
        return self.status == "trialing" and self.trial_ends_at > at

    @property
    def outcome(self) -> Literal["converted", "lapsed", "undecided"]:
        """What became of one that is over."""
        if self.was_paid:
            return "converted"
        return "lapsed" if self.status in TERMINAL else "undecided"


_TERM = [Subscriptions.holder_id if name == "holder_id" else T.__table__.c[name] for name in Term.__struct_fields__]
_KEY = ("provider", "subscription_external_id", "since")


def _term(*values: Any) -> Term:
    return Term(**dict(zip(Term.__struct_fields__, values, strict=True)))


_with_holder = select(*_TERM).outerjoin(
    Subscriptions,
    and_(Subscriptions.provider == T.provider, Subscriptions.external_id == T.subscription_external_id),
)
_terms = statement(
    _with_holder.where(
        tuple_(T.provider, T.subscription_external_id, T.since)
        > tuple_(param("provider", Words()), param("of", Words()), param("at", UtcDateTime()))
    )
    .order_by(T.provider, T.subscription_external_id, T.since)
    .limit(param("limit", Whole())),
    _term,
)
_last = statement(
    _with_holder.where(T.provider == param("provider"), T.subscription_external_id == param("of"), T.origin == "state")
    .order_by(T.since.desc())
    .limit(1),
    _term,
)
_is_seen = statement(
    select(T.since)
    .where(
        T.provider == param("provider"),
        T.subscription_external_id == param("of", Words()),
        T.since <= param("at", UtcDateTime()),
        T.origin == "state",
    )
    .limit(1)
)
_PRICED = ("amount_minor", "currency", "interval", "interval_count")


def _of_price(name: str) -> Any:
    return select(Prices.__table__.c[name]).where(Prices.id == param("price", Id())).scalar_subquery()


_GIVEN = ("provider", "subscription_external_id", "since", "origin", "customer", "quantity")
_insert = insert(T).values(
    {name: param(name) for name in _GIVEN}
    | {"price_id": param("price", Id())}
    | {name: _of_price(name) for name in _PRICED[:-1]}
    | {"interval_count": func.coalesce(_of_price("interval_count"), 1)}
)
_put = statement(
    _insert.on_conflict_do_update(
        index_elements=list(_KEY),
        set_={name: _insert.excluded[name] for name in (*_GIVEN[3:], "price_id", *_PRICED)},
    )
)
_add = statement(_insert.on_conflict_do_nothing(index_elements=list(_KEY)))

_when = func.coalesce(Payments.paid_at, Payments.__table__.c.created_at)
_received = statement(
    select(
        Payments.provider,
        Payments.price_id,
        Payments.currency,
        func.sum(Payments.amount_minor),
        func.sum(Payments.refunded_minor),
    )
    .where(IS_PAID, _when >= param("start", UtcDateTime()), _when < param("end", UtcDateTime()))
    .group_by(Payments.provider, Payments.price_id, Payments.currency),
    lambda provider, price, currency, amount, refunded: Received(provider, price, currency, int(amount), int(refunded)),
)
_was_paid = exists().where(
    Payments.provider == Subscriptions.provider,
    Payments.subscription_external_id == Subscriptions.external_id,
    Payments.amount_minor > 0,
    IS_PAID,
)
_trials = statement(
    select(
        Subscriptions.id,
        Subscriptions.provider,
        Subscriptions.price_id,
        Subscriptions.status,
        Subscriptions.trial_ends_at,
        Subscriptions.ended_at,
        _was_paid.label("was_paid"),
    )
    .where(Subscriptions.trial_ends_at >= param("start", UtcDateTime()), Subscriptions.id > param("after", Id()))
    .order_by(Subscriptions.id)
    .limit(param("limit", Whole())),
    TrialRow,
)


async def terms(db: Unit, *, after: tuple[str, str, datetime], limit: int) -> list[Term]:
    """A page of terms by provider, subscription and time; `after`: those of the last one of the page before."""
    provider, of, at = after
    return await db.rows(_terms, provider=provider, of=of, at=at, limit=limit)


async def last_seen(db: Unit, provider: str, subscription: str) -> Term | None:
    """The newest term that was seen of a subscription itself."""
    return await db.one_or_none(_last, provider=provider, of=subscription)


async def is_seen(db: Unit, provider: str, subscription: str, at: datetime) -> bool:
    """Whether a subscription itself was seen by then."""
    return await db.one_or_none(_is_seen, provider=provider, of=subscription, at=at) is not None


async def put_term(db: Unit, *, price: UUID | None, **given: Any) -> None:
    """Write what a subscription costs from then on, at the price as it is now; None, nothing."""
    await db.run(_put, price=price, **given)


async def add_term(db: Unit, *, price: UUID, **given: Any) -> None:
    """The same, where nothing is known of that moment."""
    await db.run(_add, price=price, **given)


async def received(db: Unit, start: datetime, end: datetime) -> list[Received]:
    """What was paid in a span of time, by provider, price and currency."""
    return await db.rows(_received, start=start, end=end)


async def trials(db: Unit, start: datetime, *, after: UUID, limit: int) -> list[TrialRow]:
    """A page of the subscriptions whose trial ends then or later, by id."""
    return await db.rows(_trials, start=start, after=after, limit=limit)
