"""Facts that holders announce."""

from datetime import datetime
from uuid import UUID

import msgspec


class PlanChanged(msgspec.Struct, frozen=True):
    """A holder is on another plan since `revision`."""

    holder_id: UUID
    plan: str
    revision: int


class EndMoved(msgspec.Struct, frozen=True):
    """A workspace's holder ends at another time than was known, or has just ended."""

    holder_id: UUID
    ends_at: datetime


class PeriodChanged(msgspec.Struct, frozen=True):
    """A holder has another billing period, or none, since `revision`."""

    holder_id: UUID
    revision: int
