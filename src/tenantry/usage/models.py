"""What holders have used in each window, what is set aside for work under way, and what they keep."""

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index

from tenantry.holders import of_my_holders
from tenantry.kernel.database import Base, Created, Touched, column, id_column, length_between, one_of
from tenantry.kernel.database.types import Id, UtcDateTime, Whole, Words
from tenantry.kernel.policies import Policy, Rights


class UsageCounters(Touched, Base):
    """One holder, one meter, one window. `quota` is the plan's limit written down beside the count (NULL: no limit).

    `overrun` is what reserved work used beyond what was left. `holder_revision` is the holder's at the last change: a
    call that read the plan before a change cannot undo it.
    """

    __tablename__ = "usage_counters"
    __policy__ = Policy(authenticated=Rights(read=of_my_holders()))

    holder_id = column(Id(), ForeignKey("holders.id", ondelete="CASCADE"), primary_key=True)
    meter = column(Words(), primary_key=True)
    window_start = column(UtcDateTime(), primary_key=True)
    window_end = column(UtcDateTime())
    quota = column(Whole(), nullable=True)
    used = column(Whole())
    leased = column(Whole(), server_default="0")
    granted = column(Whole(), server_default="0")
    overrun = column(Whole(), server_default="0")
    holder_revision = column(Whole())

    __table_args__ = (
        length_between("meter", 1, 100),
        CheckConstraint("window_end > window_start", name="window_forward"),
        CheckConstraint("quota > 0", name="quota_counted"),
        CheckConstraint("used >= 0 AND leased >= 0 AND overrun >= 0", name="units_counted"),
        CheckConstraint("used + leased <= quota", name="within_quota"),
        # By their holder the key leads. These two are for all holders: windows by their end, and one meter's windows.
        Index("ix_usage_counters_window_end", "window_end"),
        Index("ix_usage_counters_meter_window_start", "meter", "window_start"),
    )


_COUNTER = ("holder_id", "meter", "window_start")
_COUNTERS_KEY = [f"usage_counters.{name}" for name in _COUNTER]


class UsageReservations(Touched, Base):
    """Units of a counter set aside for work whose cost is known afterwards; they stand in its `leased` while held.

    `on_expiry` says what becomes of a reservation that nobody settled in time. An "expired" one was ended by time
    alone: whoever did the work may still say what it used, once.
    """

    __tablename__ = "usage_reservations"
    __policy__ = Policy(authenticated=Rights(read=of_my_holders()))

    id = id_column()
    # It goes with its counter, and the counter with its holder; asking for the holder too could wait in a circle.
    holder_id = column(Id())
    meter = column(Words())
    window_start = column(UtcDateTime())
    units = column(Whole())
    settled = column(Whole(), nullable=True)
    status = column(Words(), server_default="held")
    on_expiry = column(Words(), server_default="settle")
    expires_at = column(UtcDateTime())

    __table_args__ = (
        # The convention's own name would be too long for PostgreSQL.
        ForeignKeyConstraint(_COUNTER, _COUNTERS_KEY, ondelete="CASCADE", name="fk_usage_reservations_usage_counters"),
        one_of("status", "held", "settled", "released", "expired"),
        one_of("on_expiry", "settle", "release"),
        CheckConstraint("units > 0", name="units_counted"),
        CheckConstraint("settled >= 0", name="settled_counted"),
        CheckConstraint("(status IN ('settled', 'expired')) = (settled IS NOT NULL)", name="settled_known"),
        Index("ix_usage_reservations_holder_id_meter_window_start", *_COUNTER),
        Index("ix_usage_reservations_status_expires_at", "status", "expires_at"),
    )


class UsageGauges(Touched, Base):
    """How much of something a holder keeps at the moment: stored bytes."""

    __tablename__ = "usage_gauges"
    __policy__ = Policy(authenticated=Rights(read=of_my_holders()))

    holder_id = column(Id(), ForeignKey("holders.id", ondelete="CASCADE"), primary_key=True)
    gauge = column(Words(), primary_key=True)
    value = column(Whole())

    __table_args__ = (length_between("gauge", 1, 100), CheckConstraint("value >= 0", name="value_counted"))


class UsageNotices(Created, Base):
    """Which thresholds of a window its holder was told about: each once."""

    __tablename__ = "usage_notices"
    __policy__ = Policy(authenticated=Rights(read=of_my_holders()))

    holder_id = column(Id(), ForeignKey("holders.id", ondelete="CASCADE"), primary_key=True)
    meter = column(Words(), primary_key=True)
    window_start = column(UtcDateTime(), primary_key=True)
    percent = column(Whole(), primary_key=True)

    __table_args__ = (
        ForeignKeyConstraint(_COUNTER, _COUNTERS_KEY, ondelete="CASCADE"),
        CheckConstraint("percent BETWEEN 1 AND 100", name="percent_counted"),
    )
