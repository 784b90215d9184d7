"""What operators do with people, each for a reason that the audit log keeps: ban, roles, sessions, accounts.

None of it is done to oneself, and nothing leaves the product without an operator: whoever might take the last one away
holds all of them first.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from tenantry.kernel import Context
from tenantry.kernel.audit import audit
from tenantry.kernel.problems import Forbidden

from .. import queries
from ..errors import OwnRefused, SessionNotFound, UserBanned, UserNotFound
from ..events import UserRoleChanged
from ..hashing import PasswordHashing, refuse_weak
from ..names import clean_name
from ..providers.profiles import clean_email
from ..queries.roles import Operator
from ..rights import ADMINISTER, stated
from . import ending
from .impersonating import METHOD
from .people import ban_user, delete_user, lift_ban, refuse_last_operator
from .registration import register
from .ways_in import password_way

BY_HAND = frozenset({"USER", "ADMIN"})
"""PREMIUM is billing's, and BANNED a ban."""


class Appointed(msgspec.Struct, frozen=True):
    """Somebody who is an operator now, and what it took: a new person, or another role."""

    user_id: UUID
    email: str
    is_new: bool
    was: str


async def ban(ctx: Context, user_id: UUID, *, reason: str, until: datetime | None = None) -> None:
    """Ban a person until a time, or until it is lifted; every session, link and key of theirs is refused from now on.

    The person is told that, and until when; the reason is for operators. `ctx` has no open unit. Raises `Forbidden`,
    `ReasonMissing`, `OwnRefused`, `LastAdmin`, `UserNotFound`.
    """
    why = _asked(ctx, user_id, reason)
    async with ctx.service() as working:
        await ban_user(working, user_id, reason=why, ends=until)


async def lift(ctx: Context, user_id: UUID, *, reason: str) -> None:
    """Let a banned person in again. Raises `Forbidden`, `ReasonMissing`, `UserNotFound` for who is not banned."""
    ctx.require(ADMINISTER)
    why = stated(reason)
    async with ctx.service() as working:
        await lift_ban(working, user_id, reason=why)


async def set_role(ctx: Context, user_id: UUID, role: str, *, reason: str) -> bool:
    """Make a person an ADMIN, or a USER of one; False when they are it already. Billing moves a USER on as it is due.

    `ctx` has no open unit. Who is one no more looks through nobody's eyes from now on. Raises `Forbidden`,
    `ReasonMissing`, `OwnRefused`, `LastAdmin`, `UserNotFound`, and ValueError for a role that is not given by hand.
    """
    if role not in BY_HAND:
        msg = f"{role} is not given by hand"
        raise ValueError(msg)
    why = _asked(ctx, user_id, reason)
    async with ctx.service() as working:
        return await _appoint(working, user_id, role, why)


async def end_sessions(ctx: Context, user_id: UUID, *, reason: str, only: UUID | None = None) -> int:
    """Sign a person out everywhere, or end `only` one session of theirs; answers how many ended.

    Raises `Forbidden`, `ReasonMissing`, `UserNotFound` and, for a session that they do not have, `SessionNotFound`.
    """
    ctx.require(ADMINISTER)
    why = stated(reason)
    async with ctx.service() as working:
        if await queries.users.lock(working.db, user_id) is None:
            raise UserNotFound
        if only is not None:
            if not await ending.end_session(working, user_id, only):
                raise SessionNotFound
            await audit(
                working, "session.revoked", subject=("user", user_id), reason=why, detail={"session": str(only)}
            )
            return 1
        ended = await ending.end_sessions(working, user_id)
        detail = {"sessions": ended}
        await audit(working, "session.all_revoked", subject=("user", user_id), reason=why, detail=detail)
    return ended


