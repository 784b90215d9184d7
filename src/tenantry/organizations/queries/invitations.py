"""Invitations: written, sent anew, decided, listed."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, exists, func, insert, or_, select, true, update

from tenantry.identity.models import Users
from tenantry.kernel.crypto import token_hash
from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.database.types import Bytes, Id, Whole
from tenantry.kernel.retention import expired
from tenantry.kernel.sql import folded, now, plus

from ..models import Invitations, Organizations
from ..rows import Invitation, Offered, State, Status

_LAST = UUID(int=2**128 - 1)
_COLUMNS = [
    now().label("at") if name == "at" else Invitations.__table__.c[name] for name in Invitation.__struct_fields__
]  # fmt: skip
_this = Invitations.id == param("invitation", Id())
_of_organization = Invitations.organization_id == param("organization", Id())
_is_pending = Invitations.status == "pending"
_is_open = and_(_is_pending, Invitations.expires_at > now())
_is_late = and_(_is_pending, Invitations.expires_at <= now())
_ends = plus(now(), param("seconds", Whole()))

_STANDS: dict[State | None, Any] = {
    None: true(),
    "pending": _is_open,
    "expired": _is_late,
    "accepted": Invitations.status == "accepted",
    "declined": Invitations.status == "declined",
    "revoked": Invitations.status == "revoked",
}

_ADDED = ("id", "organization_id", "email", "role", "token_hash", "invited_by")
_add = statement(
    insert(Invitations).values({name: param(name) for name in _ADDED} | {"expires_at": _ends}).returning(*_COLUMNS),
    Invitation,
)
_one = statement(select(*_COLUMNS).where(_of_organization, _this), Invitation)
_pending_of = statement(
    select(*_COLUMNS).where(_of_organization, _is_pending, folded(Invitations.email) == folded(param("email"))),
    Invitation,
)
_send_anew = statement(
    update(Invitations)
    .where(_this, _is_pending)
    .values(token_hash=param("new_hash", Bytes()), sent_at=now(), expires_at=_ends)
    .returning(*_COLUMNS),
    Invitation,
)
# Guarded by what it was: of two who decide at once, one does.
_decide = {
    (status, is_open): statement(
        update(Invitations)
        .where(_this, _is_open if is_open else _is_pending)
        .values(status=status, decided_at=now())
        .returning(*_COLUMNS),
        Invitation,
    )
    for status in ("accepted", "declined", "revoked")
    for is_open in (True, False)
}
_is_theirs = exists().where(Users.id == param("user", Id()), folded(Users.email) == folded(Invitations.email))
_revoke_of = statement(
    update(Invitations)
    .where(_of_organization, _is_pending, or_(Invitations.invited_by == param("user", Id()), _is_theirs))
    .values(status="revoked", decided_at=now())
)
_revoke_by = statement(
    update(Invitations)
    .where(_of_organization, _is_pending, Invitations.invited_by == param("user", Id()))
    .values(status="revoked", decided_at=now())
)
_revoke_sent = statement(
    update(Invitations)
    .where(_is_pending, Invitations.invited_by == param("user", Id()))
    .values(status="revoked", decided_at=now())
)

# One statement for each state: a condition that may be left out would keep the index from being used.
_pages = {
    state: statement(
        select(*_COLUMNS)
        .where(_of_organization, Invitations.id < param("before", Id()), condition)
        .order_by(Invitations.id.desc())
        .limit(param("limit", Whole()))
        .offset(param("offset", Whole())),
        Invitation,
    )
    for state, condition in _STANDS.items()
}
_sent_by = statement(
    select(*_COLUMNS).where(Invitations.invited_by == param("user", Id())).order_by(Invitations.id), Invitation
)


def _offered(*values: Any) -> Offered:
    width = len(_COLUMNS)
    return Offered(Invitation(*values[:width]), *values[width:])


def _offers(*conditions: Any) -> Select[Any]:
    return (
        select(
            *_COLUMNS,
            Organizations.name.label("organization_name"),
            Users.name.label("inviter_name"),
            Users.email.label("inviter_email"),
        )
        .select_from(Invitations)
        .join(Organizations, Organizations.id == Invitations.organization_id)
        .outerjoin(Users, Users.id == Invitations.invited_by)
        .where(*conditions)
    )


_person = Users.__table__.alias("person")
_is_to_person = folded(Invitations.email) == (
    select(folded(_person.c.email))
    .where(
        _person.c.id == param("user", Id()), _person.c.email_verified_at.is_not(None), _person.c.deleted_at.is_(None)
    )
    .scalar_subquery()
)
_for_person = statement(
    _offers(_is_to_person, _is_open, Invitations.id < param("before", Id()))
    .order_by(Invitations.id.desc())
    .limit(param("limit", Whole()))
    .offset(param("offset", Whole())),
    _offered,
)
_by_token = statement(_offers(Invitations.token_hash == param("hash", Bytes())), _offered)
_by_id = statement(_offers(_this), _offered)
_waits = statement(
    select(func.count()).select_from(Invitations).where(folded(Invitations.email) == folded(param("email")), _is_open)
)

EXPIRED = expired(Invitations.expires_at)


async def add(db: Unit, invitation: UUID, lifetime: timedelta, **given: object) -> Invitation:
    """Write an invitation that may be accepted for so long from now."""
    return await db.one(_add, id=invitation, seconds=_seconds(lifetime), **given)


async def one(db: Unit, organization: UUID, invitation: UUID) -> Invitation | None:
    """An invitation of an organization's; None when it has none of that id."""
    return await db.one_or_none(_one, organization=organization, invitation=invitation)


