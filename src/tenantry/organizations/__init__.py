"""Organizations: people who belong together, their roles and invitations."""

from .lookup import MemberLookup
from .roles import PERMISSIONS, ROLES, rights

__all__ = ["PERMISSIONS", "ROLES", "MemberLookup", "rights"]
