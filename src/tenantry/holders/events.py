"""Facts that holders announce."""

from datetime import datetime
from uuid import UUID

import msgspec


class PlanChanged(msgspec.Struct, frozen=True):
    """A holder is on another plan since `revision`."""

    holder_id: UUID
    plan: str
    revision: int


class PlanGranted(msgspec.Struct, frozen=True):
    """A holder was put on a plan by hand: by an operator, or with a converted trial. What it has paid for may be more.

    Told after `PlanChanged`; whoever keeps what is paid for brings the plan to the higher of the two.
    """

    holder_id: UUID
    plan: str


class EndMoved(msgspec.Struct, frozen=True):
    """A workspace's holder ends at another time than was known, or has just ended."""

    holder_id: UUID
    ends_at: datetime


class PeriodChanged(msgspec.Struct, frozen=True):
    """A holder has another billing period, or none, since `revision`."""

    holder_id: UUID
    revision: int
