"""What people do with their trials: start, extend, cancel, convert. Each commits before its answer; no unit is open.

Only people do it: a trial that a key could start or convert would outlive that key.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

from tenantry.holders import PlanUnknown, by_id
from tenantry.holders.workspaces import open_for_workspace
from tenantry.kernel import Context, new_id
from tenantry.kernel.audit import audit
from tenantry.kernel.permissions import Permission, require_of_member
from tenantry.keys import KnownKeys
from tenantry.product import Trials
from tenantry.usage import Leases

from . import queries
from .errors import NoMoreExtensions, NoMoreTrials, PlanNotFree, TooManyTrials, TrialNotFound
from .moves import cancel_trial, convert_trial, extend_trial, lock_active
from .rows import Listed, Tier, Workspace
from .slugs import candidates

CONVERT = Permission("trials:convert", "Take over what a trial of one's own has for the organization.")


async def start(ctx: Context, name: str, *, tier: Tier = "standard") -> Listed:
    """A new workspace of the signed-in person with its holder, on the tier's plan until its end.

    Raises `NoMoreTrials` (409) when the person has started as many as the product allows, and `TooManyTrials` (409)
    when as many are active.
    """
    trials = declared(ctx)
    owner = ctx.user_id
    async with ctx.service() as working:
        await _refuse_more(working, trials)
        made = await _add(working, name, tier, trials.length)
        holder = await open_for_workspace(
            working, made.id, owner_id=owner, plan=trials.plan_of(tier), ends_at=made.expires_at
        )
        told = {"slug": made.slug, "tier": tier, "plan": holder.plan}
        await audit(working, "trial.started", subject=("trial", made.id), detail=told)
    return Listed(made, holder, [])


async def extend(ctx: Context, workspace_id: UUID, *, days: int | None = None) -> Listed:
    """Put the end of one's own active trial off by so many days, or by the product's whole length.

    Raises `TrialNotFound`, `TrialNotActive`, `NoMoreExtensions`. More days than the product's length are taken for it.
    """
    trials = declared(ctx)
    by = trials.length if days is None else min(timedelta(days=days), trials.length)
    async with _moving(ctx, workspace_id) as (working, workspace):
        if trials.extensions is not None and workspace.extensions >= trials.extensions:
            raise NoMoreExtensions(extensions=workspace.extensions)
        await extend_trial(working, workspace, by)
    return await read(ctx, workspace_id)


async def cancel(ctx: Context, workspace_id: UUID) -> Listed:
    """End one's own active trial at once. Raises `TrialNotFound` and `TrialNotActive`."""
    async with _moving(ctx, workspace_id) as (working, workspace):
        await cancel_trial(working, workspace)
    return await read(ctx, workspace_id)


async def convert(ctx: Context, workspace_id: UUID, *, plan: str | None = None) -> Listed:
    """Take over what one's own active trial has, staying on one's plan, or from a free one onto another free one.

    It goes to whom the person works for: where organizations are billed, the organization, if the person's role there
    allows it (`RoleRefused`). Nothing that costs money is had this way: raises `PlanNotFree` (403). Besides that
    `TrialNotFound`, `TrialNotActive`, `PlanUnknown`, and `LimitReached` when the plan does not allow so many keys.
    """
    declared(ctx)
    require_of_member(ctx, CONVERT)
    async with _moving(ctx, workspace_id) as (working, workspace):
        own = await by_id(working.db, ctx.holder.id)
        wanted = plan or (own.plan if own else ctx.product.default.name)
        if own is None or wanted != own.plan:
            _refuse_paid(ctx, own.plan if own else None, wanted)
        why = "the owner converted a trial"
        await convert_trial(working, workspace, wanted, reason=why, within_limit=True, to=ctx.holder.id)
    if own is not None:
        # The keys that were the owner's before are on another plan, too.
        forget(ctx, own.id)
    return await read(ctx, workspace_id)


async def read(ctx: Context, workspace_id: UUID) -> Listed:
    """One's own workspace with its keys, in one statement. Raises `TrialNotFound`."""
    reading = ctx if ctx.unit_of_work is not None else ctx.reading()
    found = await queries.one(reading.db, ctx.user_id, workspace_id)
    if found is None:
        raise TrialNotFound
    return found


def working_as(ctx: Context, listed: Listed) -> Context:
    """The same person, acting for a workspace: what is asked of keys is asked of the workspace's."""
    return Context(ctx.runtime, ctx.actor, ctx.origin, listed.holder, ctx.unit_of_work)


def declared(ctx: Context) -> Trials:
    """What the product says about trials; one that says nothing has none (404)."""
    if ctx.product.trials is None:
        raise TrialNotFound("This product has no trials.")
    return ctx.product.trials


@asynccontextmanager
async def _moving(ctx: Context, workspace_id: UUID) -> AsyncIterator[tuple[Context, Workspace]]:
    """A workspace of one's own, active and locked, in a unit that commits at the end."""
    owner = ctx.user_id
    async with ctx.service() as working:
        yield working, await lock_active(working, workspace_id, owner_id=owner)
    forget(ctx, (await read(ctx, workspace_id)).holder.id)


def forget(ctx: Context, holder_id: UUID) -> None:
    """Let this process ask anew about the keys and quotas of a holder: at once, as others do within a second."""
    ctx.port(Leases).expire(holder_id)
    if ctx.product.keys is not None:
        ctx.port(KnownKeys).forget(holder_id)


async def _refuse_more(ctx: Context, trials: Trials) -> None:
    if trials.most is None and trials.ever is None:
        return
    await queries.lock_owner(ctx.db, ctx.user_id)
    # First what waiting or cancelling does not help with.
    if trials.ever is not None:
        started = await queries.started(ctx.db, ctx.user_id)
        if started >= trials.ever:
            raise NoMoreTrials(ever=trials.ever, started=started)
    if trials.most is not None:
        active = await queries.active(ctx.db, ctx.user_id)
        if active >= trials.most:
            told = f"You have {active} active trials, and {trials.most} are allowed."
            raise TooManyTrials(told, most=trials.most, active=active)


async def _add(ctx: Context, name: str, tier: Tier, length: timedelta) -> Workspace:
    workspace_id, slugs = new_id(), candidates(name)
    while True:
        given = {"user_id": ctx.user_id, "name": name, "slug": next(slugs), "tier": tier}
        made = await queries.add(ctx.db, workspace_id, length, **given)
        if made is not None:
            return made


def _refuse_paid(ctx: Context, held: str | None, wanted: str) -> None:
    declared_plans = {plan.name: plan for plan in ctx.product.plans}
    plan = declared_plans.get(wanted)
    if plan is None or not plan.is_active:
        raise PlanUnknown(errors=[{"field": "plan", "message": f"unknown plan {wanted}", "code": "unknown"}])
    # Nobody leaves a paid plan this way either: it would go on being paid for.
    if not plan.is_free or (held is not None and not ctx.product.plan(held).is_free):
        raise PlanNotFree(plan=wanted, pricing=f"{ctx.settings.public_url}/pricing")
