"""What people change about themselves, and what is done about them: ban, delete."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from tenantry.kernel import Context
from tenantry.kernel.audit import audit

from .. import queries
from ..errors import LastAdmin, UserNotFound
from ..events import UserBanLifted, UserDeletion, UserWasBanned
from ..queries.roles import Operator
from .ending import end_sessions


async def change_name(ctx: Context, name: str | None) -> None:
    """Give the signed-in user another name, one that `person_name` lets through, or none."""
    await queries.users.rename(ctx.db, ctx.user_id, name)
    await audit(ctx, "user.renamed", subject=("user", ctx.user_id))


async def ban_user(ctx: Context, user: UUID, *, reason: str, ends: datetime | None = None) -> None:
    """Ban a person until a time, or until it is lifted: every session ends now, and no way in works.

    In an open unit on the service login; the caller has checked the right. Raises `UserNotFound`, `LastAdmin`.
    """
    refuse_last_operator(await queries.roles.hold_operators(ctx.db), user)
    if not await queries.users.ban(ctx.db, user, ends=ends, why=reason):
        raise UserNotFound
    await _shut_out(ctx, user)
    await audit(ctx, "user.banned", subject=("user", user), reason=reason, detail={"ends": ends and ends.isoformat()})
    await ctx.emit(UserWasBanned(user))


async def lift_ban(ctx: Context, user: UUID, *, reason: str) -> None:
    """Let a banned person in again. In an open unit on the service login.

    Raises `UserNotFound` for who is not banned.
    """
    if not await queries.users.lift_ban(ctx.db, user):
        raise UserNotFound
    await audit(ctx, "user.ban_lifted", subject=("user", user), reason=reason)
    await ctx.emit(UserBanLifted(user))


async def delete_user(ctx: Context, user: UUID, *, reason: str) -> None:
    """Close a person's account: nobody gets in from now on, the row stays until it is erased.

    In an open unit on the service login; the caller has checked the right. Raises `UserNotFound`, `LastAdmin`.
    """
    refuse_last_operator(await queries.roles.hold_operators(ctx.db), user)
    if not await queries.users.mark_deleted(ctx.db, user):
        raise UserNotFound
    await _shut_out(ctx, user)
    await audit(ctx, "user.deleted", subject=("user", user), reason=reason)
    await ctx.emit(UserDeletion(user))


def refuse_last_operator(held: Sequence[Operator], user: UUID) -> None:
    """Raise `LastAdmin` when nobody would look after the product without this user.

    `held`: all operators, held in this unit, so that of two who do this to each other the second one is refused.
    """
    standing = {one.id for one in held if one.role == "ADMIN" and one.deleted_at is None}
    if standing == {user}:
        raise LastAdmin


async def _shut_out(ctx: Context, user: UUID) -> None:
    await end_sessions(ctx, user)
    await queries.tokens.forget_of_user(ctx.db, user)
