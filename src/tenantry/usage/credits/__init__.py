"""Credits: granted once for a fact, spent atomically, oldest expiry first, never below nothing. A door of its own."""

from .errors import CreditsInsufficient
from .granting import give, grant, revoke, set_balance
from .rows import Spent
from .spending import balance, release, reserve, settle, spend

__all__ = [
    "CreditsInsufficient",
    "Spent",
    "balance",
    "give",
    "grant",
    "release",
    "reserve",
    "revoke",
    "set_balance",
    "settle",
    "spend",
]
