"""The accounts: what a provider knows a user by."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import delete, func, insert, or_, select, update

from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.database.types import UtcDateTime, Whole
from tenantry.kernel.sql import now, plus

from ..models import Accounts, Sessions, Users, is_banned_now


class Account(msgspec.Struct, frozen=True):
    """A way a user signs in."""

    id: UUID
    provider: str
    issuer: str
    provider_account_id: str
    email: str | None
    created_at: datetime
    last_used_at: datetime | None


class KnownAccount(msgspec.Struct, frozen=True):
    """Whose account it is that somebody signs in with."""

    id: UUID
    user_id: UUID
    issuer: str


class StoredTokens(msgspec.Struct, frozen=True):
    """A provider's tokens as they are kept: sealed, with the account's id as context."""

    id: UUID
    issuer: str
    access_token: str | None
    access_token_expires_at: datetime | None
    refresh_token: str | None
    token_type: str | None
    scope: str | None


_known = statement(
    select(Accounts.id, Accounts.user_id, Accounts.issuer).where(
        Accounts.provider == param("provider"), Accounts.provider_account_id == param("subject")
    ),
    KnownAccount,
)
_GIVEN = ("id", "user_id", "type", "provider", "issuer", "provider_account_id", "email")
_add = statement(insert(Accounts).values(**{name: param(name) for name in _GIVEN}, last_used_at=now()))
_use = statement(
    update(Accounts).where(Accounts.id == param("account")).values(email=param("told_email"), last_used_at=now())
)
_this = Accounts.id == param("account")
_KEPT = ("scope", "token_type", "access_token", "id_token", "session_state")
_given = {name: param(f"new_{name}") for name in _KEPT} | {
    "access_token_expires_at": param("new_expires_at", UtcDateTime())
}
_keep_tokens = statement(update(Accounts).where(_this).values(**_given))
# With a new refresh token the lease of who was using the old one is over; without one it is not.
_keep_all_tokens = statement(
    update(Accounts).where(_this).values(**_given, refresh_token=param("new_refresh_token"), refreshing_until=None)
)

# Everything about a refresh is said of the token it began with: a sign-in meanwhile has brought better ones.
_unchanged = (_this, Accounts.refresh_token == param("old_refresh_token"))
_claim = statement(
    update(Accounts)
    .where(*_unchanged, or_(Accounts.refreshing_until.is_(None), Accounts.refreshing_until <= now()))
    .values(refreshing_until=plus(now(), param("seconds", Whole())))
)
_release = statement(update(Accounts).where(*_unchanged).values(refreshing_until=None))
_keep_refreshed = statement(
    update(Accounts)
    .where(*_unchanged)
    .values(
        access_token=param("new_access_token"),
        access_token_expires_at=param("new_expires_at", UtcDateTime()),
        refresh_token=func.coalesce(param("new_refresh_token"), Accounts.refresh_token),
        scope=func.coalesce(param("new_scope"), Accounts.scope),
        refreshing_until=None,
    )
)
_forget_tokens = statement(
    update(Accounts)
    .where(*_unchanged)
    .values(access_token=None, access_token_expires_at=None, refresh_token=None, refreshing_until=None)
)
_tokens = statement(
    select(
        Accounts.id,
        Accounts.issuer,
        Accounts.access_token,
        Accounts.access_token_expires_at,
        Accounts.refresh_token,
        Accounts.token_type,
        Accounts.scope,
    )
    .join(Users, Users.id == Accounts.user_id)
    .where(
        Accounts.user_id == param("user"),
        Accounts.provider == param("provider"),
        Users.deleted_at.is_(None),
        ~is_banned_now(),
    )
    .order_by(Accounts.last_used_at.desc(), Accounts.id.desc())
    .limit(1),
    StoredTokens,
)
_tokens_of = statement(
    select(
        Accounts.id,
        Accounts.issuer,
        Accounts.access_token,
        Accounts.access_token_expires_at,
        Accounts.refresh_token,
        Accounts.token_type,
        Accounts.scope,
    ).where(Accounts.user_id == param("user"), _this),
    StoredTokens,
)
_of_user = statement(
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
_one = statement(
    select(
        Accounts.id,
        Accounts.provider,
        Accounts.issuer,
        Accounts.provider_account_id,
        Accounts.email,
        Accounts.created_at,
        Accounts.last_used_at,
    ).where(Accounts.user_id == param("user"), _this),
    Account,
)
_remove = statement(delete(Accounts).where(Accounts.user_id == param("user"), _this))
_detach = statement(
    update(Sessions)
    .where(Sessions.user_id == param("user"), Sessions.id == param("session"), Sessions.account_id == param("account"))
    .values(account_id=None)
)


async def known(db: Unit, *, provider: str, subject: str) -> KnownAccount | None:
    """The account a provider's subject signs in with; the caller compares its issuer."""
    return await db.one_or_none(_known, provider=provider, subject=subject)


