"""What comes in: recurring revenue, how it moves, who leaves, trials, payments. For operators.

A door beside the room's own, for the command and the operator's pages. `docs/revenue.md` has each figure's definition.
"""

from .asking import MONTHS_MAX, revenue
from .shapes import Customers, Figures, Money, Month, Revenue, Trials

__all__ = ["MONTHS_MAX", "Customers", "Figures", "Money", "Month", "Revenue", "Trials", "revenue"]
