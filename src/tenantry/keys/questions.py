"""What is asked at `POST /v1/authorize`, and what is answered."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec

from tenantry.usage import BurstExceeded, QuotaExceeded

from .errors import (
    HolderSuspended,
    KeyExpired,
    KeyMissing,
    KeyPending,
    KeyRevoked,
    KeyUnknown,
    OwnerBanned,
    OwnerClosed,
    ScopeMissing,
    TrialEnded,
)

PATH = "/v1/authorize"
KEY_CHARACTERS_MAX, NAME_CHARACTERS_MAX, COST_MAX = 1_000, 100, 10**12

OF_THE_KEY = (
    KeyMissing,
    KeyUnknown,
    KeyRevoked,
    KeyExpired,
    KeyPending,
    OwnerClosed,
    OwnerBanned,
    TrialEnded,
    HolderSuspended,
    ScopeMissing,
    BurstExceeded,
    QuotaExceeded,
)
"""What is the matter with a key that is asked about. It is told as an answer: the question itself was in order."""
Code = Literal[
    "keys.missing",
    "keys.unknown",
    "keys.revoked",
    "keys.expired",
    "keys.pending",
    "keys.owner_closed",
    "keys.owner_banned",
    "keys.trial_ended",
    "keys.holder_suspended",
    "keys.scope_missing",
    "usage.burst_exceeded",
    "usage.quota_exceeded",
]
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_CHARACTERS_MAX)]


class AuthorizeKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """May this key do that? `key` is the whole secret, as the service was sent it.

    `meter`: what is counted on; without one, the product's meter for keys. `cost`: units; 0 only looks and counts
    nothing. `scope`: what the key must be allowed.
    """

    key: Annotated[str, msgspec.Meta(max_length=KEY_CHARACTERS_MAX)]
    meter: _Name | None = None
    cost: Annotated[int, msgspec.Meta(ge=0, le=COST_MAX)] = 1
    scope: _Name | None = None


class AuthorizedKey(msgspec.Struct, frozen=True):
    """Whether it may. If not, `code` and `detail` say why, `retry_after` after how many seconds to ask again, if ever.

    `plan` is what bounds the key. `limit`, `remaining` and `reset_at` are those of `meter`; null: no limit, or nothing
    was counted. `key_id` and `holder_id` are null for a key that does not exist.
    """

    allowed: bool
    code: Code | None = None
    detail: str | None = None
    key_id: UUID | None = None
    holder_id: UUID | None = None
    plan: str | None = None
    meter: str | None = None
    limit: int | None = None
    remaining: int | None = None
    reset_at: datetime | None = None
    retry_after: int | None = None
