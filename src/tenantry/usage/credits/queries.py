"""All SQL of credits. Whatever changes a holder's credits locks the account first: `lock`, `stand`, then the writes."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, cast, func, insert, literal_column, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from tenantry.holders.models import Holders
from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.database.types import Id, Json, UtcDateTime, Whole, Words, write_time
from tenantry.kernel.retention import expired
from tenantry.kernel.sql import any_of, entries, member, now, plus

from .book import NEVER
from .models import CreditAccounts, CreditEntries, CreditGrants, CreditReservations
from .rows import Entry, Grant, Reservation, Stand

DUE_MAX = 200
"""Holders, or reservations, that are looked for at a time."""
GONE_RESERVATIONS = expired(CreditReservations.expires_at, CreditReservations.status != "held")
"""Reservations that have ended, for who forgets them."""

_is_left = CreditGrants.remaining > 0

_lock = statement(select(CreditAccounts.holder_id).where(CreditAccounts.holder_id == param("holder")).with_for_update())
_to_open = upsert(CreditAccounts).from_select(
    ["holder_id"],
    # The holder first: whoever has locked it may be about to open the account too.
    select(Holders.id).where(Holders.id == param("holder", Id())).with_for_update(key_share=True, read=True),
)
_open = statement(_to_open.on_conflict_do_nothing(index_elements=["holder_id"]))

_GRANT = [CreditGrants.__table__.c[name] for name in Grant.__struct_fields__]
_last = func.coalesce(
    select(CreditEntries.number)
    .where(CreditEntries.holder_id == CreditAccounts.holder_id)
    .order_by(CreditEntries.number.desc())
    .limit(1)
    .scalar_subquery(),
    0,
)


def _reserved(holder: Any) -> Any:
    held = select(func.sum(CreditReservations.amount)).where(
        CreditReservations.holder_id == holder,
        CreditReservations.status == "held",
        CreditReservations.expires_at > now(),
    )
    return cast(func.coalesce(held.scalar_subquery(), 0), Whole())


_stand = statement(
    select(now().label("at"), _last.label("number"), _reserved(CreditAccounts.holder_id).label("reserved"), *_GRANT)
    .select_from(CreditAccounts)
    .outerjoin(
        CreditGrants,
        and_(
            CreditGrants.holder_id == CreditAccounts.holder_id,
            or_(_is_left, any_of(CreditGrants.fact, "facts")),
        ),
    )
    .where(CreditAccounts.holder_id == param("holder")),
    lambda at, number, reserved, *grant: (at, number, reserved, Grant(*grant) if grant[0] is not None else None),
)

_add_grant = statement(
    insert(CreditGrants).values({name: param(name) for name in ("holder_id", *Grant.__struct_fields__)})
)
_change = entries("changes").rows()
_changes = select(
    member(_change.c.value, "id", Id()).label("id"),
    *(member(_change.c.value, name, Whole()).label(name) for name in ("amount", "remaining", "revoked")),
    member(_change.c.value, "expires_at", UtcDateTime()).label("expires_at"),
    member(_change.c.value, "detail", Json()).label("detail"),
).subquery("wanted")
_change_grants = statement(
    update(CreditGrants)
    .where(CreditGrants.id == _changes.c.id, CreditGrants.holder_id == param("holder", Id()))
    .values({name: _changes.c[name] for name in ("amount", "remaining", "revoked", "expires_at", "detail")})
)
_ENTRY = {
    "number": Whole(), "kind": Words(), "amount": Whole(), "balance_after": Whole(), "grant_id": Id(),
    "reference": Words(), "label": Words(), "parts": Json(),
}  # fmt: skip
_line = entries("lines").rows()
_enter = statement(
    insert(CreditEntries).from_select(
        ["holder_id", *_ENTRY],
        select(
            param("holder", Id()), *(member(_line.c.value, name, kind).label(name) for name, kind in _ENTRY.items())
        ),
    )
)

_ENTRIES = [CreditEntries.__table__.c[name] for name in Entry.__struct_fields__]
_of_holder = CreditEntries.holder_id == param("holder")
_by_reference = statement(
    select(*_ENTRIES).where(_of_holder, CreditEntries.reference == param("reference", Words())), Entry
)
_page = statement(
    select(*_ENTRIES)
    .where(_of_holder, CreditEntries.number < param("before", Whole()))
    .order_by(CreditEntries.number.desc())
    .limit(param("limit", Whole()))
    .offset(param("offset", Whole())),
    Entry,
)
_LAST_NUMBER = 2**62

_is_live = and_(_is_left, or_(CreditGrants.expires_at.is_(None), CreditGrants.expires_at > now()))
_ends = func.coalesce(CreditGrants.expires_at, param("never", UtcDateTime()))
_live = statement(
    select(_reserved(CreditGrants.holder_id).label("reserved"), *_GRANT)
    .where(CreditGrants.holder_id == param("holder"), _is_live)
    .order_by(_ends, CreditGrants.id),
    lambda reserved, *grant: (reserved, Grant(*grant)),
)
_of_series = statement(
    select(*_GRANT)
    .where(CreditGrants.holder_id == param("holder"), CreditGrants.series == param("series", Words()))
    .order_by(CreditGrants.id.desc())
    .limit(1),
    Grant,
)
_due = statement(
    select(CreditGrants.holder_id)
    # Not a bound zero: then no database would know that the index of what is left may serve.
    .where(CreditGrants.remaining > literal_column("0"), CreditGrants.expires_at <= now())
    .order_by(CreditGrants.expires_at)
    .limit(DUE_MAX)
)

_RESERVATION = [CreditReservations.__table__.c[name] for name in Reservation.__struct_fields__]
_add_reservation = statement(
    insert(CreditReservations)
    .values({name: param(name) for name in ("id", "holder_id", "amount", "label")})
    .values(expires_at=plus(now(), param("seconds", Whole())))
    .returning(*_RESERVATION),
    Reservation,
)
_reservation = select(*_RESERVATION).where(CreditReservations.id == param("reservation"))
_by_id = statement(_reservation, Reservation)
_locked_reservation = statement(_reservation.with_for_update(), Reservation)
_end = statement(
    update(CreditReservations)
    .where(CreditReservations.id == param("reservation"))
    .values(
        status=param("becomes", Words()),
        used=param("costs", Whole()),
        settled=param("takes", Whole()),
    )
    .returning(*_RESERVATION),
    Reservation,
)
_overdue = (
    select(CreditReservations.id)
    .where(CreditReservations.status == "held", CreditReservations.expires_at <= now())
    .order_by(CreditReservations.expires_at)
    .limit(DUE_MAX)
)
# Whoever settles one at this moment has it locked; then it is held no longer.
_expire = statement(
    update(CreditReservations)
    .where(CreditReservations.id.in_(_overdue), CreditReservations.status == "held")
    .values(status="expired")
)


async def lock(db: Unit, holder_id: UUID) -> bool:
    """Lock a holder's account until the unit ends; False: there is none, so there never were credits."""
    return await db.one_or_none(_lock, holder=holder_id) is not None


