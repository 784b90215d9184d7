"""All SQL of identity, one file a noun: `queries.sessions.live(db, ...)`."""

from . import (
    accounts,
    addresses,
    factors,
    impersonations,
    passkeys,
    passwords,
    recovery_codes,
    roles,
    sessions,
    tokens,
    totp,
    users,
)

__all__ = [
    "accounts",
    "addresses",
    "factors",
    "impersonations",
    "passkeys",
    "passwords",
    "recovery_codes",
    "roles",
    "sessions",
    "tokens",
    "totp",
    "users",
]
