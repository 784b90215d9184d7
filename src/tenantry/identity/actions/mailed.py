"""What the flows share that send a mail and wait for its link or code: asking for it, and what comes back.

An address that nobody has, and one that somebody has, take the same way through here: the same statements, one letter
drawn, a token written. For nobody the letter goes nowhere, and the token stands for nothing.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from tenantry.kernel import Context
from tenantry.web import Letter, Translator

from .. import letters, queries, tokens
from ..devices import clipped, device_of
from ..errors import CodeWrong, LinkExpired
from ..limits import Tried, count_mail
from ..queries.tokens import Token
from ..queries.users import KnownUser
from ..tokens import Purpose
from .admission import Admission

PENDING_MAX = 3
"""Tokens of one purpose for one address: who asks a fourth time makes the first worthless."""


class Asking(msgspec.Struct, frozen=True):
    """Who asks for a mail: a clean address, where to go afterwards, their language, whom their browser knows."""

    email: str
    return_to: str
    words: Translator
    knows: Callable[[UUID], bool]


class Mailing(msgspec.Struct, frozen=True):
    """What goes out: the drawn token, its letter, what to remember with it, and whether anybody gets it."""

    purpose: Purpose
    drawn: tokens.Issued
    letter: Letter
    detail: Mapping[str, Any]
    wanted: bool


class KeyShown(msgspec.Struct, frozen=True):
    """What somebody shows of a mail: the token of its link, or its code with the challenge of who asked."""

    token: str = ""
    challenge: UUID | None = None
    code: str = ""


class AskedFrom(msgspec.Struct, frozen=True):
    """Where a mail was asked for: what the browser says of itself, the network address, and when."""

    browser: str
    system: str
    address: str
    at: datetime


class Entered(msgspec.Struct, frozen=True):
    """A person who showed a mail: let in, or half so, and where they wanted to go."""

    admission: Admission
    return_to: str


async def look_up(ctx: Context, asking: Asking) -> KnownUser | None:
    """Who has the address that asks; the asking is counted, and refused (`TooManyAttempts`) when it is too often."""
    async with ctx.service(writes=False) as reading:
        user = await queries.users.of_email(reading.db, asking.email)
    await count_mail(ctx, asking.email, is_known=_is_known(asking, user))
    return user


async def send_mailing(ctx: Context, asking: Asking, user: KnownUser | None, mailing: Mailing) -> UUID:
    """Write token and mail in a unit of their own; answers the challenge."""
    drawn = letters.draw(ctx, mailing.letter, asking.words)
    purpose = mailing.purpose
    said = {"return_to": asking.return_to, "known": _is_known(asking, user)}
    detail = {**mailing.detail, **origin_of(ctx), **said}
    async with ctx.service() as working:
        await queries.tokens.forget_older(working.db, purpose.value, asking.email, most=PENDING_MAX - 1)
        await tokens.issue(
            working,
            purpose,
            asking.email,
            user_id=user.id if user and mailing.wanted else None,
            detail=detail,
            drawn=mailing.drawn,
        )
        await letters.post(working, user.email if user else asking.email, drawn, wanted=mailing.wanted)
    return mailing.drawn.id


async def count_shown(ctx: Context, purpose: Purpose, shown: KeyShown) -> Tried:
    """Count a try at a code before it is compared; links are not counted.

    It counts at the address that asked, apart for what a browser asked for that was signed in there: who asks for
    mails to somebody else's address, and types wrong codes, does not take the owner's tries.
    """
    if shown.challenge is None or shown.token:
        return Tried()
    async with ctx.service(writes=False) as reading:
        found = await queries.tokens.of_challenge(reading.db, purpose.value, shown.challenge)
    if found is None:
        return await tokens.count_code_try(ctx, shown.challenge)
    is_known = found.detail.get("known") is True
    return await tokens.count_code_try(ctx, shown.challenge, found.identifier, is_known=is_known)


async def find_shown(ctx: Context, purpose: Purpose, shown: KeyShown) -> Token:
    """What is shown stands for, left unused, in the open unit; the try is counted before.

    Raises `LinkExpired` for a link, `CodeWrong` for a code.
    """
    if shown.token:
        return await tokens.find(ctx, purpose, shown.token)
    if shown.challenge is None:
        raise CodeWrong
    return await tokens.find_code(ctx, purpose, shown.challenge, shown.code)


async def use_up(ctx: Context, purpose: Purpose, shown: KeyShown) -> Token:
    """Use a mail's token up in the open unit. Raises `LinkExpired` for a link, `CodeWrong` for a code.

    The user is held before the token: whoever changes their ways in holds the user, and then takes tokens away.
    """
    found = await _found(ctx, purpose, shown)
    if found is not None and found.user_id is not None:
        await queries.users.lock(ctx.db, found.user_id)
    if shown.token:
        return await tokens.use(ctx, purpose, shown.token)
    if shown.challenge is None:
        raise CodeWrong
    return await tokens.use_code(ctx, purpose, shown.challenge, shown.code)


async def read_mailed(ctx: Context, purpose: Purpose, token: str) -> Token:
    """What a link's token stands for, left unused. Raises `LinkExpired`."""
    async with ctx.service(writes=False) as reading:
        return await tokens.find(reading, purpose, token)


def origin_of(ctx: Context) -> dict[str, Any]:
    """Where this request comes from, to be kept with a token: its reader is told where it was asked for."""
    return {"address": ctx.origin.address, "user_agent": clipped(ctx.origin.user_agent)}


def asked_from(token: Token) -> AskedFrom:
    """Where a token was asked for."""
    browser, system = device_of(token.detail.get("user_agent"))
    asked_at = token.expires_at - Purpose(token.purpose).lifetime
    return AskedFrom(browser, system, token.detail.get("address") or "", asked_at)


def refuse_nobodys(token: Token) -> None:
    """A token that was written for nobody opens nothing. Raises `LinkExpired`."""
    if token.detail.get("nobody"):
        raise LinkExpired


def _is_known(asking: Asking, user: KnownUser | None) -> bool:
    return user is not None and asking.knows(user.id)


async def _found(ctx: Context, purpose: Purpose, shown: KeyShown) -> Token | None:
    if shown.token:
        return await tokens.find(ctx, purpose, shown.token)
    if shown.challenge is None:
        return None
    return await queries.tokens.of_challenge(ctx.db, purpose.value, shown.challenge)
