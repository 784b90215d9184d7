"""Organizations, who belongs to them in which role, who is invited, and which one a session works for."""

from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    UniqueConstraint,
    literal_column,
    or_,
)

from tenantry.kernel.database import Base, Created, Touched, column, id_column, length_between, one_of
from tenantry.kernel.database.types import Bytes, Id, UtcDateTime, Words
from tenantry.kernel.policies import Policy, Rights, of_my_organizations, own
from tenantry.kernel.sql import folded, now

NAME_CHARACTERS_MAX = 100
_IS_OWNER: ColumnElement[bool] = literal_column("role = 'owner'")
_IS_PENDING: ColumnElement[bool] = literal_column("status = 'pending'")


def _mine(row: Any) -> ColumnElement[bool]:
    return or_(own()(row), of_my_organizations()(row))


class Organizations(Touched, Base):
    """People who belong together. It has one owner, always: the owner's membership is referenced, with its role.

    That reference is looked at when the transaction ends, so that an organization and its owner can be made together,
    and be handed over. Where the owner's membership goes, the organization goes: nobody leaves it without an owner.
    """

    __tablename__ = "organizations"
    __policy__ = Policy(authenticated=Rights(read=of_my_organizations("id")))

    id = id_column()
    name = column(Words())
    owner_id = column(Id())
    owner_role = column(Words(), server_default="owner")

    __table_args__ = (
        length_between("name", 1, NAME_CHARACTERS_MAX),
        one_of("owner_role", "owner"),
        ForeignKeyConstraint(
            ["id", "owner_id", "owner_role"],
            ["memberships.organization_id", "memberships.user_id", "memberships.role"],
            name="fk_organizations_owner",
            ondelete="CASCADE",
            deferrable=True,
            initially="DEFERRED",
            use_alter=True,
        ),
        Index("ix_organizations_owner_id_id_owner_role", "owner_id", "id", "owner_role"),
    )


class Memberships(Touched, Base):
    """A person in an organization. `chosen_at`: when it was chosen last, in any session; a new session begins there."""

    __tablename__ = "memberships"
    __policy__ = Policy(authenticated=Rights(read=_mine))

    organization_id = column(Id(), ForeignKey("organizations.id", ondelete="CASCADE"), primary_key=True)
    user_id = column(Id(), ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    role = column(Words())
    chosen_at = column(UtcDateTime(), server_default=now())

    __table_args__ = (
        one_of("role", "owner", "admin", "member"),
        UniqueConstraint("organization_id", "user_id", "role"),
        Index("ix_memberships_user_id", "user_id"),
        Index(
            "uq_memberships_owner",
            "organization_id",
            unique=True,
            postgresql_where=_IS_OWNER,
            sqlite_where=_IS_OWNER,
        ),
    )


class CurrentOrganizations(Created, Base):
    """The organization that a session works for, where its person has chosen one in it. It goes with the membership."""

    __tablename__ = "current_organizations"
    __policy__ = Policy(authenticated=Rights(read=own()))

    session_id = column(Id(), primary_key=True)
    user_id = column(Id())
    organization_id = column(Id())

    __table_args__ = (
        ForeignKeyConstraint(["user_id", "session_id"], ["sessions.user_id", "sessions.id"], ondelete="CASCADE"),
        ForeignKeyConstraint(
            ["organization_id", "user_id"], ["memberships.organization_id", "memberships.user_id"], ondelete="CASCADE"
        ),
        Index("ix_current_organizations_user_id_session_id", "user_id", "session_id"),
        Index("ix_current_organizations_organization_id_user_id", "organization_id", "user_id"),
    )


class Invitations(Created, Base):
    """Somebody is asked to join: only who has proven that address may accept. The token is kept as a SHA-256 hash.

    Whether one has expired is computed. `decided_at`: when it was accepted, declined or revoked.
    """

    __tablename__ = "invitations"
    __policy__ = Policy(
        authenticated=Rights(
            read=of_my_organizations(),
            read_columns=(
                "id", "organization_id", "email", "role", "invited_by", "status", "expires_at", "sent_at", "decided_at",
                "created_at",
            ),
        )
    )  # fmt: skip

    id = id_column()
    organization_id = column(Id(), ForeignKey("organizations.id", ondelete="CASCADE"))
    email = column(Words())
    role = column(Words())
    token_hash = column(Bytes(), unique=True)
    invited_by = column(Id(), ForeignKey("users.id", ondelete="SET NULL"), nullable=True)
    status = column(Words(), server_default="pending")
    sent_at = column(UtcDateTime(), server_default=now())
    expires_at = column(UtcDateTime())
    decided_at = column(UtcDateTime(), nullable=True)

    __table_args__ = (
        one_of("role", "admin", "member"),
        one_of("status", "pending", "accepted", "declined", "revoked"),
        length_between("email", 3, 255),
        CheckConstraint("length(token_hash) = 32", name="token_hash_length"),
        CheckConstraint("(status = 'pending') = (decided_at IS NULL)", name="decision_stamped"),
        UniqueConstraint("organization_id", "id"),
        Index("ix_invitations_invited_by", "invited_by"),
        Index("ix_invitations_expires_at", "expires_at"),
    )


Index(
    "uq_invitations_pending",
    Invitations.__table__.c.organization_id,
    folded(Invitations.__table__.c.email),
    unique=True,
    postgresql_where=_IS_PENDING,
    sqlite_where=_IS_PENDING,
)
Index("ix_invitations_email", folded(Invitations.__table__.c.email))
