"""May this key do that, now? The one question of the hot path, answered in one order."""

import msgspec

from tenantry.kernel import Context
from tenantry.product import Meter
from tenantry.usage import Decision, consume

from .errors import KeyMissing, ScopeMissing
from .known import KnownKey, KnownKeys


class Authorized(msgspec.Struct, frozen=True):
    """A call that may go ahead: whose it is, and how its quota stands. `decision` None: nothing was to be counted."""

    key: KnownKey
    ctx: Context
    decision: Decision | None


async def authorize(
    ctx: Context, secret: str, *, meter: Meter | None = None, cost: int = 1, scope: str | None = None
) -> Authorized:
    """Check a key and count a call made with it; `ctx` has no open unit. Without a `meter` nothing is counted.

    In this order, and a refusal costs nothing: the key's form, whether there is such a key, whether it works (revoked,
    expired, pending), its owner (closed, banned), its holder (trial over, suspended), the scope, the pace, the quota.
    Raises the problem of the first that is not right: `keys.*`, `BurstExceeded`, `QuotaExceeded`.
    """
    if not secret:
        raise KeyMissing
    known = await ctx.port(KnownKeys).find(ctx, secret)
    if scope is not None and scope not in known.scopes:
        raise ScopeMissing(f"It needs the scope {scope}.", scope=scope)
    caller = Context(ctx.runtime, known.actor, ctx.origin, known.holder)
    decision = None if meter is None else await consume(caller, meter, cost)
    return Authorized(known, caller, decision)
