"""May this key do that, now? The one question of the hot path, answered in one order."""

import msgspec

from tenantry.kernel import Context
from tenantry.kernel.problems import Unauthenticated
from tenantry.product import Meter
from tenantry.usage import Decision
from tenantry.usage.spending import ask, spend

from .errors import KeyMissing, KeyUnknown, ScopeMissing
from .known import KnownKey, KnownKeys


class Authorized(msgspec.Struct, frozen=True, gc=False):
    """A call that may go ahead: with which key, and how its quota stands. `decision` None: nothing was counted."""

    key: KnownKey
    decision: Decision | None

    def caller(self, ctx: Context) -> Context:
        """The context of whoever showed the key, made from that of whoever asked about it."""
        return Context(ctx.runtime, self.key.by.actor, ctx.origin, self.key.holder)


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
    runtime = ctx.runtime
    known, now = runtime.port(KnownKeys), runtime.clock.monotonic()
    key = known.remembered(secret, now) or await known.ask(ctx, secret)
    if key.refusal is not None or (scope is not None and scope not in key.scopes):
        refuse(key, scope)
    if meter is None:
        return Authorized(key, None)
    return Authorized(key, spend(ctx, meter, cost, key.by, now) or await ask_of(ctx, meter, cost, key))


async def ask_of(ctx: Context, meter: Meter, cost: int, key: KnownKey) -> Decision:
    """What the database decides of a call. Raises `KeyUnknown` for a key that has just gone with its holder."""
    try:
        return await ask(ctx, meter, cost, key.by)
    except Unauthenticated:
        raise KeyUnknown from None


def refuse(key: KnownKey, scope: str | None) -> None:
    """Raise what is the matter with a key by itself: it does not work, or not for this scope."""
    if key.refusal is not None:
        raise key.refusal
    if scope is not None and scope not in key.scopes:
        raise ScopeMissing(f"It needs the scope {scope}.", scope=scope)
