"""Meters and their windows: what a holder has used, and whether one more call fits."""

from .charging import Charge
from .errors import BurstExceeded, LimitReached, QuotaExceeded
from .headers import limit_headers
from .leases import Leases
from .metered import Metered
from .queries.counters import record
from .rows import Decision, Window
from .spending import consume, decide

__all__ = [
    "BurstExceeded",
    "Charge",
    "Decision",
    "Leases",
    "LimitReached",
    "Metered",
    "QuotaExceeded",
    "Window",
    "consume",
    "decide",
    "limit_headers",
    "record",
]
