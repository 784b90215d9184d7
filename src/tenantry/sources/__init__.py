"""Data sources of a product: adapters for the declaration, and the values they hand out."""

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
    "NoPrice",
    "Quote",
    "Reading",
    "SourceError",
    "SourceUnavailable",
    "SymbolUnknown",
]
