"""The call log in `/metrics`."""

from collections.abc import Iterator

from tenantry.kernel.figures import Figure
from tenantry.kernel.runtime import Runtime

from .log import CallLog

REASONS = ("overflow", "gone", "refused", "stopped")


def call_figures(runtime: Runtime) -> Iterator[Figure]:
    """How many calls were written, wait, and were dropped, in this process."""
    log = runtime.port(CallLog)
    yield Figure("tenantry_calls_written", "Calls written to the call log.", log.written, kind="counter")
    yield Figure("tenantry_calls_waiting", "Calls that wait to be written to the call log.", log.waiting)
    for reason in REASONS:
        yield Figure(
            "tenantry_calls_dropped",
            "Calls that are not in the call log, by why.",
            log.dropped[reason],
            {"reason": reason},
            "counter",
        )
