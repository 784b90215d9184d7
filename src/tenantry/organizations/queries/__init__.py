"""All SQL of organizations, one file a noun."""

from . import answering, invitations, lookup, members, organizations

__all__ = ["answering", "invitations", "lookup", "members", "organizations"]
