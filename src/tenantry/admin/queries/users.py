"""People: listed, found by a part of what they are called, and all that one of them has. No secret, no hash of one."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import and_, func, or_, select

from tenantry.holders.models import Holders, on_plan, plan_now
from tenantry.identity.models import Accounts, Passkeys, Passwords, Sessions, TotpSecrets, Users, role_now
from tenantry.kernel.database import Statement, Unit, param, statement
from tenantry.kernel.database.types import Id, Whole
from tenantry.kernel.listing import Listing, Page, Place
from tenantry.kernel.sql import folded, now

ROLES = ("USER", "PREMIUM", "ADMIN", "BANNED")
LOOKED_THROUGH = 25_000
"""People whose address and name are looked at for one page of a search: what a page costs, whatever it finds."""
SHOWN_MAX = 50
_LAST = UUID(int=2**128 - 1)


class Listed(msgspec.Struct, frozen=True):
    """A person in the list, with the role and the plan in force."""

    id: UUID
    email: str
    name: str | None
    role: str
    plan: str | None
    deleted_at: datetime | None
    created_at: datetime


class Profile(msgspec.Struct, frozen=True):
    """A person, with the role, the plan and the ways in. `role` is in force, `stored_role` what is under a ban."""

    id: UUID
    email: str
    email_verified_at: datetime | None
    name: str | None
    company: str | None
    role: str
    stored_role: str
    role_until: datetime | None
    membership_status: str
    banned_at: datetime | None
    ban_ends_at: datetime | None
    ban_reason: str | None
    deleted_at: datetime | None
    created_at: datetime
    holder_id: UUID | None
    plan: str | None
    plan_source: str | None
    plan_until: datetime | None
    granted_plan: str | None
    has_password: bool
    has_app: bool
    passkeys: int

    @property
    def is_banned(self) -> bool:
        return self.role == "BANNED"


class Account(msgspec.Struct, frozen=True):
    """A linked sign-in."""

    provider: str
    email: str | None
    last_used_at: datetime | None


class Session(msgspec.Struct, frozen=True):
    """A signed-in browser. `reason`: an operator looks through the person's eyes in it, and why."""

    id: UUID
    method: str
    address: str | None
    user_agent: str | None
    created_at: datetime
    last_seen_at: datetime | None
    expires_at: datetime
    reason: str | None
    operator: str | None


_role = role_now()
_LISTED = (
    Users.id, Users.email, Users.name, _role.label("role"), plan_now().label("plan"), Users.deleted_at,
    Users.__table__.c.created_at,
)  # fmt: skip
_selected = select(*_LISTED).select_from(Users).outerjoin(Holders, Holders.user_id == Users.id)
_FILTERS: Mapping[str, Any] = {
    # Nearly everybody: the list is walked, and said in words whose frequency a planner knows. The others have an index.
    "USER": and_(
        or_(Users.role == "USER", Users.role_until <= now()),
        or_(Users.banned_at.is_(None), Users.ban_ends_at <= now()),
    ),
    "PREMIUM": and_(Users.role == "PREMIUM", _role == "PREMIUM"),
    "ADMIN": and_(Users.role == "ADMIN", _role == "ADMIN"),
    "BANNED": and_(Users.banned_at.is_not(None), _role == "BANNED"),
    "plan": on_plan(param("plan")),
}

USERS = Listing(_selected, Listed, id=Users.id, filters=_FILTERS)
"""People, newest first, by `plan` and by their role, each a filter of its own ({})."""

_before = Users.id < param("before", Id())
_newest = select(Users.id).where(_before).order_by(Users.id.desc())
_looked_at = _newest.limit(param("look_through", Whole())).subquery("looked_at")
_pattern = folded(param("pattern"))
_fits = or_(folded(Users.email).like(_pattern, escape="!"), folded(Users.name).like(_pattern, escape="!"))
_exactly = statement(
    _selected.where(or_(folded(Users.email) == folded(param("text")), Users.id == param("user", Id()))).limit(2), Listed
)
_scanned_to = statement(_newest.offset(param("skipped", Whole())).limit(1))
_ROLES_ASKED = ((), *((one,) for one in ROLES))


