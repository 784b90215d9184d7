"""Trial workspaces: a place of one's own to try the product in, for a while."""

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint

from tenantry.kernel.database import Base, Touched, column, id_column, length_between, one_of
from tenantry.kernel.database.types import Id, UtcDateTime, Whole, Words
from tenantry.kernel.policies import Policy, Rights, own


class TrialWorkspaces(Touched, Base):
    """A trial of one person. From `active` it goes to exactly one of the three ends, and the move is stamped.

    One whose time is over is over at every read, also before the job has written `expired`. `extensions`: how often
    its owner put the end off. `reminded_at`: when the owner was last told that the end is near; whether a reminder is
    still due follows from that and `expires_at`, so that one whose end was put off is reminded anew.
    """

    __tablename__ = "trial_workspaces"
    __policy__ = Policy(authenticated=Rights(read=own()))

    id = id_column()
    user_id = column(Id(), ForeignKey("users.id", ondelete="CASCADE"))
    name = column(Words())
    slug = column(Words(), unique=True)
    tier = column(Words(), server_default="standard")
    status = column(Words(), server_default="active")
    expires_at = column(UtcDateTime())
    expired_at = column(UtcDateTime(), nullable=True)
    converted_at = column(UtcDateTime(), nullable=True)
    cancelled_at = column(UtcDateTime(), nullable=True)
    extensions = column(Whole(), server_default="0")
    reminded_at = column(UtcDateTime(), nullable=True)

    __table_args__ = (
        one_of("tier", "standard", "enterprise"),
        one_of("status", "active", "expired", "converted", "cancelled"),
        length_between("name", 1, 100),
        length_between("slug", 1, 60),
        CheckConstraint("expires_at > created_at", name="expires_later"),
        CheckConstraint("extensions >= 0", name="extensions_counted"),
        CheckConstraint("(status = 'expired') = (expired_at IS NOT NULL)", name="expired_stamped"),
        CheckConstraint("(status = 'converted') = (converted_at IS NOT NULL)", name="converted_stamped"),
        CheckConstraint("(status = 'cancelled') = (cancelled_at IS NOT NULL)", name="cancelled_stamped"),
        UniqueConstraint("user_id", "id"),
        Index("ix_trial_workspaces_user_id_created_at", "user_id", "created_at"),
        Index("ix_trial_workspaces_status_id", "status", "id"),
        Index("ix_trial_workspaces_status_expires_at", "status", "expires_at"),
    )
