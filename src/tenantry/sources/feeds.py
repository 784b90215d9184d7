"""The running feeds of the declaration's sources."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Self

from tenantry.product import Product

from .providers.base import Adapter, Feed, SourceUnavailable
from .providers.binance import Binance

if TYPE_CHECKING:
    from tenantry.kernel.clock import Clock


class Feeds:
    """One feed per active source. Opened and closed with the application, since a feed belongs to one event loop."""

    def __init__(self, openings: Mapping[str, Callable[[], Feed]]) -> None:
        self._openings = openings
        self._open: dict[str, Feed] = {}

    @classmethod
    def of(cls, product: Product, clock: "Clock", *, binance_base_url: str) -> Self:
        """The feeds a product needs."""
        openings: dict[str, Callable[[], Feed]] = {}
        for source in product.sources:
            adapter: Adapter | None = source.adapter  # type: ignore[assignment]  # checked by `check_sources`
            if adapter is None or source.status != "active":
                continue
            if isinstance(adapter, Binance):
                openings[source.key] = partial(adapter.open, clock, base_url=binance_base_url)
            else:
                openings[source.key] = partial(adapter.open, clock)
        return cls(openings)

    async def open(self) -> None:
        """Start every feed."""
        for key, opening in self._openings.items():
            self._open[key] = opening()

    async def aclose(self) -> None:
        """Stop every feed."""
        feeds, self._open = self._open, {}
        for feed in feeds.values():
            await feed.aclose()

    def feed(self, key: str) -> Feed:
        """The feed of one source; KeyError when it has none."""
        return self._open[key]

    def trouble(self, key: str) -> SourceUnavailable | None:
        """Why a source cannot answer just now; None when it can, as far as is known, and for one that has no feed."""
        return self._open[key].trouble() if key in self._open else None

    def __iter__(self) -> Iterator[tuple[str, Feed]]:
        return iter(self._open.items())
