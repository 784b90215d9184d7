"""Data sources of a product: adapters for the declaration, and the values they hand out."""

from .feeds import Feeds
from .providers.base import (
    Adapter,
    AnswerInvalid,
    Feed,
    NoPrice,
    Quote,
    Reading,
    SourceError,
    SourceUnavailable,
    SymbolUnknown,
)
from .providers.binance import Binance

__all__ = [
    "Adapter",
    "AnswerInvalid",
    "Binance",
    "Feed",
    "Feeds",
    "NoPrice",
    "Quote",
    "Reading",
    "SourceError",
    "SourceUnavailable",
    "SymbolUnknown",
]
