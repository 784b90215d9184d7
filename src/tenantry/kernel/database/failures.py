"""What a database refuses, in words that are the same on both.

The three violations are caught by actions, which know what they mean to a person; the Problems go to the caller.
"""

from ..problems import DatabaseConflict, DatabaseUnavailable, Problem


class Violation(Exception):
    """A constraint refused the statement. `constraint` is its name in the schema, the same on both databases."""

    def __init__(self, constraint: str) -> None:
        super().__init__(constraint)
        self.constraint = constraint


class UniqueViolation(Violation):
    """A row with this key exists."""


class CheckViolation(Violation):
    """A CHECK or NOT NULL refused the values."""


class ForeignKeyViolation(Violation):
    """The row that is referred to does not exist, or is still referred to."""


class PolicyViolation(Exception):
    """A row's policy refused the new values; the unit is rolled back."""


class NoRow(LookupError):
    """`one` found nothing."""


class UnitStillOpen(RuntimeError):
    """Something slow, or a second writing unit, was started while a unit of work held its connection."""


class Unstorable(Problem):
    """A value in the request cannot be stored: it holds a character or a number the database does not know."""

    code, status = "request.unstorable", 422


__all__ = [
    "CheckViolation",
    "DatabaseConflict",
    "DatabaseUnavailable",
    "ForeignKeyViolation",
    "NoRow",
    "PolicyViolation",
    "UniqueViolation",
    "UnitStillOpen",
    "Unstorable",
    "Violation",
]
