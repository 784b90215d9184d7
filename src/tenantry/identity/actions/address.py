"""Changing one's address: the new address and the old one both agree, whichever first, then it happens at once.

Whoever asks is signed in and has just confirmed it; that alone changes nothing. An old address that was never proven is
not asked. Whether somebody has the new address already is told to nobody but its owner.
"""

from typing import Literal
from uuid import UUID

import msgspec

from tenantry.kernel import Context, new_id
from tenantry.kernel.audit import audit
from tenantry.kernel.database.failures import UniqueViolation
from tenantry.web import Translator

from .. import letters, queries, tokens
from ..errors import AddressTaken, AddressUnchanged, LinkExpired
from ..events import UserAddressChanged
from ..letters import Drawn
from ..letters import address as mails
from ..limits import MAILS, count_mail, count_try
from ..queries.tokens import Token
from ..queries.users import KnownUser
from ..tokens import Issued, Purpose
from .admission import as_user, refuse_closed
from .ending import end_sessions
from .sessions import Started, refuse_ended, renew_session

Side = Literal[Purpose.CHANGE_ADDRESS, Purpose.APPROVE_ADDRESS]


class Waiting(msgspec.Struct, frozen=True):
    """What a link of a change stands for: from which address to which, and who has agreed."""

    user_id: UUID
    old_email: str
    change: queries.addresses.AddressChange


class Agreed(msgspec.Struct, frozen=True):
    """One side has agreed. `is_done` says that both have; `started` is this browser's session with its new token."""

    email: str
    is_done: bool
    started: Started | None = None


async def ask_address_change(ctx: Context, email: str, words: Translator) -> None:
    """Begin the signed-in user's change to a clean address, in the place of an older one; `ctx` has no open unit.

    The caller has made sure that the user confirmed it a moment ago. Raises `AddressUnchanged` (409) and
    `TooManyAttempts` (429).
    """
    # At both: each asking writes to the old address and to the new one.
    await count_try(ctx, "address change", account=str(ctx.user_id), bounds=MAILS)
    await count_mail(ctx, email)
    async with ctx.service(writes=False) as reading:
        owner = await queries.users.of_email(reading.db, email)
    confirm, approve = tokens.draw(Purpose.CHANGE_ADDRESS), tokens.draw(Purpose.APPROVE_ADDRESS)
    to_old = mails.approve_letter(ctx, words, address=email, link=letters.mailed_link(ctx, approve.token))
    to_new = mails.confirm_letter(ctx, words, link=letters.mailed_link(ctx, confirm.token))
    if owner is not None:
        to_new = mails.taken_letter(ctx, words)
    drawn = [letters.draw(ctx, letter, words) for letter in (to_new, to_old)]
    async with ctx.service() as working:
        user = await refuse_closed(working, ctx.user_id)
        await refuse_ended(working)
        if email == user.email.lower():
            raise AddressUnchanged
        await _begin(working, user, email, confirm=confirm, approve=approve)
        await letters.post(working, email, drawn[0])
        await letters.post(working, user.email, drawn[1], wanted=user.email_verified_at is not None)
        await audit(working, "address_change.asked", subject=("user", user.id))


async def cancel_address_change(ctx: Context) -> bool:
    """Take back the change that the signed-in user has under way; False when there is none. In the open unit.

    Its tokens stand for nothing from then on.
    """
    was_there = await queries.addresses.end(ctx.db, ctx.user_id)
    if was_there:
        await audit(ctx, "address_change.cancelled", subject=("user", ctx.user_id))
    return was_there


async def read_address_link(ctx: Context, purpose: Side, token: str) -> Waiting:
    """What a link would do, left undone. Raises `LinkExpired`."""
    async with ctx.service(writes=False) as reading:
        found = await tokens.find(reading, purpose, token)
        user = await queries.users.known(reading.db, _user_of(found))
        change = await queries.addresses.of_user(reading.db, _user_of(found))
    if user is None or change is None or change.id != _change_of(found):
        raise LinkExpired
    return Waiting(user.id, user.email, change)


