"""Meters and their windows: what a holder has used, and whether one more call fits."""

from .actions import Decision, consume, decide
from .errors import QuotaExceeded
from .headers import limit_headers
from .queries import Standing, Window, history, record, standing

__all__ = [
    "Decision",
    "QuotaExceeded",
    "Standing",
    "Window",
    "consume",
    "decide",
    "history",
    "limit_headers",
    "record",
    "standing",
]
