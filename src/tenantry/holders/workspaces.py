"""The holders of trial workspaces. A door of its own, beside that of the room, for who keeps the workspaces."""

from datetime import datetime
from uuid import UUID

from tenantry.kernel import Context, new_id
from tenantry.kernel.context import Holder

from . import queries
from .errors import HolderNotFound


async def open_for_workspace(
    ctx: Context, workspace_id: UUID, *, owner_id: UUID, plan: str, ends_at: datetime
) -> Holder:
    """Make the holder of a new trial workspace: on a plan until a time, when everything of it stops.

    Needs the service login, in the unit that makes the workspace.
    """
    return await queries.create_for_workspace(
        ctx.db, new_id(), workspace_id=workspace_id, owner_id=owner_id, plan=plan, ends_at=ends_at
    )


async def move_end(ctx: Context, workspace_id: UUID, ends_at: datetime | None = None) -> UUID:
    """Let a workspace's holder end at another time, or now; answers its id. Every process knows within a second.

    Needs the service login; who calls it writes the audit entry. Raises `HolderNotFound`.
    """
    moved = await queries.move_end(ctx.db, workspace_id, ends_at)
    if moved is None:
        raise HolderNotFound
    await ctx.emit(moved)
    return moved.holder_id
