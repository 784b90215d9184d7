"""`/v1/trials`: a person's trial workspaces, and the keys of each."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from tenantry.holders import PlanUnknown
from tenantry.kernel import Context, Read, SignedIn, problems
from tenantry.kernel.idempotency import creates
from tenantry.kernel.problems import Invalid, RoleRefused, Unauthenticated
from tenantry.keys import revoke
from tenantry.keys.workspaces import (
    IssuedKey,
    IssueKey,
    KeyEntry,
    KeyList,
    KeyNotFound,
    ScopeReserved,
    ScopeUnknown,
    TierTooHigh,
    TrialEnded,
    listed_keys,
    made_key,
)
from tenantry.usage import LimitReached
from tenantry.web import CrossSiteRefused, mark

from . import actions, queries
from .errors import NoMoreExtensions, NoMoreTrials, PlanNotFree, TooManyTrials, TrialNotActive, TrialNotFound
from .rows import Listed, State, Tier

router = APIRouter(prefix="/v1/trials", tags=["trials"])

NAME_MAX, DAYS_MAX = 100, 400
_READ = (Invalid, TrialNotFound, Unauthenticated)
_MOVE = (*_READ, CrossSiteRefused, TrialNotActive)
_ISSUE = (ScopeReserved, ScopeUnknown, TierTooHigh, TrialEnded)

Limit = Annotated[int, Query(ge=1, le=100)]
Offset = Annotated[int, Query(ge=0, le=100_000)]


def workspace_name(text: str) -> str:
    """A name that somebody typed, without blanks around it: 1 to 100 characters that can be seen, on one line."""
    name = text.strip()
    if not name:
        raise ValueError(mark("Use at least one character."))
    if not name.isprintable():
        raise ValueError(mark("Use letters, digits and signs that can be seen, on one line."))
    if len(name) > NAME_MAX:
        raise ValueError(mark("Use at most 100 characters."))
    return name


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class StartTrial(_Body):
    """A workspace to be made. Its slug follows from the name."""

    name: Annotated[str, AfterValidator(workspace_name)]
    tier: Tier = "standard"


class ExtendTrial(_Body):
    """By how many days; without a word, and at most, by as long as the product's trials last."""

    days: int | None = Field(None, ge=1, le=DAYS_MAX)


class ConvertTrial(_Body):
    """The plan to be on; without a word, one's own. Another one only if both cost nothing."""

    plan: str | None = Field(None, min_length=1, max_length=50)


class Trial(BaseModel):
    """A trial workspace, and those of its keys that are not revoked. `extensions_left` null: any number."""

    id: UUID
    name: str
    slug: str
    tier: Tier
    status: State
    plan: str
    created_at: datetime
    expires_at: datetime
    expired_at: datetime | None
    converted_at: datetime | None
    cancelled_at: datetime | None
    extensions_left: int | None
    keys: list[KeyEntry]

    @classmethod
    def of(cls, ctx: Context, listed: Listed) -> Self:
        """What its owner is told of a workspace, as it stands now."""
        found, state = listed.workspace, listed.workspace.state
        most, inside = actions.declared(ctx).extensions, actions.working_as(ctx, listed)
        return cls(
            id=found.id,
            name=found.name,
            slug=found.slug,
            tier=found.tier,
            status=state,
            plan=listed.holder.plan,
            created_at=found.created_at,
            expires_at=found.expires_at,
            expired_at=found.expires_at if state == "expired" else None,
            converted_at=found.converted_at,
            cancelled_at=found.cancelled_at,
            extensions_left=None if most is None else max(0, most - found.extensions),
            keys=[KeyEntry.of(inside, key) for key in listed.keys],
        )


class TrialList(BaseModel):
    """Trials, newest first."""

    items: list[Trial]
    next_cursor: UUID | None


@router.get("", responses=problems(Invalid, Unauthenticated))
async def list_trials(
    ctx: Read, status: State | None = None, limit: Limit = 50, cursor: UUID | None = None, offset: Offset = 0
) -> TrialList:
    """List the trials of who is signed in with their keys, all of them or those of one status."""
    found = await queries.page(ctx.db, ctx.user_id, status=status, before=cursor, limit=limit + 1, offset=offset)
    shown = [Trial.of(ctx, one) for one in found[:limit]]
    return TrialList(items=shown, next_cursor=shown[-1].id if len(found) > limit else None)


@router.post(
    "", status_code=201, responses=problems(CrossSiteRefused, Invalid, NoMoreTrials, TooManyTrials, Unauthenticated)
)
async def start_trial(body: StartTrial, ctx: SignedIn) -> Trial:
    """Start a trial."""
    return Trial.of(ctx, await actions.start(ctx, body.name, tier=body.tier))


@router.get("/{trial_id}", responses=problems(*_READ))
async def read_trial(trial_id: UUID, ctx: Read) -> Trial:
    """Show one trial."""
    return Trial.of(ctx, await actions.read(ctx, trial_id))


@router.post("/{trial_id}/extend", responses=problems(*_MOVE, NoMoreExtensions))
@creates
async def extend_trial(trial_id: UUID, ctx: SignedIn, body: ExtendTrial | None = None) -> Trial:
    """Put the end of an active trial off, as often as the product allows."""
    return Trial.of(ctx, await actions.extend(ctx, trial_id, days=body.days if body else None))


@router.post("/{trial_id}/cancel", responses=problems(*_MOVE))
async def cancel_trial(trial_id: UUID, ctx: SignedIn) -> Trial:
    """End an active trial at once and for good."""
    return Trial.of(ctx, await actions.cancel(ctx, trial_id))


@router.post("/{trial_id}/convert", responses=problems(*_MOVE, LimitReached, PlanNotFree, PlanUnknown, RoleRefused))
@creates
async def convert_trial(trial_id: UUID, ctx: SignedIn, body: ConvertTrial | None = None) -> Trial:
    """Take over an active trial's keys, with the calls made with them, onto one's own plan, or one's organization's."""
    return Trial.of(ctx, await actions.convert(ctx, trial_id, plan=body.plan if body else None))


@router.get("/{trial_id}/keys", responses=problems(*_READ))
async def list_trial_keys(
    trial_id: UUID, ctx: Read, limit: Limit = 50, cursor: UUID | None = None, offset: Offset = 0
) -> KeyList:
    """List the keys of a trial, those that do not work any more too. Once it is converted they are one's own."""
    inside = actions.working_as(ctx, await actions.read(ctx, trial_id))
    return await listed_keys(inside, limit=limit, cursor=cursor, offset=offset)


@router.post("/{trial_id}/keys", status_code=201, responses=problems(*_MOVE, LimitReached, *_ISSUE))
async def issue_trial_key(trial_id: UUID, body: IssueKey, ctx: SignedIn) -> IssuedKey:
    """Make a key of an active trial; it works at once. The answer is the only one that tells the secret."""
    found = await actions.read(ctx, trial_id)
    if found.workspace.state != "active":
        raise TrialNotActive(f"This trial is {found.workspace.state}.", state=found.workspace.state)
    return await made_key(actions.working_as(ctx, found), body)


@router.delete("/{trial_id}/keys/{key_id}", responses=problems(*_READ, CrossSiteRefused, KeyNotFound))
async def revoke_trial_key(trial_id: UUID, key_id: UUID, ctx: SignedIn) -> KeyEntry:
    """Revoke a key of a trial at once and for good, also when the trial is over."""
    inside = actions.working_as(ctx, await actions.read(ctx, trial_id))
    return KeyEntry.of(inside, await revoke(inside, key_id))
