"""What an operator does with a whole installation: today, looking into it."""

from .examining import Comparison, compare_stored_plans, examine
from .report import Examination, Sheet

__all__ = ["Comparison", "Examination", "Sheet", "compare_stored_plans", "examine"]