async def agree_to_address(ctx: Context, purpose: Side, token: str, words: Translator) -> Agreed:
    """Let one side agree; when the other has too, change the address. `ctx` has no open unit.

    Then every other session ends, this browser's gets a new token if it is the user's, what was mailed to the user
    before is worth nothing, and the old address is told. Raises `LinkExpired` (400) and `AddressTaken` (409).
    """
    waiting = await read_address_link(ctx, purpose, token)
    drawn = letters.draw(ctx, mails.changed_letter(ctx, words, address=waiting.change.email), words)
    try:
        async with ctx.service() as working:
            found, user = await _used(working, purpose, token)
            agree = queries.addresses.confirm if purpose is Purpose.CHANGE_ADDRESS else queries.addresses.approve
            change = await agree(working.db, user.id, _change_of(found))
            if change is None:
                raise LinkExpired
            if change.is_agreed:
                return Agreed(change.email, is_done=True, started=await _changed(working, user, change.email, drawn))
            side = "confirmed" if purpose is Purpose.CHANGE_ADDRESS else "approved"
            await audit(as_user(working, user.id), f"address_change.{side}", subject=("user", user.id))
            return Agreed(change.email, is_done=False)
    except UniqueViolation as taken:
        if taken.constraint != "uq_users_email":
            raise
        await _give_up(ctx, waiting.user_id)
        raise AddressTaken from taken


async def decline_address_change(ctx: Context, token: str) -> None:
    """The old address says no: the change ends, and so does every session but this browser's. Raises `LinkExpired`."""
    async with ctx.service() as working:
        _, user = await _used(working, Purpose.APPROVE_ADDRESS, token)
        await queries.tokens.forget_of_user(working.db, user.id)
        await _end_sessions(working, user.id)
        await audit(as_user(working, user.id), "address_change.declined", subject=("user", user.id))


async def _begin(ctx: Context, user: KnownUser, email: str, *, confirm: Issued, approve: Issued) -> None:
    """Write the change and both tokens, whether or not a mail will carry them: the work tells nothing."""
    change = new_id()
    await _forget_tokens(ctx, user.id)
    await queries.addresses.begin(
        ctx.db,
        user.id,
        change,
        email=email,
        approved=None if user.email_verified_at else ctx.clock.now(),
        seconds=int(Purpose.CHANGE_ADDRESS.lifetime.total_seconds()),
    )
    detail = {"change": str(change)}
    await tokens.issue(ctx, Purpose.CHANGE_ADDRESS, email, user_id=user.id, detail=detail, drawn=confirm)
    await tokens.issue(ctx, Purpose.APPROVE_ADDRESS, user.email, user_id=user.id, detail=detail, drawn=approve)


async def _forget_tokens(ctx: Context, user: UUID) -> None:
    for purpose in (Purpose.CHANGE_ADDRESS, Purpose.APPROVE_ADDRESS):
        await queries.tokens.forget_of_user(ctx.db, user, purpose)


async def _used(ctx: Context, purpose: Side, token: str) -> tuple[Token, KnownUser]:
    # The user first: whoever asks for a newer change holds the user while they take the older one's tokens away.
    found = await tokens.find(ctx, purpose, token)
    user = await refuse_closed(ctx, _user_of(found))
    return await tokens.use(ctx, purpose, token), user


async def _changed(ctx: Context, user: KnownUser, email: str, drawn: Drawn) -> Started | None:
    await queries.users.readdress(ctx.db, user.id, email)
    await queries.tokens.forget_of_user(ctx.db, user.id)
    started = await renew_session(ctx, proven=False) if await _end_sessions(ctx, user.id) else None
    acting = as_user(ctx, user.id)
    await audit(acting, "user.address_changed", subject=("user", user.id))
    await acting.emit(UserAddressChanged(user.id))
    await letters.post(acting, user.email, drawn)
    return started


async def _end_sessions(ctx: Context, user: UUID) -> bool:
    """End the sessions of a user but the one that asks; True when that one is the user's."""
    if ctx.actor.user_id != user or ctx.actor.session_id is None:
        await end_sessions(as_user(ctx, user), user)
        return False
    await end_sessions(ctx, user, kept=ctx.actor.session_id)
    return True


async def _give_up(ctx: Context, user: UUID) -> None:
    async with ctx.service() as working:
        await refuse_closed(working, user)
        await _forget_tokens(working, user)
        await queries.addresses.end(working.db, user)
        await audit(as_user(working, user), "address_change.taken", subject=("user", user))


def _user_of(token: Token) -> UUID:
    if token.user_id is None:
        raise LinkExpired
    return token.user_id


def _change_of(token: Token) -> UUID:
    return UUID(token.detail["change"])
