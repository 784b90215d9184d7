"""What trials answer: a workspace as it stands now, whatever the job has written yet."""

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from tenantry.kernel.context import Holder
from tenantry.keys import ApiKey

Tier = Literal["standard", "enterprise"]
State = Literal["active", "expired", "converted", "cancelled"]


class Workspace(msgspec.Struct, frozen=True):
    """A trial workspace as it stood `at` that time of the database's."""

    id: UUID
    user_id: UUID
    name: str
    slug: str
    tier: Tier
    status: State
    expires_at: datetime
    expired_at: datetime | None
    converted_at: datetime | None
    cancelled_at: datetime | None
    extensions: int
    created_at: datetime
    at: datetime

    @property
    def state(self) -> State:
        """The status, and "expired" where the time is over and nobody has written that down yet."""
        return "expired" if self.status == "active" and self.expires_at <= self.at else self.status

    @property
    def ended_at(self) -> datetime | None:
        """When it ended, in whatever way; None while it is active."""
        return self.expires_at if self.state == "expired" else self.converted_at or self.cancelled_at


class Listed(msgspec.Struct, frozen=True):
    """A workspace with its holder and those of its keys that are not revoked, newest first."""

    workspace: Workspace
    holder: Holder
    keys: list[ApiKey]
