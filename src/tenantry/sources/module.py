"""What sources plug in."""

from collections.abc import Sequence

from tenantry.kernel import Module, Settings
from tenantry.product import Finding, Product

from .api import router
from .figures import source_figures
from .pages import pages_router
from .panel import SOURCES_PANEL


def check_sources(product: Product, _settings: Settings) -> Sequence[Finding]:
    """An adapter must be something that opens a feed."""
    return [
        Finding(
            "error",
            f'source "{source.key}"',
            f"its adapter, a {type(source.adapter).__name__}, cannot be opened.",
            "Give it a method `open(clock)` that returns a feed; docs/data-sources.md shows a whole adapter.",
        )
        for source in product.sources
        if source.adapter is not None and not callable(getattr(source.adapter, "open", None))
    ]


MODULE = Module(
    "sources",
    routers=[router],
    pages=[pages_router],
    panels=[SOURCES_PANEL],
    checks=[check_sources],
    figures=[source_figures],
)
