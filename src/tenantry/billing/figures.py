"""Billing in `/metrics`: events by how they stand, purchases that are nobody's, drift that a sync found."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tenantry.kernel.figures import Figure
from tenantry.kernel.runtime import Runtime

if TYPE_CHECKING:
    from .queries.inbox import EventCount
    from .sync import Drift


class BillingFigures:
    """`ctx.port(BillingFigures)`: what this process last counted. The process that sweeps counts."""

    def __init__(self) -> None:
        self.events: dict[tuple[str, str], int] = {}
        self.unlinked = 0
        self.drift: Counter[tuple[str, str, str]] = Counter()

    def stand(self, events: "Sequence[EventCount]", unlinked: int) -> None:
        """How events and unlinked purchases stand now."""
        self.events = {(one.provider, one.status): one.count for one in events}
        self.unlinked = unlinked

    def drifted(self, provider: str, drift: "Sequence[Drift]") -> None:
        """A sync found these, and repaired them."""
        self.drift.update((provider, one.kind, one.difference) for one in drift)


def billing_figures(runtime: Runtime) -> Iterator[Figure]:
    """What `BillingFigures` last counted."""
    counted = runtime.port(BillingFigures)
    for (provider, status), count in counted.events.items():
        yield Figure(
            "tenantry_billing_events",
            "Events of payment providers, by how they stand.",
            count,
            {"provider": provider, "status": status},
        )
    yield Figure("tenantry_billing_unlinked", "Purchases that are nobody's yet.", counted.unlinked)
    for (provider, kind, difference), count in counted.drift.items():
        yield Figure(
            "tenantry_billing_drift",
            "Objects that a sync found otherwise than at the provider, and repaired.",
            count,
            {"provider": provider, "kind": kind, "difference": difference},
            "counter",
        )
