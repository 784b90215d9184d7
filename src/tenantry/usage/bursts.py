"""How fast a holder may be: `Plan.burst`, by the generic cell rate algorithm. Pure arithmetic, no clock, no database.

For each holder one number is kept: when everything they called would be over if calls came evenly. A call adds
`seconds / calls` to it, and is refused when that would lie more than `seconds` ahead. So `calls` may come at once, and
afterwards one every `seconds / calls`. Each process counts for itself and forgets when it ends: this keeps a client in
check that runs wild, it is no quota.
"""

import math
from uuid import UUID

from tenantry.kernel import Context
from tenantry.kernel.context import Holder
from tenantry.product import Burst

from .errors import BurstExceeded

HOLDERS_MAX = 100_000
"""How many holders are remembered at most. With more the ones that are nearest to being idle are forgotten."""
SWEEP_FROM = 1_024
# Sums of fractions are off by a little.
_NOTHING_SECONDS = 1e-6


class Bursts:
    """`ctx.port(Bursts)`. Times are the clock's monotonic seconds."""

    def __init__(self, holders_max: int = HOLDERS_MAX) -> None:
        # By the id's number: an id hashes itself in Python, which takes longer than all the rest.
        self._over: dict[int | tuple[int, str], float] = {}
        """When a holder's calls would be over. Whose time is past is as good as unknown."""
        self._holders_max = holders_max
        self._sweep_at = min(SWEEP_FROM, holders_max)

    def __len__(self) -> int:
        return len(self._over)

    def admit(self, holder_id: UUID, burst: Burst, now: float, tier: str | None = None) -> float:
        """Admit a call and answer 0, or answer the seconds until one is admitted; a refused call costs nothing.

        A holder's keys of a lower tier have a pace of their own: the slower one would hold up all the others.
        """
        holder = holder_id.int if tier is None else (holder_id.int, tier)
        over = self._over.get(holder)
        if over is None or over < now:
            over = now
        elif over > now + burst.seconds:
            # By the slower pace of a plan that was left. Whatever was called then, one waits for a single call of this
            # plan; and from now on, not from each further try on.
            over = self._over[holder] = now + burst.seconds
        over += burst.seconds / burst.calls
        wait = over - burst.seconds - now
        if wait > _NOTHING_SECONDS:
            return wait
        if len(self._over) >= self._sweep_at and holder not in self._over:
            self._sweep(now)
        self._over[holder] = over
        return 0.0

    def _sweep(self, now: float) -> None:
        """Forget who is idle; whenever as many as were left have come anew, so that it costs each call little."""
        busy = {holder: over for holder, over in self._over.items() if over > now}
        if len(busy) > self._holders_max * 3 // 4:
            longest = sorted(busy, key=busy.__getitem__, reverse=True)[: self._holders_max // 2]
            busy = {holder: busy[holder] for holder in longest}
        self._over = busy
        self._sweep_at = min(max(2 * len(busy), SWEEP_FROM), self._holders_max)


def keep_pace(ctx: Context) -> None:
    """Refuse (`BurstExceeded`, 429) a call of the context's holder that comes faster than their plan allows.

    One request is one call, however many meters it is counted on. Without a request each time is a call.
    """
    burst = ctx.product.plan(ctx.holder.plan).burst
    if burst is None or (ctx.once is not None and (Bursts, ctx.holder.id) in ctx.once):
        return
    keep_pace_of(ctx, ctx.holder, ctx.actor.tier, ctx.clock.monotonic())
    if ctx.once is not None:
        ctx.once.add((Bursts, ctx.holder.id))


def keep_pace_of(ctx: Context, holder: Holder, tier: str | None, now: float) -> None:
    """The same for a holder that is known without a request, with a key of this tier; each time is a call."""
    plan = ctx.runtime.product.plan(holder.plan)
    if plan.burst is None:
        return
    wait = ctx.runtime.port(Bursts).admit(holder.id, plan.burst, now, tier)
    if wait:
        raise BurstExceeded.of(plan.name, plan.burst, math.ceil(wait))
