"""API keys: what programs show instead of signing in."""

from .actions import issue, revoke, rotate
from .authorize import Authorized, authorize
from .calls import Bodies, CallLog
from .door import AuthorizeDoor
from .errors import ScopeMissing
from .known import KnownKeys
from .rows import ApiKey, NewKey

__all__ = [
    "ApiKey",
    "AuthorizeDoor",
    "Authorized",
    "Bodies",
    "CallLog",
    "KnownKeys",
    "NewKey",
    "ScopeMissing",
    "authorize",
    "issue",
    "revoke",
    "rotate",
]
