"""What the doors of metering share: a meter, what a call costs on it, and counting one before it is answered."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from starlette.types import Scope

from tenantry.kernel.context import context_of
from tenantry.kernel.told import Header
from tenantry.product import Meter

from .headers import raw_limit_headers
from .rows import Decision
from .spending import COST_MAX, consume

Asked = TypeVar("Asked")


class Charge(Generic[Asked]):
    """What a call costs on a meter: `cost` units, or what a function says of whatever is asked.

    0 from the function: this one is free, for whoever asks. A fixed cost is 1 to 10**12 (ValueError).
    """

    __slots__ = ("_cost", "_cost_of", "_meter")

    def __init__(self, meter: Meter, cost: int | Callable[[Asked], int]) -> None:
        self._meter = meter
        self._cost_of = cost if callable(cost) else None
        self._cost = 1 if callable(cost) else cost
        if not 1 <= self._cost <= COST_MAX:
            msg = f"a call costs 1 to {COST_MAX} units, not {cost}"
            raise ValueError(msg)

    async def count(self, scope: Scope, asked: Asked) -> tuple[Decision, Sequence[Header]] | None:
        """Count a call of whoever asks; answers the decision and the headers that tell of it, None for a free one.

        Raises `Unauthenticated` (401) for strangers, and whatever `consume` raises.
        """
        # Of a condition, which is a number too, one unit.
        cost = self._cost if self._cost_of is None else self._cost_of(asked) + 0
        if cost == 0:
            return None
        ctx = await context_of(scope)
        decision = await consume(ctx, self._meter, cost)
        burst = ctx.product.plan(decision.plan).burst
        return decision, raw_limit_headers(decision, ctx.clock.now(), burst)
