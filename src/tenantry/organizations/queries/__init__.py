"""All SQL of organizations, one file a noun."""

from . import invitations, lookup, members, organizations

__all__ = ["invitations", "lookup", "members", "organizations"]
