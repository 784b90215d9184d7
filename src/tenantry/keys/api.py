"""`/v1/keys`: a holder's API keys."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Self
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from tenantry.kernel import Context, Read, SignedIn, problems
from tenantry.kernel.permissions import require_of_member
from tenantry.kernel.problems import Invalid, RoleRefused, Unauthenticated
from tenantry.usage import LimitReached
from tenantry.web import CrossSiteRefused

from . import actions, queries
from .errors import KeyIsFollowed, KeyIsOver, KeyNotFound, ScopeReserved, ScopeUnknown, TierTooHigh
from .rows import ApiKey, NewKey, State
from .tiers import effective_tier

router = APIRouter(prefix="/v1/keys", tags=["keys"])

Label = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
_READ = (Invalid, RoleRefused, Unauthenticated)
_CHANGE = (CrossSiteRefused, KeyNotFound, *_READ)


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class IssueKey(_Body):
    """A key to be made. Without scopes it is allowed what needs none; without an end it works until it is revoked."""

    label: Label
    scopes: list[str] = Field(default_factory=list, max_length=50)
    tier: str | None = Field(None, description="The plan that bounds it; without one, the holder's.")
    expires_at: AwareDatetime | None = None


class RenameKey(_Body):
    """A key's new label."""

    label: Label


class RotateKey(_Body):
    """How long the old key works beside the new one; without a word, as long as the product says."""

    grace_hours: int | None = Field(None, ge=0, le=int(actions.GRACE_MAX / timedelta(hours=1)))


class KeyEntry(BaseModel):
    """A key without its secret: of that only the beginning and the last characters are known.

    `made_by`: the person who made it; null when they have closed their account, or an operator made it.
    """

    id: UUID
    made_by: UUID | None
    label: str
    prefix: str
    ending: str
    scopes: list[str]
    tier: str
    state: State
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    successor_id: UUID | None

    @classmethod
    def of(cls, ctx: Context, key: ApiKey, **more: Any) -> Self:
        """What people are told of a key."""
        told = {name: getattr(key, name) for name in KeyEntry.model_fields if name != "tier"}
        return cls(**told, tier=effective_tier(ctx.product, key.tier, ctx.holder.plan), **more)


class IssuedKey(KeyEntry):
    """A new key. Its `secret` is told this once."""

    secret: str

    @classmethod
    def made(cls, ctx: Context, new: NewKey) -> Self:
        """The same, and the secret."""
        return cls.of(ctx, new.key, secret=new.secret)


class KeyList(BaseModel):
    """Keys, newest first, those that do not work any more too."""

    items: list[KeyEntry]
    next_cursor: UUID | None


Limit = Annotated[int, Query(ge=1, le=100)]
Offset = Annotated[int, Query(ge=0, le=100_000)]


@router.get("", responses=problems(*_READ))
async def list_keys(ctx: Read, limit: Limit = 50, cursor: UUID | None = None, offset: Offset = 0) -> KeyList:
    """List the keys of who is signed in, or of the organization that they work for."""
    return await listed_keys(ctx, limit=limit, cursor=cursor, offset=offset)


@router.post("", status_code=201, responses=problems(*_CHANGE, LimitReached, ScopeReserved, ScopeUnknown, TierTooHigh))
async def issue_key(body: IssueKey, ctx: SignedIn) -> IssuedKey:
    """Make a key. The answer is the only one that tells the secret."""
    return await made_key(ctx, body)


@router.get("/{key_id}", responses=problems(KeyNotFound, *_READ))
async def read_key(key_id: UUID, ctx: Read) -> KeyEntry:
    """Show one key."""
    require_of_member(ctx, actions.KEYS_READ)
    found = await queries.one(ctx.db, ctx.holder.id, key_id)
    if found is None:
        raise KeyNotFound
    return KeyEntry.of(ctx, found)


@router.patch("/{key_id}", responses=problems(*_CHANGE))
async def rename_key(key_id: UUID, body: RenameKey, ctx: SignedIn) -> KeyEntry:
    """Give a key another label."""
    return KeyEntry.of(ctx, await actions.rename(ctx, key_id, label=body.label))


@router.post("/{key_id}/rotate", status_code=201, responses=problems(*_CHANGE, KeyIsFollowed, KeyIsOver, ScopeReserved))
async def rotate_key(key_id: UUID, ctx: SignedIn, body: RotateKey | None = None) -> IssuedKey:
    """Make a key that takes this one's place; both work until the grace is over."""
    hours = body.grace_hours if body else None
    made = await actions.rotate(ctx, key_id, grace=None if hours is None else timedelta(hours=hours))
    return IssuedKey.made(ctx, made)


@router.delete("/{key_id}", responses=problems(*_CHANGE))
async def revoke_key(key_id: UUID, ctx: SignedIn) -> KeyEntry:
    """Revoke a key at once and for good; it stays in the list. Revoking it again changes nothing."""
    return KeyEntry.of(ctx, await actions.revoke(ctx, key_id))


async def listed_keys(ctx: Context, *, limit: int, cursor: UUID | None, offset: int) -> KeyList:
    """A page of the keys of the context's holder; a reading unit is open."""
    require_of_member(ctx, actions.KEYS_READ)
    found = await queries.page(ctx.db, ctx.holder.id, before=cursor, limit=limit + 1, offset=offset)
    shown = found[:limit]
    return KeyList(
        items=[KeyEntry.of(ctx, one) for one in shown], next_cursor=shown[-1].id if len(found) > limit else None
    )


async def made_key(ctx: Context, body: IssueKey) -> IssuedKey:
    """Make a key of the context's holder as it was asked for; no unit is open."""
    if body.expires_at is not None and body.expires_at <= ctx.clock.now():
        raise Invalid(errors=[{"field": "expires_at", "message": "This is over already.", "code": "past"}])
    made = await actions.issue(
        ctx, label=body.label, scopes=body.scopes, tier=body.tier, expires_at=body.expires_at
    )  # fmt: skip
    return IssuedKey.made(ctx, made)
