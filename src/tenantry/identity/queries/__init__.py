"""All SQL of identity, one file a noun: `queries.sessions.live(db, ...)`."""

from . import accounts, factors, sessions, tokens, users

__all__ = ["accounts", "factors", "sessions", "tokens", "users"]