async def open_account(db: Unit, holder_id: UUID) -> None:
    """Make a holder's account; nothing where it is there, or the holder is gone."""
    await db.run(_open, holder=holder_id)


async def stand(db: Unit, holder_id: UUID, facts: Sequence[str]) -> Stand:
    """How a locked account stands: every grant with something left, and those of the facts, in one statement."""
    rows = await db.rows(_stand, holder=holder_id, facts=list(facts))
    at, number, reserved, _ = rows[0]
    return Stand(at, number, reserved, tuple(grant for *_, grant in rows if grant is not None))


async def add_grant(db: Unit, holder_id: UUID, grant: Grant) -> None:
    """Write a new grant."""
    given: dict[str, Any] = {name: getattr(grant, name) for name in Grant.__struct_fields__}
    await db.run(_add_grant, holder_id=holder_id, **given)


async def change_grants(db: Unit, holder_id: UUID, grants: Sequence[Grant]) -> None:
    """Write what has changed of a locked account's grants, of all in one statement."""
    await db.run(_change_grants, holder=holder_id, changes=[_changed(one) for one in grants])


async def enter(db: Unit, holder_id: UUID, lines: Sequence[Entry]) -> None:
    """Add entries to the ledger of a locked account, all in one statement."""
    await db.run(_enter, holder=holder_id, lines=[_written(one) for one in lines])


async def by_reference(db: Unit, holder_id: UUID, reference: str) -> Entry | None:
    """The entry of what was spent under a caller's own word."""
    return await db.one_or_none(_by_reference, holder=holder_id, reference=reference)


async def page(db: Unit, holder_id: UUID, *, before: int | None = None, limit: int, offset: int = 0) -> list[Entry]:
    """A holder's entries, newest first, those before a number."""
    return await db.rows(_page, holder=holder_id, before=before or _LAST_NUMBER, limit=limit, offset=offset)


async def live(db: Unit, holder_id: UUID) -> tuple[int, list[Grant]]:
    """What is set aside, and the grants that something is left of at this second, in the order in which they go."""
    rows: list[tuple[int, Grant]] = await db.rows(_live, holder=holder_id, never=NEVER)
    return (rows[0][0] if rows else 0), [grant for _, grant in rows]


async def newest_of_series(db: Unit, holder_id: UUID, series: str) -> Grant | None:
    """The last grant of a series."""
    return await db.one_or_none(_of_series, holder=holder_id, series=series)


async def due(db: Unit) -> list[UUID]:
    """Holders of whose credits some have expired and nobody has written it out; `DUE_MAX` at most."""
    return list(dict.fromkeys(await db.rows(_due)))


async def add_reservation(
    db: Unit, reservation: UUID, holder_id: UUID, *, amount: int, seconds: int, label: str | None
) -> Reservation:
    """Set units of a locked account aside."""
    return await db.one(
        _add_reservation, id=reservation, holder_id=holder_id, amount=amount, seconds=seconds, label=label
    )


async def reservation(db: Unit, reservation_id: UUID, *, lock: bool = False) -> Reservation | None:
    """A reservation; `lock` it when its account is locked."""
    return await db.one_or_none(_locked_reservation if lock else _by_id, reservation=reservation_id)


async def end(
    db: Unit, reservation_id: UUID, *, status: str, used: int | None = None, settled: int | None = None
) -> Reservation:
    """End a locked reservation."""
    return await db.one(_end, reservation=reservation_id, becomes=status, costs=used, takes=settled)


async def expire_reservations(db: Unit) -> int:
    """Let reservations whose time is over be expired, `DUE_MAX` at most; answers how many they were."""
    return await db.run(_expire)


def _changed(grant: Grant) -> dict[str, Any]:
    return {
        "id": str(grant.id),
        "amount": grant.amount,
        "remaining": grant.remaining,
        "revoked": grant.revoked,
        "expires_at": _time(grant.expires_at),
        "detail": grant.detail,
    }


def _written(entry: Entry) -> dict[str, Any]:
    given = {name: getattr(entry, name) for name in _ENTRY}
    return given | {"grant_id": str(entry.grant_id) if entry.grant_id else None}


def _time(at: datetime | None) -> str | None:
    return None if at is None else write_time(at)
