"""The running feeds of the declaration's sources."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Self

from tenantry.product import Product

from .providers.base import Adapter, Feed
from .providers.binance import Binance

if TYPE_CHECKING:
    from tenantry.kernel.clock import Clock


class Feeds:
    """One feed per active source. Opened and closed with the application, since a feed belongs to one event loop."""

    def __init__(self, adapters: Mapping[str, tuple[Adapter, str]], clock: "Clock") -> None:
        self._adapters = adapters
        self._clock = clock
        self._open: dict[str, Feed] = {}

    @classmethod
    def of(cls, product: Product, clock: "Clock", *, binance_base_url: str) -> Self:
        """The feeds a product needs. A source's own adapter is opened with an empty address."""
        adapters: dict[str, tuple[Adapter, str]] = {}
        for source in product.sources:
            adapter = source.adapter
            if adapter is not None and source.status == "active":
                address = binance_base_url if isinstance(adapter, Binance) else ""
                adapters[source.key] = (adapter, address)  # type: ignore[assignment]  # checked by `check_sources`
        return cls(adapters, clock)

    async def open(self) -> None:
        """Start every feed."""
        self._open = {key: adapter.open(address, self._clock) for key, (adapter, address) in self._adapters.items()}

    async def aclose(self) -> None:
        """Stop every feed."""
        feeds, self._open = self._open, {}
        for feed in feeds.values():
            await feed.aclose()

    def feed(self, key: str) -> Feed:
        """The feed of one source; KeyError when it has none."""
        return self._open[key]
