"""All SQL of users, accounts and sessions."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import and_, delete, insert, select, update

from tenantry.holders.models import Holders
from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.database.types import Bytes, Id, UtcDateTime, Whole
from tenantry.kernel.sql import folded, now, plus

from .models import Accounts, Sessions, Users


class User(msgspec.Struct, frozen=True):
    """A person, as they may see themselves."""

    id: UUID
    email: str
    email_verified_at: datetime | None
    name: str | None
    image: str | None
    company: str | None
    created_at: datetime
    updated_at: datetime


class Account(msgspec.Struct, frozen=True):
    """A way a user signs in."""

    id: UUID
    provider: str
    issuer: str
    provider_account_id: str
    email: str | None
    created_at: datetime
    last_used_at: datetime | None


class Session(msgspec.Struct, frozen=True):
    """A signed-in browser, without anything that could stand for it."""

    id: UUID
    address: str | None
    user_agent: str | None
    created_at: datetime
    expires_at: datetime


class KnownAccount(msgspec.Struct, frozen=True):
    """Whose account it is that somebody signs in with."""

    id: UUID
    user_id: UUID
    issuer: str
    name: str | None
    email: str
    deleted_at: datetime | None


class KnownUser(msgspec.Struct, frozen=True):
    """Whose address it is that somebody signs in with."""

    id: UUID
    deleted_at: datetime | None


class LiveSession(msgspec.Struct, frozen=True):
    """Everything a request needs to know about its session, in one row."""

    id: UUID
    expires_at: datetime
    user_id: UUID
    name: str | None
    email: str
    holder_id: UUID
    kind: str
    plan: str
    revision: int
    period_start: datetime | None
    period_end: datetime | None


class EndedSession(msgspec.Struct, frozen=True):
    """A session that was just deleted."""

    id: UUID
    user_id: UUID


_USER_COLUMNS = (
    Users.id, Users.email, Users.email_verified_at, Users.name, Users.image, Users.company, Users.created_at,
    Users.updated_at,
)  # fmt: skip
_SESSION_COLUMNS = (
    Sessions.id, Sessions.address, Sessions.user_agent, Sessions.created_at, Sessions.expires_at,
)  # fmt: skip

# The live ones only: an expired session is refused here, whether or not the job has come by.
_live_session = statement(
    select(
        Sessions.id,
        Sessions.expires_at,
        Users.id.label("user_id"),
        Users.name,
        Users.email,
        Holders.id.label("holder_id"),
        Holders.kind,
        Holders.plan,
        Holders.revision,
        Holders.period_start,
        Holders.period_end,
    )
    .join(Users, Users.id == Sessions.user_id)
    .join(Holders, Holders.user_id == Users.id)
    .where(Sessions.token_hash == param("hash", Bytes()), Sessions.expires_at > now(), Users.deleted_at.is_(None)),
    LiveSession,
)

_slide = statement(
    update(Sessions)
    .where(Sessions.id == param("session"), Sessions.expires_at > now())
    .values(expires_at=plus(now(), param("seconds", Whole())), last_seen_at=now())
)

_account = statement(
    select(Accounts.id, Accounts.user_id, Accounts.issuer, Users.name, Users.email, Users.deleted_at)
    .join(Users, Users.id == Accounts.user_id)
    .where(Accounts.provider == param("provider"), Accounts.provider_account_id == param("subject")),
    KnownAccount,
)

_user_of_email = statement(
    select(Users.id, Users.deleted_at).where(folded(Users.email) == folded(param("email"))), KnownUser
)

_add_user = statement(
    insert(Users).values(
        id=param("id"), email=param("email"), name=param("name"), image=param("image"), email_verified_at=now()
    )
)

_ACCOUNT_GIVEN = ("id", "user_id", "provider", "issuer", "provider_account_id", "email")
_add_account = statement(insert(Accounts).values(**{name: param(name) for name in _ACCOUNT_GIVEN}, last_used_at=now()))

_use_account = statement(
    update(Accounts).where(Accounts.id == param("account")).values(email=param("told_email"), last_used_at=now())
)

_SESSION_GIVEN = ("id", "user_id", "account_id", "token_hash", "address", "user_agent")
_add_session = statement(
    insert(Sessions).values(
        **{name: param(name) for name in _SESSION_GIVEN}, expires_at=plus(now(), param("seconds", Whole()))
    )
)

_end_by_hash = statement(
    delete(Sessions).where(Sessions.token_hash == param("hash", Bytes())).returning(Sessions.id, Sessions.user_id),
    EndedSession,
)

_of_user = Sessions.user_id == param("user")
_end_by_id = statement(delete(Sessions).where(_of_user, Sessions.id == param("session")))
_end_others = statement(delete(Sessions).where(_of_user, Sessions.id != param("kept")))

_sessions = statement(
    select(*_SESSION_COLUMNS)
    .where(_of_user, Sessions.expires_at > now(), Sessions.id < param("before", Id()))
    .order_by(Sessions.id.desc())
    .limit(param("limit", Whole())),
    Session,
)

_accounts = statement(
    select(
        Accounts.id,
        Accounts.provider,
        Accounts.issuer,
        Accounts.provider_account_id,
        Accounts.email,
        Accounts.created_at,
        Accounts.last_used_at,
    )
    .where(Accounts.user_id == param("user"))
    .order_by(Accounts.id),
    Account,
)

_user = statement(select(*_USER_COLUMNS).where(and_(Users.id == param("user"), Users.deleted_at.is_(None))), User)

_rename = statement(update(Users).where(Users.id == param("user")).values(name=param("new_name")))

_forget = statement(
    delete(Sessions).where(
        Sessions.id.in_(
            select(Sessions.id)
            .where(Sessions.expires_at < param("before", UtcDateTime()))
            .order_by(Sessions.expires_at)
            .limit(1000)
        )
    )
)


async def live_session(db: Unit, token_hash: bytes) -> LiveSession | None:
    """The session of a token, with its user and their holder; None when it is unknown, expired or its user deleted."""
    return await db.one_or_none(_live_session, hash=token_hash)


async def slide(db: Unit, session: UUID, *, seconds: int) -> None:
    """Let a live session last `seconds` from now."""
    await db.run(_slide, session=session, seconds=seconds)


async def account(db: Unit, *, provider: str, subject: str) -> KnownAccount | None:
    """The account a provider's subject signs in with; the caller compares its issuer."""
    return await db.one_or_none(_account, provider=provider, subject=subject)


