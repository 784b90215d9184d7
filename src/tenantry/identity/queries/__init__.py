"""All SQL of identity, one file a noun: `queries.sessions.live(db, ...)`."""

from . import accounts, addresses, factors, passkeys, passwords, recovery_codes, sessions, tokens, totp, users

__all__ = [
    "accounts",
    "addresses",
    "factors",
    "passkeys",
    "passwords",
    "recovery_codes",
    "sessions",
    "tokens",
    "totp",
    "users",
]
