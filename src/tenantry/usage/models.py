"""What holders have used in each window."""

from sqlalchemy import CheckConstraint, ForeignKey, Index

from tenantry.holders import of_my_holders
from tenantry.kernel.database import Base, Touched, column, length_between
from tenantry.kernel.database.types import Id, UtcDateTime, Whole, Words
from tenantry.kernel.policies import Policy, Rights


class UsageCounters(Touched, Base):
    """One holder, one meter, one window. `quota` is the plan's limit written down beside the count (NULL: no limit).

    `holder_revision` is the holder's at the last change: a call that read the plan before a change cannot undo it.
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
    holder_revision = column(Whole())

    __table_args__ = (
        length_between("meter", 1, 100),
        CheckConstraint("window_end > window_start", name="window_forward"),
        CheckConstraint("quota > 0", name="quota_counted"),
        CheckConstraint("used >= 0 AND leased >= 0", name="units_counted"),
        CheckConstraint("used + leased <= quota", name="within_quota"),
        Index("ix_usage_counters_window_end", "window_end"),
    )
