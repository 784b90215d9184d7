"""How a trial goes on and ends: extended, cancelled, converted, expired. From active to exactly one end, stamped.

Each runs in an open unit on the service login, on a workspace that `lock_active` has locked there; the caller has
checked the right. `actions.py` does so for owners; the operator's side and payments call these themselves.
"""

from datetime import timedelta
from uuid import UUID

from tenantry.holders import by_id, by_user, set_plan
from tenantry.holders.workspaces import move_end
from tenantry.kernel import Context
from tenantry.kernel.audit import audit
from tenantry.keys.workspaces import move_keys
from tenantry.usage.stocks import move_gauges

from . import queries
from .errors import TrialNotActive, TrialNotFound
from .rows import Workspace


async def lock_active(ctx: Context, workspace_id: UUID, *, owner_id: UUID | None = None) -> Workspace:
    """An active workspace, of that owner where one is named; nobody else moves it before this unit ends.

    Raises `TrialNotFound`, and `TrialNotActive`, which names the state, for one that has ended or whose time is over.
    """
    found = await queries.lock(ctx.db, workspace_id)
    if found is None or owner_id not in {None, found.user_id}:
        raise TrialNotFound
    if found.state != "active":
        raise TrialNotActive(f"This trial is {found.state}.", state=found.state)
    return found


async def extend_trial(ctx: Context, workspace: Workspace, by: timedelta, *, reason: str | None = None) -> Workspace:
    """Put the end off; the reminders are due anew. How often and how far is for the caller to say."""
    moved = await queries.extend(ctx.db, workspace.id, by)
    await move_end(ctx, workspace.id, moved.expires_at)
    await _audit(ctx, "trial.extended", moved, reason, expires_at=moved.expires_at.isoformat())
    return moved


async def cancel_trial(ctx: Context, workspace: Workspace, *, reason: str | None = None) -> Workspace:
    """End it at once: its keys stop. What it did stays to be looked at."""
    await move_end(ctx, workspace.id)
    moved = await queries.end(ctx.db, workspace.id, "cancelled")
    await _audit(ctx, "trial.cancelled", moved, reason)
    return moved


async def convert_trial(
    ctx: Context, workspace: Workspace, plan: str, *, reason: str, within_limit: bool = False, to: UUID | None = None
) -> Workspace:
    """Give what the workspace has to its owner, on a plan of the owner's; its keys work on without a pause.

    `to`: another holder's than the owner's own, for whom the owner works.

    Keys, their calls and the charts' hours, and what gauges count, are the owner's then. The windows of its meters stay
    with the workspace, as what the trial used: the plan begins unused. `within_limit` raises `LimitReached` when the
    plan does not allow so many keys; else all are kept. Raises `PlanUnknown`.
    """
    holder_id = await move_end(ctx, workspace.id)
    own = await (by_user(ctx.db, workspace.user_id) if to is None else by_id(ctx.db, to))
    if own is None:
        raise TrialNotFound
    if own.plan != plan:
        await set_plan(ctx, own.id, plan, source="trial", reason=reason)
    keys = await move_keys(ctx, holder_id, own.id, within_limit=within_limit)
    await move_gauges(ctx, holder_id, own.id)
    moved = await queries.end(ctx.db, workspace.id, "converted")
    await _audit(ctx, "trial.converted", moved, reason, plan=plan, keys=keys)
    return moved


async def expire_trial(ctx: Context, workspace: Workspace) -> tuple[Workspace, UUID]:
    """Write down that the time of a locked workspace is over, which says that it is active; answers its holder too."""
    # Its keys knew when to stop. Whoever had not heard of the last change of the end hears it now.
    holder_id = await move_end(ctx, workspace.id, workspace.expires_at)
    moved = await queries.end(ctx.db, workspace.id, "expired")
    await _audit(ctx, "trial.expired", moved, None)
    return moved, holder_id


async def _audit(ctx: Context, action: str, workspace: Workspace, reason: str | None, **detail: object) -> None:
    told = {"owner_id": str(workspace.user_id), **detail}
    await audit(ctx, action, subject=("trial", workspace.id), reason=reason, detail=told)
