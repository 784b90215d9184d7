"""The accounts: what a provider knows a user by."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import delete, insert, select, update

from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.database.types import UtcDateTime
from tenantry.kernel.sql import now

from ..models import Accounts, Users


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
_KEPT = ("scope", "token_type", "access_token", "refresh_token", "id_token", "session_state")
_keep_tokens = statement(
    update(Accounts)
    .where(Accounts.id == param("account"))
    .values(
        **{name: param(f"new_{name}") for name in _KEPT},
        access_token_expires_at=param("new_access_token_expires_at", UtcDateTime()),
    )
)
_tokens = statement(
    select(
        Accounts.id,
        Accounts.access_token,
        Accounts.access_token_expires_at,
        Accounts.refresh_token,
        Accounts.token_type,
        Accounts.scope,
    )
    .join(Users, Users.id == Accounts.user_id)
    .where(Accounts.user_id == param("user"), Accounts.provider == param("provider"), Users.deleted_at.is_(None)),
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
_remove = statement(delete(Accounts).where(Accounts.user_id == param("user"), Accounts.id == param("account")))


async def known(db: Unit, *, provider: str, subject: str) -> KnownAccount | None:
    """The account a provider's subject signs in with; the caller compares its issuer."""
    return await db.one_or_none(_known, provider=provider, subject=subject)


async def add(db: Unit, **given: Any) -> None:
    """Write a new account: `id`, `user_id`, `type`, `provider`, `issuer`, `provider_account_id`, `email`."""
    await db.run(_add, **given)


async def use(db: Unit, account: UUID, *, email: str | None) -> None:
    """Note that an account was used, and the address its provider tells today."""
    await db.run(_use, account=account, told_email=email)


async def keep_tokens(db: Unit, account: UUID, *, expires_at: datetime | None, **sealed: str | None) -> None:
    """Keep what a provider gave; what is not given is forgotten.

    Sealed come `access_token`, `refresh_token` and `id_token`; in the clear `scope`, `token_type`, `session_state`.
    """
    await db.run(
        _keep_tokens,
        account=account,
        new_access_token_expires_at=expires_at,
        **{f"new_{name}": sealed.get(name) for name in _KEPT},
    )


async def tokens(db: Unit, user: UUID, provider: str) -> list[StoredTokens]:
    """The sealed tokens of a user's accounts at a provider, of a user who is not deleted."""
    return await db.rows(_tokens, user=user, provider=provider)


async def of_user(db: Unit, user: UUID) -> list[Account]:
    """The accounts a user signs in with, oldest first."""
    return await db.rows(_of_user, user=user)


async def remove(db: Unit, user: UUID, account: UUID) -> bool:
    """Take one of a user's accounts away, with the sessions it began; False when the user has none of that id."""
    return await db.run(_remove, user=user, account=account) == 1
