"""The exchange: one statement in which a worker settles what it spent, gives back, and takes units, of many counters.

Everything happens to a counter's row at once, with the plan's limit as it is now. The rows are locked in the order of
their keys, so that two workers never wait for each other in a circle.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import and_, case, func, literal, or_, select, type_coerce, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import aliased

from tenantry.holders.models import Holders, Plans, plan_now
from tenantry.kernel.database import Unit, statement
from tenantry.kernel.database.types import Flag, Id, UtcDateTime, Whole, Words, write_time
from tenantry.kernel.sql import entries, greatest, least, member, now

from ..models import UsageCounters
from .counters import limit_of, limit_of_row, set_aside, window_now


class Asked(msgspec.Struct, frozen=True):
    """What a worker wants of one counter. Without a `window_start` it is the window that is open now.

    `settle` of its leased units were spent, `give` are not needed any more. `take` more are wanted, and `need` of them
    at least: with fewer there is nothing to be had, so that a call that does not fit takes nothing from others. They
    are counted as used at once when `directly`, else leased. A negative `settle` is of counted units that nobody was
    admitted for; then `give` gives them back.
    """

    holder_id: UUID
    meter: str
    per: str
    window_start: datetime | None
    settle: int
    give: int
    need: int
    take: int
    directly: bool


class Exchanged(msgspec.Struct, frozen=True):
    """How a counter stands after the exchange; `granted` of the units asked for were there. `at`: the database's time.

    `plan_limit` None: the plan sets no limit; 0: it does not name the meter. `is_over`: the counter's window is not the
    one that is open now, because its time has passed or the holder's period has changed; it only settles and takes
    back. `reserved` of the leased units are set aside by reservations, where nothing was granted; else 0. `plan_until`:
    when another plan takes the place of `plan` by itself; where that has happened, when it did.
    """

    holder_id: UUID
    meter: str
    plan: str
    plan_limit: int | None
    quota: int | None
    used: int
    leased: int
    granted: int
    window_start: datetime
    window_end: datetime
    at: datetime
    plan_until: datetime | None = None
    overrun: int = 0
    is_over: bool = False
    reserved: int = 0

    @property
    def seconds_left(self) -> float:
        """How long this is so without anybody's doing: until the window ends, or the plan gives way to the next."""
        is_sooner = self.plan_until is not None and self.at < self.plan_until < self.window_end
        end = self.plan_until if self.plan_until is not None and is_sooner else self.window_end
        return (end - self.at).total_seconds()


UNITS_MAX = 2**62
"""More a window never counts, whatever the plan says."""
OVER = -1
"""What the row has for `granted` when its window is over."""

ANSWER = (
    UsageCounters.holder_id,
    UsageCounters.meter,
    select(plan_now()).where(Holders.id == UsageCounters.holder_id).scalar_subquery().label("plan"),
    limit_of_row.label("plan_limit"),
    UsageCounters.quota,
    UsageCounters.used,
    UsageCounters.leased,
    greatest(UsageCounters.granted, 0).label("granted"),
    UsageCounters.window_start,
    UsageCounters.window_end,
    now().label("at"),
    select(Holders.plan_until).where(Holders.id == UsageCounters.holder_id).scalar_subquery().label("plan_until"),
    UsageCounters.overrun,
    type_coerce(UsageCounters.granted == OVER, Flag()).label("is_over"),
    # Asked only for whoever is refused: they are told when to come again.
    case(
        (or_(UsageCounters.granted != 0, UsageCounters.leased == 0), 0),
        else_=set_aside(UsageCounters.holder_id, UsageCounters.meter, UsageCounters.window_start),
    ).label("reserved"),
)
"""What is told of a row that changed. Only the row itself is at hand here on SQLite."""

_entry = entries("asked").rows()
_id, _meter = member(_entry.c.value, "holder", Id()), member(_entry.c.value, "meter", Words())
_per, _given = member(_entry.c.value, "per", Words()), member(_entry.c.value, "window", UtcDateTime())
_number = {name: member(_entry.c.value, name, Whole()) for name in ("settle", "give", "need", "take", "directly")}

_start, _end = window_now(_per)
# Always so. PostgreSQL takes a list of unknown length for a hundred entries and would rather walk some ten thousand
# holders than look up so many; with a condition on each it expects one or two.
_is_entry = or_(_per == "day", _per == "month")
# Read once: else the window would be found anew for every counter, and every time that it is named.
_wanted = (
    select(
        Holders.id.label("holder_id"),
        plan_now().label("plan"),
        Holders.revision,
        _meter.label("meter"),
        _given.label("given"),
        _start.label("current_start"),
        _end.label("current_end"),
        *(number.label(name) for name, number in _number.items()),
    )
    .select_from(_entry)
    .join(Holders, Holders.id == _id)
    .where(_is_entry)
    .cte("wanted")
    .prefix_with("MATERIALIZED")
)
_window = func.coalesce(_wanted.c.given, _wanted.c.current_start)
_locked_row = aliased(UsageCounters)
_asked = (
    select(
        *_wanted.c,
        limit_of(_wanted.c.meter).label("plan_limit"),
        _locked_row.window_start,
    )
    .join(Plans, Plans.name == _wanted.c.plan)
    .join(
        _locked_row,
        and_(
            _locked_row.holder_id == _wanted.c.holder_id,
            _locked_row.meter == _wanted.c.meter,
            _locked_row.window_start == _window,
        ),
    )
    .order_by(_wanted.c.holder_id, _wanted.c.meter, _locked_row.window_start)
    .with_for_update(of=_locked_row)
    .subquery("asked")
)