async def pending_of(db: Unit, organization: UUID, email: str) -> Invitation | None:
    """The invitation of an address that nobody has decided, be it too late by now; None for none."""
    return await db.one_or_none(_pending_of, organization=organization, email=email)


async def send_anew(db: Unit, invitation: UUID, lifetime: timedelta, token: str) -> Invitation | None:
    """Give an undecided invitation another token and another end; None when somebody has decided."""
    given = {"new_hash": token_hash(token), "seconds": _seconds(lifetime)}
    return await db.one_or_none(_send_anew, invitation=invitation, **given)


async def decide(db: Unit, invitation: UUID, status: Status, *, in_time: bool = True) -> Invitation | None:
    """Accept, decline or revoke an undecided invitation; `in_time`: one that has not expired. None when it is over."""
    return await db.one_or_none(_decide[status, in_time], invitation=invitation)


async def revoke_of(db: Unit, organization: UUID, user: UUID) -> None:
    """Revoke what somebody has sent, and what was sent to them."""
    await db.run(_revoke_of, organization=organization, user=user)


async def revoke_by(db: Unit, organization: UUID, user: UUID) -> None:
    """Revoke what somebody has sent."""
    await db.run(_revoke_by, organization=organization, user=user)


async def revoke_sent(db: Unit, user: UUID) -> int:
    """Revoke what somebody has sent for any organization; answers how many there were."""
    return await db.run(_revoke_sent, user=user)


async def page(
    db: Unit,
    organization: UUID,
    *,
    state: State | None = "pending",
    before: UUID | None = None,
    limit: int = 50,
    offset: int = 0,
) -> list[Invitation]:
    """The invitations of an organization in one state, or all, newest first.

    `before` is the id of the last one of the page before.
    """
    given = {"organization": organization, "before": before or _LAST, "limit": limit, "offset": offset}
    return await db.rows(_pages[state], **given)


async def sent_by(db: Unit, user: UUID) -> list[Invitation]:
    """What somebody has sent, as far as they still belong there."""
    return await db.rows(_sent_by, user=user)


async def for_person(
    db: Unit, user: UUID, *, before: UUID | None = None, limit: int = 50, offset: int = 0
) -> list[Offered]:
    """The invitations that wait for a person: to the address that they have proven. On the service login."""
    return await db.rows(_for_person, user=user, before=before or _LAST, limit=limit, offset=offset)


async def by_token(db: Unit, token: str) -> Offered | None:
    """What the token of a mail stands for, left as it is, be it over by now; None for one that is no more.

    On the service login.
    """
    return await db.one_or_none(_by_token, hash=token_hash(token))


async def by_id(db: Unit, invitation: UUID) -> Offered | None:
    """The same by the invitation's id."""
    return await db.one_or_none(_by_id, invitation=invitation)


async def waits_for(db: Unit, email: str) -> bool:
    """Whether an invitation waits for an address. On the service login."""
    found: int = await db.one(_waits, email=email)
    return found > 0


def _seconds(length: timedelta) -> int:
    return int(length.total_seconds())
