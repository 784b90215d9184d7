"""Users, the accounts they sign in with, and their sessions."""

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint

from tenantry.kernel.database import Base, Created, Touched, column, id_column, length_between
from tenantry.kernel.database.types import Bytes, Id, UtcDateTime, Words
from tenantry.kernel.policies import Policy, Rights, own
from tenantry.kernel.sql import folded

from .names import NAME_CHARACTERS_MAX


class Users(Touched, Base):
    """A person. The address is unique without regard to case; only the verified flow changes it."""

    __tablename__ = "users"
    __policy__ = Policy(
        authenticated=Rights(read=own("id"), update=own("id"), update_columns=("name", "image", "company"))
    )

    id = id_column()
    email = column(Words())
    email_verified_at = column(UtcDateTime(), nullable=True)
    name = column(Words(), nullable=True)
    image = column(Words(), nullable=True)
    company = column(Words(), nullable=True)
    deleted_at = column(UtcDateTime(), nullable=True)

    __table_args__ = (
        length_between("email", 3, 255),
        CheckConstraint("email LIKE '%_@_%'", name="email_shaped"),
        length_between("name", 1, NAME_CHARACTERS_MAX),
        length_between("company", 1, 255),
        length_between("image", 1, 2000),
    )


Index("uq_users_email", folded(Users.__table__.c.email), unique=True)


class Accounts(Touched, Base):
    """A way a user signs in: the provider's own id for them, never their address."""

    __tablename__ = "accounts"
    __policy__ = Policy(authenticated=Rights(read=own()))

    id = id_column()
    user_id = column(Id(), ForeignKey("users.id", ondelete="CASCADE"))
    provider = column(Words())
    issuer = column(Words())
    provider_account_id = column(Words())
    email = column(Words(), nullable=True)
    last_used_at = column(UtcDateTime(), nullable=True)

    __table_args__ = (
        length_between("provider", 1, 50),
        length_between("issuer", 1, 500),
        length_between("provider_account_id", 1, 255),
        UniqueConstraint("provider", "provider_account_id"),
        UniqueConstraint("user_id", "id"),
    )


class Sessions(Created, Base):
    """A signed-in browser. The token is kept as a SHA-256 hash; nobody but the service login reads even that."""

    __tablename__ = "sessions"
    __policy__ = Policy(
        authenticated=Rights(
            read=own(),
            read_columns=(
                "id", "user_id", "account_id", "expires_at", "last_seen_at", "address", "user_agent", "created_at",
            ),
            delete=own(),
        )
    )  # fmt: skip

    id = id_column()
    user_id = column(Id(), ForeignKey("users.id", ondelete="CASCADE"))
    account_id = column(Id(), nullable=True)
    token_hash = column(Bytes(), unique=True)
    expires_at = column(UtcDateTime())
    last_seen_at = column(UtcDateTime(), nullable=True)
    address = column(Words(), nullable=True)
    user_agent = column(Words(), nullable=True)

    __table_args__ = (
        CheckConstraint("length(token_hash) = 32", name="token_hash_length"),
        CheckConstraint("expires_at > created_at", name="expires_later"),
        length_between("user_agent", 0, 500),
        # Both columns: a session never belongs to one user and to another one's account.
        ForeignKeyConstraint(["user_id", "account_id"], ["accounts.user_id", "accounts.id"], ondelete="CASCADE"),
        Index("ix_sessions_user_id_account_id", "user_id", "account_id"),
        UniqueConstraint("user_id", "id"),
        Index("ix_sessions_expires_at", "expires_at"),
    )
