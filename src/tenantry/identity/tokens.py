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
from tenantry.kernel.attempts import attempt, give_back, network
from tenantry.kernel.crypto import token_hash
from tenantry.kernel.ids import new_token

from . import queries
from .errors import CodeWrong, LinkExpired
from .queries.tokens import Token

CODE_DIGITS = 6
CODE_TRIES = 5
"""At one code; a new one must be asked for then."""
CODE_TRIES_OF_A_NETWORK = 40
"""Within ten minutes, at whatever codes; right ones are given back."""
CODE_TRIES_AN_HOUR = 25
"""At the codes of one address, however many were asked for."""


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


async def count_code_try(ctx: Context, challenge: UUID, identifier: str | None = None) -> None:
    """Count a try at a code, committed before it is compared; `ctx` has no open unit. Raises `TooManyAttempts`.

    `identifier` is the address that asked, where the caller knows it: starting over gives no further tries.
    """
    # First, so that whoever tries a few codes of many addresses is stopped too.
    if caller := network(ctx.origin.address):
        await attempt(ctx, f"codes from {caller}", most=CODE_TRIES_OF_A_NETWORK, within=timedelta(minutes=10))
    await attempt(ctx, f"code {challenge}", most=CODE_TRIES, within=timedelta(hours=1))
    if identifier is not None:
        await attempt(ctx, f"codes {identifier}", most=CODE_TRIES_AN_HOUR, within=timedelta(hours=1))


async def give_code_try_back(ctx: Context, identifier: str) -> None:
    """The code was right: this try does not count against the address; `ctx` has no open unit."""
    await give_back(ctx, f"codes {identifier}")
    if caller := network(ctx.origin.address):
        await give_back(ctx, f"codes from {caller}")


async def use_code(ctx: Context, purpose: Purpose, challenge: UUID, code: str) -> Token:
    """Use a token up by its code in the open unit; the try is counted before. Raises `CodeWrong`."""
    digits = "".join(letter for letter in code if letter.isascii() and letter.isdigit())
    for code_hash in _code_hashes(ctx, challenge, digits):
        found = await queries.tokens.use_code(ctx.db, purpose.value, challenge, code_hash)
        if found is not None:
            return found
    raise CodeWrong


def _code_hashes(ctx: Context, token_id: UUID, code: str) -> list[bytes]:
    # Six digits are guessed from a plain hash in a blink; from an HMAC only by who has a secret key too.
    return ctx.runtime.vault.fingerprints(f"{token_id} {code}", purpose="code")
