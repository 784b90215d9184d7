"""Plans as the declaration last gave them, and who holds one."""

from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    UniqueConstraint,
    and_,
    case,
    literal_column,
    or_,
    select,
)

from tenantry.kernel.database import Base, Touched, column, id_column, length_between, one_of
from tenantry.kernel.database.types import Flag, Id, Json, UtcDateTime, Whole, Words
from tenantry.kernel.policies import Policy, Predicate, Rights, anyone, of_my_organizations, own
from tenantry.kernel.sql import now


class Plans(Touched, Base):
    """The declaration's plans, mirrored at start. A plan that is gone from it stays, no longer offered."""

    __tablename__ = "plans"
    __policy__ = Policy(authenticated=Rights(read=anyone), anon=Rights(read=anyone))

    name = column(Words(), primary_key=True)
    display_name = column(Words())
    price_minor = column(Whole(), nullable=True)
    currency = column(Words())
    limits = column(Json())
    features = column(Json())
    is_active = column(Flag())
    position = column(Whole())

    __table_args__ = (
        length_between("name", 1, 50),
        length_between("display_name", 1, 100),
        length_between("currency", 3, 3),
        CheckConstraint("price_minor >= 0", name="price_minor_counted"),
    )


_IS_OF_ORGANIZATION: ColumnElement[bool] = literal_column("organization_id IS NOT NULL")


def _mine(row: Any) -> ColumnElement[bool]:
    return or_(own("owner_id")(row), of_my_organizations()(row))


class Holders(Touched, Base):
    """Who holds a plan, its quotas, credits and keys: a user, an organization, or a trial workspace.

    `owner_id` is the person behind it, whose ban or deletion stops it: the user, or the workspace's owner; nobody's
    does that to an organization's. `ends_at`:
    from then on nothing is admitted. `suspended_at`: nothing is, until it is NULL again. `plan_until`: from then on the
    plan is `plan_after`, whether or not anybody has written that down. `granted_plan`: the plan that was given by hand,
    below which billing never puts the holder.
    """

    __tablename__ = "holders"
    __policy__ = Policy(authenticated=Rights(read=_mine))

    id = id_column()
    kind = column(Words())
    user_id = column(Id(), ForeignKey("users.id", ondelete="CASCADE"), nullable=True, unique=True)
    organization_id = column(Id(), ForeignKey("organizations.id", ondelete="CASCADE"), nullable=True)
    workspace_id = column(Id(), nullable=True, unique=True)
    owner_id = column(Id(), ForeignKey("users.id", ondelete="CASCADE"), nullable=True)
    plan = column(Words(), ForeignKey("plans.name", ondelete="RESTRICT"))
    plan_source = column(Words(), server_default="default")
    plan_until = column(UtcDateTime(), nullable=True)
    plan_after = column(Words(), ForeignKey("plans.name", ondelete="RESTRICT"), nullable=True)
    granted_plan = column(Words(), ForeignKey("plans.name", ondelete="RESTRICT"), nullable=True)
    period_start = column(UtcDateTime(), nullable=True)
    period_end = column(UtcDateTime(), nullable=True)
    ends_at = column(UtcDateTime(), nullable=True)
    suspended_at = column(UtcDateTime(), nullable=True)
    revision = column(Whole(), server_default="1")

    __table_args__ = (
        one_of("kind", "user", "organization", "workspace"),
        one_of("plan_source", "default", "admin", "trial", "billing"),
        CheckConstraint(
            "(kind = 'user' AND user_id IS NOT NULL AND organization_id IS NULL AND workspace_id IS NULL"
            " AND owner_id IS NOT NULL AND owner_id = user_id)"
            " OR (kind = 'organization' AND organization_id IS NOT NULL AND user_id IS NULL AND workspace_id IS NULL"
            " AND owner_id IS NULL)"
            " OR (kind = 'workspace' AND workspace_id IS NOT NULL AND user_id IS NULL AND organization_id IS NULL"
            " AND owner_id IS NOT NULL)",
            name="one_owner",
        ),
        CheckConstraint("(plan_until IS NULL) = (plan_after IS NULL)", name="plan_until_whole"),
        CheckConstraint("(period_start IS NULL) = (period_end IS NULL)", name="period_whole"),
        CheckConstraint("period_end > period_start", name="period_forward"),
        CheckConstraint("revision > 0", name="revision_counted"),
        # Both columns: a workspace's holder is never another person's.
        ForeignKeyConstraint(
            ["owner_id", "workspace_id"], ["trial_workspaces.user_id", "trial_workspaces.id"], ondelete="CASCADE"
        ),
        UniqueConstraint("user_id", "id"),
        UniqueConstraint("organization_id", "id"),
        UniqueConstraint("workspace_id", "id"),
        # Partial: where nearly all are NULL, SQLite's statistics would say that the index finds everybody, and the
        # policies' look at the reader's organizations would walk through the table.
        Index(
            "uq_holders_organization_id",
            "organization_id",
            unique=True,
            postgresql_where=_IS_OF_ORGANIZATION,
            sqlite_where=_IS_OF_ORGANIZATION,
        ),
        Index("ix_holders_plan", "plan"),
        Index("ix_holders_plan_after", "plan_after"),
        Index("ix_holders_granted_plan", "granted_plan"),
        Index("ix_holders_plan_until", "plan_until"),
        Index("ix_holders_owner_id_workspace_id", "owner_id", "workspace_id"),
    )


def plan_now(holders: Any = Holders) -> ColumnElement[Any]:
    """The plan in force by the database's time, of each of the `Holders` that are selected from. Nobody reads `plan`.

    Label it where it is a column of an answer. Behind a lock it is the plan of when the statement began. `holders`: an
    alias of the table, where it is joined twice.
    """
    is_over = holders.plan_until <= now()
    # Nearly nobody's plan has an end: then SQLite, whose clock is a function of ours, is not asked for the time.
    return case((holders.plan_until.is_(None), holders.plan), (is_over, holders.plan_after), else_=holders.plan)


def held_columns(holders: Any = Holders) -> tuple[Any, ...]:
    """The columns that a request's `Holder` is made of, of each of the `Holders` selected from, or of an alias."""
    return (
        holders.id, holders.kind, plan_now(holders).label("plan"), holders.revision, holders.period_start,
        holders.period_end,
    )  # fmt: skip


def on_plan(name: Any) -> ColumnElement[bool]:
    """Whether that is the plan in force of each of the `Holders` selected from; their indexes serve it."""
    return and_(or_(Holders.plan == name, Holders.plan_after == name), plan_now() == name)


def of_my_holders(column: str = "holder_id") -> Predicate:
    """The rows whose holder is mine, for the policies of what holders own."""

    def predicate(row: Any) -> Any:
        return row[column].in_(select(Holders.id).where(_mine(Holders.__table__.c)))

    return predicate
