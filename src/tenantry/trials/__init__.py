"""Trial workspaces: a place of one's own to try the product in, for a while."""

from .actions import cancel, convert, extend, read, start
from .moves import cancel_trial, convert_trial, extend_trial, lock_active
from .rows import Listed, Workspace

__all__ = [
    "Listed",
    "Workspace",
    "cancel",
    "cancel_trial",
    "convert",
    "convert_trial",
    "extend",
    "extend_trial",
    "lock_active",
    "read",
    "start",
]
