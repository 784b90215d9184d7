"""What is done with keys: issue, rename, rotate, revoke. Each commits before its answer; `ctx` has no open unit.

Only people do it: a key that could issue keys would outlive its own revocation.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from tenantry.kernel import Context, new_id
from tenantry.kernel.audit import audit
from tenantry.kernel.permissions import Permission, require_of_member
from tenantry.kernel.problems import PersonNeeded
from tenantry.product import AUTHORIZE, Keys
from tenantry.usage.stocks import refuse_when_full

from . import queries
from .errors import KeyIsFollowed, KeyIsOver, KeyNotFound, ScopeReserved, ScopeUnknown, TierTooHigh, TrialEnded
from .events import KeyChanged, KeyIssued
from .known import KnownKeys
from .rows import ApiKey, NewKey
from .secrets import new_secret

GRACE_MAX = timedelta(days=30)
KEYS_READ = Permission("keys:read", "See the API keys, and the calls made with them.")
KEYS_WRITE = Permission("keys:write", "Make, rename, rotate and revoke API keys.")
ISSUE_SERVICE_KEYS = Permission(
    "keys:issue_service", "Make API keys that may ask about everybody's keys.", roles=("operator",)
)


async def issue(
    ctx: Context,
    *,
    label: str,
    scopes: Sequence[str] = (),
    tier: str | None = None,
    expires_at: datetime | None = None,
) -> NewKey:
    """A new key of the context's holder. It waits until its owner's address is proven, if that is not done yet.

    An organization's key works at once, and works on when who made it goes. Raises `RoleRefused`, `ScopeUnknown`,
    `ScopeReserved` for `authorize` unless an operator asks, `TierTooHigh`, `LimitReached` when the plan allows no
    further key, and `TrialEnded` when the holder is a workspace whose trial is over.
    """
    _refuse_others(ctx)
    _refuse_unknown(ctx, scopes, tier)
    keys = declared(ctx)
    async with ctx.service() as working:
        await _refuse_ended(working)
        if keys.count is not None:
            await refuse_when_full(working, keys.count, lambda inside: queries.places(inside.db, inside.holder.id))
        made = await _add(working, label=label, scopes=sorted(set(scopes)), tier=tier, expires_at=expires_at)
        await audit(working, "key.issued", subject=("key", made.key.id), detail={"label": label, "scopes": [*scopes]})
        await working.emit(KeyIssued(made.key.id, made.key.holder_id))
    return made


async def rename(ctx: Context, key_id: UUID, *, label: str) -> ApiKey:
    """Give a key another label. Raises `KeyNotFound`."""
    _refuse_others(ctx)
    async with ctx.service() as working:
        await queries.rename(working.db, ctx.holder.id, key_id, label)
        return await _known(working, key_id)


async def rotate(ctx: Context, key_id: UUID, *, grace: timedelta | None = None) -> NewKey:
    """A new key in the place of another, with its label, scopes and tier; the old one works on for the grace.

    Raises `KeyNotFound`, `KeyIsOver` for one that is revoked or expired, `KeyIsFollowed` for one that was rotated, and
    `ScopeReserved` and `TrialEnded` like `issue`.
    """
    _refuse_others(ctx)
    grace = declared(ctx).grace if grace is None else grace
    async with ctx.service() as working:
        await _refuse_ended(working)
        old = await queries.lock(working.db, ctx.holder.id, key_id)
        if old is None:
            raise KeyNotFound
        if old.successor_id is not None:
            raise KeyIsFollowed(successor_id=old.successor_id)
        if old.state in {"revoked", "expired"}:
            raise KeyIsOver(state=old.state)
        _refuse_reserved(ctx, old.scopes)
        made = await _add(working, label=old.label, scopes=old.scopes, tier=old.tier, expires_at=old.expires_at)
        await queries.follow(working.db, ctx.holder.id, key_id, successor=made.key.id, grace=grace)
        await audit(working, "key.rotated", subject=("key", key_id), detail={"successor_id": str(made.key.id)})
        await working.emit(KeyIssued(made.key.id, made.key.holder_id))
        await working.emit(KeyChanged(key_id, ctx.holder.id))
    ctx.port(KnownKeys).forget(key_id)
    return made


async def revoke(ctx: Context, key_id: UUID, *, reason: str | None = None) -> ApiKey:
    """End a key at once and for good. One that is revoked already stays as it is. Raises `KeyNotFound`."""
    _refuse_others(ctx)
    async with ctx.service() as working:
        if await queries.revoke(working.db, ctx.holder.id, key_id):
            await audit(working, "key.revoked", subject=("key", key_id), reason=reason)
            await working.emit(KeyChanged(key_id, ctx.holder.id))
        found = await _known(working, key_id)
    # Here at once; everywhere else within a second.
    ctx.port(KnownKeys).forget(key_id)
    return found


async def settle_proven(ctx: Context, owner_id: UUID, *, was_here: bool) -> None:
    """An owner's address is proven: their keys that waited for it work from now on. Runs in the unit that proved it.

    Unless the owner `was_here`, signed in where it was proven, somebody else may have sat there before and made keys,
    to go on with them afterwards: every key that was made in the owner's name ends, and only an operator's remain.
    """
    if not was_here:
        for key_id, holder_id in await queries.revoke_made_by(ctx.db, owner_id):
            await audit(ctx, "key.revoked", subject=("key", key_id), reason="made before the address was proven")
            await ctx.emit(KeyChanged(key_id, holder_id))
    for key_id, holder_id in await queries.activate(ctx.db, owner_id):
        await ctx.emit(KeyChanged(key_id, holder_id))


def declared(ctx: Context) -> Keys:
    """What the product says about keys; one that says nothing has none to speak of (404)."""
    if ctx.product.keys is None:
        raise KeyNotFound("This product has no API keys.")
    return ctx.product.keys


async def _add(
    ctx: Context, *, label: str, scopes: Sequence[str], tier: str | None, expires_at: datetime | None
) -> NewKey:
    kind = "trial" if ctx.holder.kind == "workspace" else "live"
    made = new_secret(ctx.product.key_prefix, kind=kind)
    key = await queries.add(
        ctx.db,
        id=new_id(),
        holder_id=ctx.holder.id,
        made_by=ctx.actor.user_id,
        label=label,
        hash=made.hash,
        prefix=made.prefix,
        ending=made.ending,
        scopes=list(scopes),
        tier=tier,
        expires_at=expires_at,
    )
    return NewKey(key, made.secret)


async def _known(ctx: Context, key_id: UUID) -> ApiKey:
    found = await queries.one(ctx.db, ctx.holder.id, key_id)
    if found is None:
        raise KeyNotFound
    return found


async def _refuse_ended(ctx: Context) -> None:
    """No key is made of a workspace whose trial is over, and none is ended or converted while one is made."""
    if ctx.holder.kind == "workspace" and not await queries.lock_running(ctx.db, ctx.holder.id):
        raise TrialEnded


def _refuse_others(ctx: Context) -> None:
    if ctx.actor.kind == "key":
        raise PersonNeeded
    require_of_member(ctx, KEYS_WRITE)


def _refuse_reserved(ctx: Context, scopes: Sequence[str]) -> None:
    """Who asks about a key learns of others' keys and spends their quotas: no customer can make such a key."""
    if AUTHORIZE.name in scopes and ctx.actor.kind != "system" and ISSUE_SERVICE_KEYS.name not in ctx.actor.permissions:
        raise ScopeReserved(permission=ISSUE_SERVICE_KEYS.name)


def _refuse_unknown(ctx: Context, scopes: Sequence[str], tier: str | None) -> None:
    _refuse_reserved(ctx, scopes)
    known = {scope.name for scope in declared(ctx).scopes}
    wrong = [scope for scope in scopes if scope not in known and scope != AUTHORIZE.name]
    if wrong:
        told = f"The product's scopes are {', '.join(sorted(known))}." if known else "The product has no scopes."
        raise ScopeUnknown(
            told, errors=[{"field": "scopes", "message": f"unknown scope {one}", "code": "unknown"} for one in wrong]
        )
    order = ctx.product.order
    if tier is not None and order.get(tier, len(order)) > order.get(ctx.holder.plan, 0):
        raise TierTooHigh(errors=[{"field": "tier", "message": f"not {tier}", "code": "too_high"}])
