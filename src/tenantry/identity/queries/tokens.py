"""Verification tokens: written once, used once. Using one is deleting its row, so of two who race one wins."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import delete, insert, select

from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.database.types import Bytes, Json, Whole
from tenantry.kernel.retention import expired
from tenantry.kernel.sql import now, plus

from ..models import VerificationTokens as Tokens
from . import addresses


class Token(msgspec.Struct, frozen=True):
    """What a token stands for."""

    id: UUID
    purpose: str
    identifier: str
    user_id: UUID | None
    detail: dict[str, Any]
    expires_at: datetime


_COLUMNS = (Tokens.id, Tokens.purpose, Tokens.identifier, Tokens.user_id, Tokens.detail, Tokens.expires_at)
_GIVEN = ("id", "purpose", "identifier", "user_id")
_add = statement(
    insert(Tokens).values(
        **{name: param(name) for name in _GIVEN},
        token_hash=param("token_hash", Bytes()),
        code_hash=param("code_hash", Bytes()),
        detail=param("detail", Json()),
        expires_at=plus(now(), param("seconds", Whole())),
    )
)
_meant = (Tokens.purpose == param("purpose"), Tokens.expires_at > now())
_of_hash = (Tokens.token_hash == param("hash", Bytes()), *_meant)
_of_code = (Tokens.id == param("id"), Tokens.code_hash == param("hash", Bytes()), *_meant)
_find = statement(select(*_COLUMNS).where(*_of_hash), Token)
_latest = statement(
    select(Tokens.id).where(Tokens.identifier == param("identifier"), *_meant).order_by(Tokens.id.desc()).limit(1)
)
_of_challenge = statement(select(*_COLUMNS).where(Tokens.id == param("id"), *_meant), Token)
_find_code = statement(select(*_COLUMNS).where(*_of_code), Token)
_use = statement(delete(Tokens).where(*_of_hash).returning(*_COLUMNS), Token)
_use_code = statement(delete(Tokens).where(*_of_code).returning(*_COLUMNS), Token)
_forget_of_user = statement(delete(Tokens).where(Tokens.user_id == param("user")))
_forget_purpose = statement(delete(Tokens).where(Tokens.user_id == param("user"), Tokens.purpose == param("purpose")))
_pending = (Tokens.purpose == param("purpose"), Tokens.identifier == param("identifier"))
_forget_older = statement(
    delete(Tokens).where(
        *_pending,
        Tokens.id.not_in(select(Tokens.id).where(*_pending).order_by(Tokens.id.desc()).limit(param("most", Whole()))),
    )
)
EXPIRED = expired(Tokens.expires_at)


async def add(db: Unit, *, seconds: int, **given: Any) -> None:
    """Write a token: `id`, `purpose`, `identifier`, `user_id`, `token_hash`, `code_hash`, `detail`."""
    await db.run(_add, seconds=seconds, **given)


async def find(db: Unit, purpose: str, token_hash: bytes) -> Token | None:
    """The live token of a hash, left as it is: for a page that asks before anything happens."""
    return await db.one_or_none(_find, purpose=purpose, hash=token_hash)


async def latest(db: Unit, purpose: str, identifier: str) -> UUID | None:
    """The id of the newest live token that speaks of an address or id: the challenge of its code."""
    return await db.one_or_none(_latest, purpose=purpose, identifier=identifier)


async def of_challenge(db: Unit, purpose: str, token: UUID) -> Token | None:
    """The live token of an id, left as it is."""
    return await db.one_or_none(_of_challenge, purpose=purpose, id=token)


async def use(db: Unit, purpose: str, token_hash: bytes) -> Token | None:
    """Use up the live token of a hash; None when there is none, or somebody was faster."""
    return await db.one_or_none(_use, purpose=purpose, hash=token_hash)


async def find_code(db: Unit, purpose: str, token: UUID, code_hash: bytes) -> Token | None:
    """The live token of a short code, left as it is; None when the code is another."""
    return await db.one_or_none(_find_code, purpose=purpose, id=token, hash=code_hash)


async def use_code(db: Unit, purpose: str, token: UUID, code_hash: bytes) -> Token | None:
    """Use up a live token by its short code; None when the code is another, or somebody was faster."""
    return await db.one_or_none(_use_code, purpose=purpose, id=token, hash=code_hash)


async def forget_of_user(db: Unit, user: UUID, purpose: str | None = None) -> int:
    """Make a user's tokens worthless, all or those of one purpose; answers how many there were.

    With all of them ends the change of address that rests on them.
    """
    if purpose is None:
        await addresses.end(db, user)
        return await db.run(_forget_of_user, user=user)
    return await db.run(_forget_purpose, user=user, purpose=purpose)


async def forget_older(db: Unit, purpose: str, identifier: str, *, most: int) -> int:
    """Make all but the newest tokens of one purpose for an address worthless; answers how many there were."""
    return await db.run(_forget_older, purpose=purpose, identifier=identifier, most=most)
