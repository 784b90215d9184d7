"""The log of calls made with keys."""

from .bodies import Bodies
from .log import CallLog

__all__ = ["Bodies", "CallLog"]
