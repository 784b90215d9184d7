"""Calls admitted though nobody could count them: what a meter with `fail_open` wants while the database is away."""

from collections.abc import Iterator

from tenantry.kernel import Context
from tenantry.kernel.figures import Figure
from tenantry.kernel.logs import logger_of
from tenantry.kernel.runtime import Runtime
from tenantry.product import Meter

from .rows import Decision

LOG_EVERY_SECONDS = 10.0

log = logger_of("tenantry.usage")


class Uncounted:
    """`ctx.port(Uncounted)`: how many there were, by meter. The log says so at once, then every ten seconds."""

    def __init__(self) -> None:
        self.calls: dict[str, int] = {}
        self._told: dict[str, tuple[float, int]] = {}

    def admit(self, ctx: Context, plan: str, meter: Meter, cost: int) -> Decision:
        """The decision for such a call. It knows nothing of limits, so its answer carries none."""
        calls = self.calls[meter.name] = self.calls.get(meter.name, 0) + 1
        now = ctx.clock.monotonic()
        told_at, told = self._told.get(meter.name, (float("-inf"), 0))
        if now - told_at >= LOG_EVERY_SECONDS:
            self._told[meter.name] = now, calls
            log.warning("usage.admitted_uncounted", meter=meter.name, calls=calls - told)
        return Decision(
            allowed=True,
            meter=meter.name,
            cost=cost,
            plan=plan,
            limit=None,
            used=0,
            remaining=None,
            reset_at=ctx.clock.now(),
            window_seconds=0,
            waiting_helps=True,
            counted=False,
        )


def uncounted_figures(runtime: Runtime) -> Iterator[Figure]:
    """How many calls were admitted uncounted, for the meters that say `fail_open`."""
    calls = runtime.port(Uncounted).calls
    for meter in runtime.product.meters:
        if meter.fail_open:
            yield Figure(
                "tenantry_usage_calls_uncounted",
                "Calls admitted without being counted, since the database was away.",
                calls.get(meter.name, 0),
                {"meter": meter.name},
                "counter",
            )
