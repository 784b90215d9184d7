"""Meters and their windows: what a holder has used, and whether one more call fits."""

from .actions import consume, decide
from .errors import QuotaExceeded
from .headers import limit_headers
from .leases import Leases
from .queries.counters import record
from .rows import Decision, Window

__all__ = [
    "Decision",
    "Leases",
    "QuotaExceeded",
    "Window",
    "consume",
    "decide",
    "limit_headers",
    "record",
]
