"""How one process tells the others that something changed: within a second, or they know that they cannot tell."""

from .hearing import Notices
from .telling import forget_notices, notice_figures, tell

__all__ = ["Notices", "forget_notices", "notice_figures", "tell"]
