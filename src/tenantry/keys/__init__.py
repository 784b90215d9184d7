"""API keys: what programs show instead of signing in."""

from .actions import issue, revoke, rotate
from .authorize import Authorized, authorize
from .errors import KeyMissing, ScopeMissing
from .known import KnownKeys
from .rows import ApiKey, NewKey

__all__ = [
    "ApiKey",
    "Authorized",
    "KeyMissing",
    "KnownKeys",
    "NewKey",
    "ScopeMissing",
    "authorize",
    "issue",
    "revoke",
    "rotate",
]
