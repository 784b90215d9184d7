"""What keys answer: a key as its holder sees it, and as whoever checks it does."""

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

State = Literal["pending_verification", "active", "expired", "revoked"]


class ApiKey(msgspec.Struct, frozen=True):
    """A key, without its secret, as it stood `at` that time of the database's.

    `tier` None: it follows its holder's plan. `successor_id`: the key that takes its place at `expires_at`.
    """

    id: UUID
    holder_id: UUID
    made_by: UUID | None
    label: str
    prefix: str
    ending: str
    scopes: list[str]
    tier: str | None
    status: str
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    successor_id: UUID | None
    created_at: datetime
    at: datetime

    @property
    def state(self) -> State:
        """The status, and "expired" where its time is over. What was revoked stays revoked."""
        return state_of(self.status, self.expires_at, self.at)

    @property
    def works(self) -> bool:
        """Whether it may be shown now."""
        return self.state == "active"


class NewKey(msgspec.Struct, frozen=True):
    """A key that was just made, with the secret, which nobody can be shown again."""

    key: ApiKey
    secret: str


def state_of(status: str, expires_at: datetime | None, at: datetime) -> State:
    """What a key with this status and end is at a time."""
    if status == "revoked":
        return "revoked"
    if expires_at is not None and expires_at <= at:
        return "expired"
    return "active" if status == "active" else "pending_verification"