async def user_of_email(db: Unit, email: str) -> KnownUser | None:
    """Who has this address, without regard to case."""
    return await db.one_or_none(_user_of_email, email=email)


async def add_user(db: Unit, user: UUID, *, email: str, name: str | None, image: str | None) -> None:
    """Write a new user whose address is verified."""
    await db.run(_add_user, id=user, email=email, name=name, image=image)


async def add_account(db: Unit, **given: Any) -> None:
    """Write a new account: `id`, `user_id`, `provider`, `issuer`, `provider_account_id`, `email`."""
    await db.run(_add_account, **given)


async def use_account(db: Unit, account: UUID, *, email: str | None) -> None:
    """Note that an account was used, and the address its provider tells today."""
    await db.run(_use_account, account=account, told_email=email)


async def add_session(db: Unit, *, seconds: int, **given: Any) -> None:
    """Write a session: `id`, `user_id`, `account_id`, `token_hash`, `address`, `user_agent`."""
    await db.run(_add_session, seconds=seconds, **given)


async def end_by_hash(db: Unit, token_hash: bytes) -> EndedSession | None:
    """Delete the session of a token; None when there is none."""
    return await db.one_or_none(_end_by_hash, hash=token_hash)


async def end_by_id(db: Unit, user: UUID, session: UUID) -> bool:
    """Delete one of a user's sessions; False when the user has none of that id."""
    return await db.run(_end_by_id, user=user, session=session) == 1


async def end_others(db: Unit, user: UUID, kept: UUID) -> int:
    """Delete a user's sessions but one; answers how many there were."""
    return await db.run(_end_others, user=user, kept=kept)


async def sessions_of(db: Unit, user: UUID, *, before: UUID | None = None, limit: int = 100) -> list[Session]:
    """A user's live sessions, newest first; `before` is the id of the last one of the page before."""
    return await db.rows(_sessions, user=user, before=before or UUID(int=2**128 - 1), limit=limit)


async def accounts_of(db: Unit, user: UUID) -> list[Account]:
    """The ways a user signs in, oldest first."""
    return await db.rows(_accounts, user=user)


async def user_by_id(db: Unit, user: UUID) -> User | None:
    """The user, unless deleted or not the reader's to see."""
    return await db.one_or_none(_user, user=user)


async def rename(db: Unit, user: UUID, name: str | None) -> None:
    """Give a user another name, or none."""
    await db.run(_rename, user=user, new_name=name)


async def forget_sessions(db: Unit, *, before: datetime) -> int:
    """Delete up to 1000 sessions that expired before a time."""
    return await db.run(_forget, before=before)