def _searching(names: tuple[str, ...]) -> Statement[Listed]:
    chosen = _selected.join(_looked_at, _looked_at.c.id == Users.id)
    chosen = chosen.where(_fits, *(_FILTERS[name] for name in names)).order_by(Users.id.desc())
    return statement(chosen.limit(param("limit", Whole())), Listed)


_searches = {frozenset(names): _searching(names) for role in _ROLES_ASKED for names in (role, (*role, "plan"))}

_this = Users.id == param("user", Id())
_LABELLED: dict[str, Any] = {
    "role": _role.label("role"),
    "stored_role": Users.role.label("stored_role"),
    "holder_id": Holders.id.label("holder_id"),
    "plan": plan_now().label("plan"),
    **{name: Holders.__table__.c[name] for name in ("plan_source", "plan_until", "granted_plan")},
    "has_password": select(Passwords.user_id).where(Passwords.user_id == Users.id).exists().label("has_password"),
    "has_app": select(TotpSecrets.user_id)
    .where(TotpSecrets.user_id == Users.id, TotpSecrets.confirmed_at.is_not(None))
    .exists()
    .label("has_app"),
    "passkeys": select(func.count())
    .select_from(Passkeys)
    .where(Passkeys.user_id == Users.id)
    .scalar_subquery()
    .label("passkeys"),
}
_profile = statement(
    select(*(_LABELLED[name] if name in _LABELLED else Users.__table__.c[name] for name in Profile.__struct_fields__))
    .select_from(Users)
    .outerjoin(Holders, Holders.user_id == Users.id)
    .where(_this),
    Profile,
)
_accounts = statement(
    select(Accounts.provider, Accounts.email, Accounts.last_used_at)
    .where(Accounts.user_id == param("user", Id()))
    .order_by(Accounts.id),
    Account,
)
_operator = Users.__table__.alias("operator")
_sessions = statement(
    select(
        *(Sessions.__table__.c[name] for name in Session.__struct_fields__ if name != "operator"),
        _operator.c.email.label("operator"),
    )
    .outerjoin(_operator, _operator.c.id == Sessions.impersonator_id)
    .where(Sessions.user_id == param("user", Id()), Sessions.expires_at > now())
    .order_by(Sessions.id.desc())
    .limit(param("limit", Whole())),
    Session,
)


async def search(
    db: Unit, text: str, place: Place | None = None, *, look_through: int = LOOKED_THROUGH, **wanted: Any
) -> Page[Listed]:
    """People whose address or name holds a text, newest first; and before them whose address or id it is.

    A page looks through so many people at most, from the place on: `older` goes on where it ended, so that however many
    there are, each page costs the same. There is no way up.
    """
    asked = frozenset(name for name, value in wanted.items() if value is not None)
    given = {name: value for name, value in wanted.items() if name in asked and value != {}}
    given |= {"pattern": f"%{_escaped(text)}%", "before": place.id if place else _LAST, "limit": SHOWN_MAX + 1}
    exactly = [] if place or asked else await db.rows(_exactly, text=text, user=_id(text))
    rows = await db.rows(_searches[asked], look_through=look_through, **given)
    if len(rows) > SHOWN_MAX:
        older = str(rows[SHOWN_MAX - 1].id)
    else:
        last = await db.one_or_none(_scanned_to, before=given["before"], skipped=look_through - 1)
        older = str(last) if last else ""
    known = {one.id for one in exactly}
    return Page([*exactly, *(one for one in rows[:SHOWN_MAX] if one.id not in known)], older=older)


async def profile(db: Unit, user: UUID) -> Profile | None:
    """One person; None when there is none of that id."""
    return await db.one_or_none(_profile, user=user)


async def accounts(db: Unit, user: UUID) -> list[Account]:
    """A person's linked sign-ins."""
    return await db.rows(_accounts, user=user)


async def sessions(db: Unit, user: UUID) -> list[Session]:
    """A person's sessions that go on, newest first, `SHOWN_MAX` at most."""
    return await db.rows(_sessions, user=user, limit=SHOWN_MAX)


def _escaped(text: str) -> str:
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        return UUID(int=0)
