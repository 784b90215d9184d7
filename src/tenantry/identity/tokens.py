"""Verification tokens: a link's token and a short code for one purpose, used once, kept as hashes.

The purpose stands in the token itself (`reset_...`) and in its row, so a token of one purpose is none for another. A
short code counts only together with the id of its row, which the browser that asked holds (the "challenge").
"""

import secrets
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

from tenantry.kernel import Context, new_id
from tenantry.kernel.attempts import attempt
from tenantry.kernel.crypto import token_hash
from tenantry.kernel.ids import new_token
from tenantry.kernel.retention import forget

from . import queries
from .errors import CodeWrong, LinkExpired
from .limits import Bounds, Tried, count_from
from .queries.tokens import Token

CODE_DIGITS = 6
CODE_TRIES = 5
"""At one code; a new one must be asked for then."""
CODE_TRIES_OF_A_NETWORK = 40
"""Within ten minutes, at whatever codes; right ones are given back."""
CODE_TRIES_AN_HOUR = 25
"""At the codes of one address, however many were asked for."""
_HOUR = timedelta(hours=1)


class Purpose(StrEnum):
    """What a token is for."""

    SIGN_UP = "sign-up"
    SIGN_IN = "sign-in"
    RESET = "reset"
    CHANGE_ADDRESS = "change-address"
    APPROVE_ADDRESS = "approve-address"
    SECOND_FACTOR = "second-factor"
    LINK = "link"
    PASSKEY = "passkey"
    CONFIRM = "confirm"

    @property
    def prefix(self) -> str:
        """How its tokens begin."""
        return self.value.replace("-", "_")

    @property
    def lifetime(self) -> timedelta:
        """How long its tokens hold."""
        return _LIFETIMES[self]


_LIFETIMES = {
    Purpose.SIGN_UP: timedelta(hours=24),
    Purpose.SIGN_IN: timedelta(minutes=15),
    Purpose.RESET: timedelta(hours=1),
    Purpose.CHANGE_ADDRESS: timedelta(hours=24),
    Purpose.APPROVE_ADDRESS: timedelta(hours=24),
    Purpose.SECOND_FACTOR: timedelta(minutes=10),
    Purpose.LINK: timedelta(minutes=15),
    Purpose.PASSKEY: timedelta(minutes=5),
    Purpose.CONFIRM: timedelta(minutes=10),
}


class Issued(msgspec.Struct, frozen=True):
    """A new token. `token` goes into the mail or the cookie, `code` into the mail, `id` is the challenge."""

    id: UUID
    token: str
    code: str


def draw(purpose: Purpose) -> Issued:
    """A token that is not written yet: so that its mail can be drawn before a unit is open."""
    return Issued(new_id(), new_token(purpose.prefix), f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}")


async def issue(
    ctx: Context,
    purpose: Purpose,
    identifier: str,
    *,
    user_id: UUID | None = None,
    detail: Mapping[str, Any] | None = None,
    drawn: Issued | None = None,
) -> Issued:
    """Write a token and its code into the open unit of work on the service login; `drawn` is one from `draw`."""
    issued = drawn or draw(purpose)
    await queries.tokens.add(
        ctx.db,
        id=issued.id,
        purpose=purpose.value,
        identifier=identifier,
        user_id=user_id,
        token_hash=token_hash(issued.token),
        code_hash=_code_hashes(ctx, issued.id, issued.code)[0],
        detail=dict(detail or {}),
        seconds=int(purpose.lifetime.total_seconds()),
    )
    return issued


def purpose_of(token: str) -> Purpose | None:
    """What a token says to be for; None for what was never one of ours."""
    prefix, _, secret = token.rpartition("_")
    return next((one for one in Purpose if one.prefix == prefix), None) if secret else None


async def find(ctx: Context, purpose: Purpose, token: str) -> Token:
    """What a token stands for, left unused. Raises `LinkExpired`, also for one of another purpose."""
    found = await queries.tokens.find(ctx.db, purpose.value, token_hash(token))
    if found is None:
        raise LinkExpired
    return found


async def use(ctx: Context, purpose: Purpose, token: str) -> Token:
    """Use a token up in the open unit. Raises `LinkExpired` when it was used, is too old, or of another purpose."""
    found = await queries.tokens.use(ctx.db, purpose.value, token_hash(token))
    if found is None:
        raise LinkExpired
    return found


async def count_code_try(
    ctx: Context, challenge: UUID, identifier: str | None = None, *, is_known: bool = False
) -> Tried:
    """Count a try at a code, committed before it is compared; `ctx` has no open unit. Raises `TooManyAttempts`.

    `identifier` is the address that asked, where the caller knows it: starting over gives no further tries. `is_known`
    says that the browser that asked was signed in there before: strangers who guess do not use its tries up. A right
    code gives back what is answered (`limits.give_tries_back`).
    """
    # First, so that whoever tries a few codes of many addresses is stopped too.
    tried = await count_from(ctx, "codes", bounds=Bounds(network=CODE_TRIES_OF_A_NETWORK))
    await attempt(ctx, f"code {challenge}", most=CODE_TRIES, within=_HOUR)
    if identifier is None:
        return tried
    key = f"codes {identifier}{' known' if is_known else ''}"
    await attempt(ctx, key, most=CODE_TRIES_AN_HOUR, within=_HOUR)
    return Tried((*tried.keys, key))


async def find_code(ctx: Context, purpose: Purpose, challenge: UUID, code: str) -> Token:
    """What a code stands for, left unused; the try is counted before. Raises `CodeWrong`."""
    for code_hash in _code_hashes(ctx, challenge, code):
        found = await queries.tokens.find_code(ctx.db, purpose.value, challenge, code_hash)
        if found is not None:
            return found
    raise CodeWrong


async def use_code(ctx: Context, purpose: Purpose, challenge: UUID, code: str) -> Token:
    """Use a token up by its code in the open unit; the try is counted before. Raises `CodeWrong`."""
    for code_hash in _code_hashes(ctx, challenge, code):
        found = await queries.tokens.use_code(ctx.db, purpose.value, challenge, code_hash)
        if found is not None:
            return found
    raise CodeWrong


async def forget_expired_tokens(ctx: Context, _payload: dict[str, Any]) -> None:
    """Delete verification tokens that have expired, and changes of address that rested on them."""
    await forget(ctx, queries.tokens.EXPIRED, before=ctx.clock.now())
    await forget(ctx, queries.addresses.EXPIRED, before=ctx.clock.now())


def _code_hashes(ctx: Context, token_id: UUID, code: str) -> list[bytes]:
    digits = "".join(letter for letter in code if letter.isascii() and letter.isdigit())
    # Six digits are guessed from a plain hash in a blink; from an HMAC only by who has a secret key too.
    return ctx.runtime.vault.fingerprints(f"{token_id} {digits}", purpose="code")
