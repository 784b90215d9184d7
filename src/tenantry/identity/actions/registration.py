"""Registering a person whose address is proven: the user, their holder, the audit entry, the event."""

from uuid import UUID

from tenantry.holders import open_for_user
from tenantry.kernel import Context, new_id
from tenantry.kernel.audit import audit

from .. import queries
from ..events import UserRegistered
from .admission import as_user


async def register(ctx: Context, email: str, *, name: str | None, image: str | None = None, method: str) -> UUID:
    """Write a new user with a proven address, in the open unit on the service login; answers the id.

    Raises `UniqueViolation` when somebody has the address: look first, and take it for a race here.
    """
    user_id = new_id()
    await queries.users.add(ctx.db, user_id, email=email, name=name, image=image)
    await open_for_user(ctx, user_id)
    acting = as_user(ctx, user_id)
    await audit(acting, "user.registered", subject=("user", user_id), detail={"method": method})
    await acting.emit(UserRegistered(user_id))
    return user_id