async def add(db: Unit, **given: Any) -> None:
    """Write a new account: `id`, `user_id`, `type`, `provider`, `issuer`, `provider_account_id`, `email`."""
    await db.run(_add, **given)


async def use(db: Unit, account: UUID, *, email: str | None) -> None:
    """Note that an account was used, and the address its provider tells today."""
    await db.run(_use, account=account, told_email=email)


async def keep_tokens(
    db: Unit, account: UUID, *, expires_at: datetime | None, refresh_token: str | None, **given: str | None
) -> None:
    """Keep what a provider gave. What is not given is forgotten, but for the refresh token.

    That one some give at the first consent only, and it stays good. Sealed come `access_token`, `refresh_token` and
    `id_token`; in the clear `scope`, `token_type`, `session_state`.
    """
    new: dict[str, Any] = {f"new_{name}": given.get(name) for name in _KEPT} | {"new_expires_at": expires_at}
    if refresh_token is None:
        await db.run(_keep_tokens, account=account, **new)
    else:
        await db.run(_keep_all_tokens, account=account, new_refresh_token=refresh_token, **new)


async def tokens(db: Unit, user: UUID, provider: str) -> StoredTokens | None:
    """The sealed tokens of a user's account at a provider, of several the last one used.

    None when there is none, or the user is deleted or banned.
    """
    return await db.one_or_none(_tokens, user=user, provider=provider)


async def tokens_of(db: Unit, user: UUID, account: UUID) -> StoredTokens | None:
    """The sealed tokens of one of a user's accounts."""
    return await db.one_or_none(_tokens_of, user=user, account=account)


async def claim_refresh(db: Unit, account: UUID, sealed: str, *, seconds: int) -> bool:
    """Be the one who uses this refresh token, for so long; False while another is, or when there is another by now."""
    return await db.run(_claim, account=account, old_refresh_token=sealed, seconds=seconds) == 1


async def release_refresh(db: Unit, account: UUID, sealed: str) -> None:
    """Let the next one try: the provider was not reached."""
    await db.run(_release, account=account, old_refresh_token=sealed)


async def keep_refreshed(
    db: Unit, account: UUID, sealed: str, *, expires_at: datetime | None, **new: str | None
) -> bool:
    """Keep what a refresh gave (`access_token`, `refresh_token`, `scope`); False when other tokens are there by now."""
    given = {f"new_{name}": new[name] for name in ("access_token", "refresh_token", "scope")}
    return (
        await db.run(_keep_refreshed, account=account, old_refresh_token=sealed, new_expires_at=expires_at, **given)
        == 1
    )


async def forget_tokens(db: Unit, account: UUID, sealed: str) -> bool:
    """Forget tokens that the provider takes no longer; False when others are there by now."""
    return await db.run(_forget_tokens, account=account, old_refresh_token=sealed) == 1


async def of_user(db: Unit, user: UUID) -> list[Account]:
    """The accounts a user signs in with, oldest first."""
    return await db.rows(_of_user, user=user)


async def one(db: Unit, user: UUID, account: UUID) -> Account | None:
    """One of a user's accounts."""
    return await db.one_or_none(_one, user=user, account=account)


async def detach(db: Unit, user: UUID, session: UUID, account: UUID) -> None:
    """Let a session go on without the account it began with."""
    await db.run(_detach, user=user, session=session, account=account)


async def remove(db: Unit, user: UUID, account: UUID) -> bool:
    """Take one of a user's accounts away, with the sessions it began; False when the user has none of that id."""
    return await db.run(_remove, user=user, account=account) == 1
