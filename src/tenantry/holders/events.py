"""Facts that holders announce."""

from uuid import UUID

import msgspec


class PlanChanged(msgspec.Struct, frozen=True):
    """A holder is on another plan since `revision`."""

    holder_id: UUID
    plan: str
    revision: int


class PeriodChanged(msgspec.Struct, frozen=True):
    """A holder has another billing period, or none, since `revision`."""

    holder_id: UUID
    revision: int