_held = UsageCounters.used + UsageCounters.leased
# Whoever waited behind a change read the old plan and period; the row, which the change moved, wins over them.
_is_behind = UsageCounters.holder_revision > _asked.c.revision
_limit = case((_is_behind, UsageCounters.quota), else_=_asked.c.plan_limit)
# Without a limit too a counter stops before it overflows: the statement is also for others.
_free = case((_limit.is_(None), UNITS_MAX), else_=_limit) - _held - UsageCounters.overrun + _asked.c.give
_is_over = case(
    (_is_behind, UsageCounters.window_end <= now()),
    else_=UsageCounters.window_start != _asked.c.current_start,
)
_granted = case((or_(_is_over, _free < greatest(_asked.c.need, 0)), 0), else_=least(_asked.c.take, _free))
_counted = _granted * _asked.c.directly

_exchange = statement(
    update(UsageCounters)
    .where(
        UsageCounters.holder_id == _asked.c.holder_id,
        UsageCounters.meter == _asked.c.meter,
        UsageCounters.window_start == _asked.c.window_start,
        or_(_is_behind, _is_over, UsageCounters.window_end == _asked.c.current_end),
    )
    .values(
        used=UsageCounters.used + _asked.c.settle + _counted,
        leased=UsageCounters.leased - _asked.c.settle - _asked.c.give + _granted - _counted,
        # Only the row itself is at hand for the answer on SQLite, so this stands in it.
        granted=case((_is_over, OVER), else_=_granted),
        # Never below what is counted and leased: the CHECK holds, and nothing more is granted.
        quota=case(
            (_is_over, UsageCounters.quota),
            (_limit.is_(None), None),
            else_=greatest(_limit, _held - _asked.c.give + _granted, 1),
        ),
        holder_revision=greatest(UsageCounters.holder_revision, _asked.c.revision),
    )
    .returning(*ANSWER),
    Exchanged,
)

# Not joined: whoever waited for a holder's lock reads the plan that the holder has then.
_plan_limit = select(limit_of(_meter)).where(Plans.name == plan_now()).correlate_except(Plans).scalar_subquery()
_first = insert(UsageCounters).from_select(
    ["holder_id", "meter", "window_start", "window_end", "quota", "used", "holder_revision"],
    select(
        Holders.id,
        _meter.label("meter"),
        _start.label("window_start"),
        _end.label("window_end"),
        _plan_limit.label("quota"),
        literal(0, Whole()).label("used"),
        Holders.revision.label("holder_revision"),
    )
    .select_from(_entry)
    .join(Holders, Holders.id == _id)
    .where(_is_entry, or_(_plan_limit.is_(None), _plan_limit > 0))
    .order_by(Holders.id, _meter)
    # A change of plan or period is waited for, and counts; so is whoever is being deleted, and has no row then. Without
    # it their rows would be refused, and with them all the others.
    .with_for_update(of=Holders, read=True),
)
# A window's first touch: an empty row for each meter that the holder's plan names. One that is there stays, but for its
# end, when it was thought to be another: the window began without a period, or the meter was counted by the day.
_open = statement(
    _first.on_conflict_do_update(
        index_elements=["holder_id", "meter", "window_start"],
        set_={"window_end": _first.excluded.window_end},
        where=UsageCounters.window_end != _first.excluded.window_end,
    ).returning(UsageCounters.holder_id, UsageCounters.meter),
    lambda holder_id, meter: (holder_id, meter),
)


async def exchange(db: Unit, asked: Sequence[Asked]) -> list[Exchanged]:
    """Settle, give back and take, all counters at once; no two of the asked are of one counter.

    Whose row does not exist yet, or has another end than its window, is not among the answers, and nothing happened to
    it: `open_windows`, then ask again.
    """
    return await db.rows(_exchange, asked=[_written(one) for one in asked])


async def open_windows(db: Unit, asked: Iterable[Asked]) -> set[tuple[UUID, str]]:
    """Make the rows of the current windows, empty, for those plans that name the meter; what there is keeps its count.

    Answers whose it made or mended.
    """
    return set(await db.rows(_open, asked=[_written(one) for one in asked]))


def _written(asked: Asked) -> dict[str, Any]:
    return {
        "holder": str(asked.holder_id),
        "meter": asked.meter,
        "per": asked.per,
        "window": None if asked.window_start is None else write_time(asked.window_start),
        "settle": asked.settle,
        "give": asked.give,
        "need": asked.need,
        "take": asked.take,
        "directly": int(asked.directly),
    }
