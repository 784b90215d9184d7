"""Data sources of a product: adapters for the declaration, the values they hand out, and the parts to make your own.

An adapter is one file: pure data with a method `open` that starts its feed. `Host` and `Polled` bring everything that
feeds have in common; `docs/data-sources.md` shows a whole adapter.
"""

from .feeds import Feeds
from .providers.base import (
    Adapter,
    Feed,
    NoPrice,
    Quote,
    Reading,
    SourceError,
    SourceUnavailable,
    SymbolUnknown,
)
from .providers.binance import Binance
from .providers.host import Host
from .providers.polled import Polled

__all__ = [
    "Adapter",
    "Binance",
    "Feed",
    "Feeds",
    "Host",
    "NoPrice",
    "Polled",
    "Quote",
    "Reading",
    "SourceError",
    "SourceUnavailable",
    "SymbolUnknown",
]
