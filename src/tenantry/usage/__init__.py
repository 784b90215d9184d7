"""Meters and their windows: what a holder has used, and whether one more call fits."""

from .actions import Decision, consume, decide
from .errors import QuotaExceeded
from .headers import limit_headers
from .queries import history, record, standing, standings
from .rows import PastWindow, Standing, Window

__all__ = [
    "Decision",
    "PastWindow",
    "QuotaExceeded",
    "Standing",
    "Window",
    "consume",
    "decide",
    "history",
    "limit_headers",
    "record",
    "standing",
    "standings",
]