async def close_account(ctx: Context, user_id: UUID, *, reason: str) -> None:
    """Close a person's account: nobody gets in, nothing is charged again, and it is erased when its time has come.

    `ctx` has no open unit. Raises `Forbidden`, `ReasonMissing`, `OwnRefused`, `LastAdmin`, `UserNotFound`.
    """
    why = _asked(ctx, user_id, reason)
    async with ctx.service() as working:
        await delete_user(working, user_id, reason=why)


async def appoint(
    ctx: Context, email: str, *, name: str | None = None, password: str | None = None, reason: str
) -> Appointed:
    """Make whoever has an address an operator, and a person of it if there is none: the system vouches for the address.

    `password` becomes theirs, and ends their sessions; None leaves what they have. For commands only: `Forbidden` for
    every other actor than the system. Raises `ReasonMissing`, `UserBanned`, ValueError for what is no address,
    `UserNotFound` for who has left or never proved it, and what is said of a password. `ctx` has no open unit.
    """
    if ctx.actor.kind != "system":
        raise Forbidden(permission=ADMINISTER.name)
    why, address = stated(reason), clean_email(email)
    if address is None:
        msg = f"{email} is no e-mail address"
        raise ValueError(msg)
    hashed = None if password is None else await _hashed(ctx, password, never=(address, name))
    async with ctx.service() as working:
        found = await queries.users.of_email(working.db, address)
        if found is not None and (found.deleted_at is not None or found.email_verified_at is None):
            raise UserNotFound
        user_id = found.id if found else await register(working, address, name=clean_name(name), method=METHOD)
        person = await queries.roles.of_user(working.db, user_id)
        await _appoint(working, user_id, "ADMIN", why)
        if hashed is not None:
            await queries.passwords.put(working.db, user_id, hashed)
            await ending.end_sessions(working, user_id)
            await queries.tokens.forget_of_user(working.db, user_id)
            await audit(working, "password.set", subject=("user", user_id), reason=why)
        return Appointed(user_id, found.email if found else address, found is None, person.role if person else "USER")


async def dismiss(ctx: Context, email: str, *, reason: str) -> bool:
    """Make an operator a person like others; False when they are none. Raises as `set_role` does."""
    ctx.require(ADMINISTER)
    async with ctx.service(writes=False) as reading:
        found = await queries.users.of_email(reading.db, email)
    if found is None or found.deleted_at is not None:
        raise UserNotFound
    return await set_role(ctx, found.id, "USER", reason=reason)


async def operators(ctx: Context) -> list[Operator]:
    """Who is one, by address. Raises `Forbidden`."""
    ctx.require(ADMINISTER)
    async with ctx.service(writes=False) as reading:
        return await queries.roles.operators(reading.db)


async def _hashed(ctx: Context, password: str, *, never: Sequence[str | None]) -> str:
    refuse_weak(password, length_min=password_way(ctx).length_min, never=(*never, ctx.product.name))
    return await ctx.port(PasswordHashing).hash(password)


async def _appoint(ctx: Context, user_id: UUID, role: str, why: str) -> bool:
    others = await queries.roles.hold_operators(ctx.db)
    is_one = any(one.id == user_id for one in others)
    person = await queries.roles.of_user(ctx.db, user_id)
    if person is None:
        raise UserNotFound
    if is_one == (role == "ADMIN"):
        return False
    if is_one:
        refuse_last_operator(others, user_id)
    elif person.role == "BANNED":
        raise UserBanned
    if not await queries.roles.assign(ctx.db, user_id, role):
        raise UserNotFound
    await ending.note_ended(ctx, await queries.impersonations.end_around(ctx.db, user_id))
    await audit(ctx, "user.role_set", subject=("user", user_id), reason=why, detail={"role": role})
    await ctx.emit(UserRoleChanged(user_id, role))
    return True


def _asked(ctx: Context, user_id: UUID, reason: str) -> str:
    ctx.require(ADMINISTER)
    if ctx.actor.user_id == user_id:
        raise OwnRefused
    return stated(reason)
