"""Organizations: people who belong together, their roles and invitations."""

from .holding import count_without_holder, open_missing_holders
from .lookup import MemberLookup
from .roles import PERMISSIONS, ROLES, rights

__all__ = ["PERMISSIONS", "ROLES", "MemberLookup", "count_without_holder", "open_missing_holders", "rights"]
