"""What people do with organizations: one function a use case. Each commits before its answer; no unit is open.

`ctx` is that of a signed-in person; only people belong to organizations.
"""

from .inviting import invite, resend, revoke
from .joining import accept, decline
from .members import change_role, leave, remove, transfer
from .organizations import choose, create, delete, rename

__all__ = [
    "accept",
    "change_role",
    "choose",
    "create",
    "decline",
    "delete",
    "invite",
    "leave",
    "remove",
    "rename",
    "resend",
    "revoke",
    "transfer",
]
