"""Users, what they sign in with, their sessions, and what is mailed to them to prove something."""

from typing import Any

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint, case

from tenantry.kernel.database import Base, Created, Touched, column, id_column, length_between, one_of
from tenantry.kernel.database.types import Bytes, Flag, Id, Json, UtcDateTime, Whole, Words
from tenantry.kernel.policies import Policy, Rights, own
from tenantry.kernel.sql import folded, now

from .names import NAME_CHARACTERS_MAX


class Users(Touched, Base):
    """A person. The address is unique without regard to case; only the verified flow changes it.

    A ban ends by itself at `ban_ends_at`; without one it holds until it is lifted. `role` is what the person is beside
    that: read it through `role_now()`. Billing moves it between USER and PREMIUM, of which PREMIUM is over at
    `role_until`, and writes `membership_status`; only an operator makes an ADMIN.
    """

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
    banned_at = column(UtcDateTime(), nullable=True)
    ban_ends_at = column(UtcDateTime(), nullable=True)
    ban_reason = column(Words(), nullable=True)
    deleted_at = column(UtcDateTime(), nullable=True)
    role = column(Words(), server_default="USER")
    role_until = column(UtcDateTime(), nullable=True)
    membership_status = column(Words(), server_default="ACTIVE")

    __table_args__ = (
        length_between("email", 3, 255),
        length_between("ban_reason", 1, 500),
        CheckConstraint("ban_ends_at IS NULL OR banned_at IS NOT NULL", name="ban_begins"),
        CheckConstraint("email LIKE '%_@_%'", name="email_shaped"),
        length_between("name", 1, NAME_CHARACTERS_MAX),
        length_between("company", 1, 255),
        length_between("image", 1, 2000),
        one_of("role", "USER", "PREMIUM", "ADMIN"),
        one_of("membership_status", "ACTIVE", "INACTIVE", "CANCELED", "PAST_DUE"),
        CheckConstraint("role_until IS NULL OR role = 'PREMIUM'", name="role_until_premium"),
        Index("ix_users_role_id", "role", "id"),
        Index("ix_users_created_at", "created_at"),
    )


_was_banned = Users.__table__.c.banned_at.is_not(None)
Index("uq_users_email", folded(Users.__table__.c.email), unique=True)
Index("ix_users_banned", Users.__table__.c.id, postgresql_where=_was_banned, sqlite_where=_was_banned)


def is_banned_now(users: Any = Users) -> ColumnElement[bool]:
    """Whether a ban is in force by the database's time, of each of the `Users` selected from. `users`: an alias."""
    found: ColumnElement[bool]
    found = users.banned_at.is_not(None) & (users.ban_ends_at.is_(None) | (users.ban_ends_at > now()))
    return found


def role_now(users: Any = Users) -> ColumnElement[Any]:
    """The role in force by the database's time, of each of the `Users` selected from: USER, PREMIUM, ADMIN or BANNED.

    Nobody reads `role` by itself but who says why (`queries/live.py`). Label it where it is a column of an answer.
    `users`: an alias of the table.
    """
    return case((is_banned_now(users), "BANNED"), (users.role_until <= now(), "USER"), else_=users.role)


class Accounts(Touched, Base):
    """A way a user signs in: the provider's own id for them, never their address.

    The provider's tokens are sealed (`Vault`, purpose "provider-token", context the row's id) and read by the service
    login only. `refreshing_until` is the lease of who asks for new ones: a refresh token may work once only.
    """

    __tablename__ = "accounts"
    __policy__ = Policy(
        authenticated=Rights(
            read=own(),
            read_columns=(
                "id", "user_id", "type", "provider", "issuer", "provider_account_id", "email", "scope",
                "last_used_at", "created_at", "updated_at",
            ),
        )
    )  # fmt: skip

    id = id_column()
    user_id = column(Id(), ForeignKey("users.id", ondelete="CASCADE"))
    type = column(Words())
    provider = column(Words())
    issuer = column(Words())
    provider_account_id = column(Words())
    email = column(Words(), nullable=True)
    scope = column(Words(), nullable=True)
    token_type = column(Words(), nullable=True)
    access_token = column(Words(), nullable=True)
    access_token_expires_at = column(UtcDateTime(), nullable=True)
    refresh_token = column(Words(), nullable=True)
    id_token = column(Words(), nullable=True)
    session_state = column(Words(), nullable=True)
    refreshing_until = column(UtcDateTime(), nullable=True)
    last_used_at = column(UtcDateTime(), nullable=True)

    __table_args__ = (
        one_of("type", "oauth", "oidc"),
        length_between("provider", 1, 50),
        length_between("issuer", 1, 500),
        length_between("provider_account_id", 1, 255),
        UniqueConstraint("provider", "provider_account_id"),
        UniqueConstraint("user_id", "id"),
    )


class Sessions(Created, Base):
    """A signed-in browser. The token is kept as a SHA-256 hash; nobody but the service login reads even that.

    `method` is how it began (a provider's name, `password`, `link`, `passkey`); `authenticated_at` when its person last
    proved who they are, which dangerous actions ask for.

    `impersonator_id`: the operator who looks through the person's eyes in it, for a `reason` that the person reads;
    `may_write` is whether they may also do something. It counts while `impersonator_session_id`, the operator's own
    session, is live and they are an ADMIN. Ended, it stays until it is forgotten, so that its person sees it.
    """

    __tablename__ = "sessions"
    __policy__ = Policy(
        authenticated=Rights(
            read=own(),
            read_columns=(
                "id", "user_id", "account_id", "method", "expires_at", "authenticated_at", "last_seen_at", "address",
                "user_agent", "created_at", "impersonator_id", "reason",
            ),
        )
    )  # fmt: skip

    id = id_column()
    user_id = column(Id(), ForeignKey("users.id", ondelete="CASCADE"))
    account_id = column(Id(), nullable=True)
    method = column(Words())
    token_hash = column(Bytes(), unique=True)
    expires_at = column(UtcDateTime())
    authenticated_at = column(UtcDateTime(), server_default=now())
    last_seen_at = column(UtcDateTime(), nullable=True)
    address = column(Words(), nullable=True)
    user_agent = column(Words(), nullable=True)
    impersonator_id = column(Id(), ForeignKey("users.id", ondelete="CASCADE"), nullable=True)
    impersonator_session_id = column(Id(), ForeignKey("sessions.id", ondelete="SET NULL"), nullable=True)
    reason = column(Words(), nullable=True)
    may_write = column(Flag(), server_default="1")

    __table_args__ = (
        CheckConstraint("length(token_hash) = 32", name="token_hash_length"),
        CheckConstraint("(impersonator_id IS NULL) = (reason IS NULL)", name="impersonation_reasoned"),
        length_between("reason", 1, 500),
        CheckConstraint("impersonator_session_id IS NULL OR impersonator_id IS NOT NULL", name="impersonated"),
        Index("ix_sessions_impersonator_id", "impersonator_id"),
        Index("ix_sessions_impersonator_session_id", "impersonator_session_id"),
        CheckConstraint("expires_at > created_at", name="expires_later"),
        length_between("user_agent", 0, 500),
        length_between("method", 1, 50),
        # Both columns: a session never belongs to one user and to another one's account.
        ForeignKeyConstraint(["user_id", "account_id"], ["accounts.user_id", "accounts.id"], ondelete="CASCADE"),
        Index("ix_sessions_user_id_account_id", "user_id", "account_id"),
        UniqueConstraint("user_id", "id"),
        Index("ix_sessions_expires_at", "expires_at"),
    )


class Passwords(Touched, Base):
    """A user's password as a slow hash; no row, no password. Only the service login sees it."""

    __tablename__ = "passwords"
    __policy__ = Policy()

    user_id = column(Id(), ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    hash = column(Words())

    __table_args__ = (length_between("hash", 1, 500),)


class VerificationTokens(Created, Base):
    """Something mailed or handed out once to prove one thing: used by deleting the row.

    `token_hash` is the SHA-256 of a link's token; `code_hash` an HMAC of the short code beside it, which counts
    together with the row's id only. `identifier` is the address, or the id, that it speaks of.
    """

    __tablename__ = "verification_tokens"
    __policy__ = Policy()

    id = id_column()
    purpose = column(Words())
    identifier = column(Words())
    user_id = column(Id(), ForeignKey("users.id", ondelete="CASCADE"), nullable=True)
    token_hash = column(Bytes(), unique=True)
    code_hash = column(Bytes(), nullable=True)
    detail = column(Json())
    expires_at = column(UtcDateTime())

    __table_args__ = (
        one_of(
            "purpose",
            "sign-up", "sign-in", "reset", "change-address", "approve-address", "second-factor", "link", "passkey",
            "confirm",
        ),
        length_between("identifier", 1, 320),
        CheckConstraint("length(token_hash) = 32", name="token_hash_length"),
        CheckConstraint("code_hash IS NULL OR length(code_hash) = 32", name="code_hash_length"),
        UniqueConstraint("identifier", "token_hash"),
        Index("ix_verification_tokens_user_id_purpose", "user_id", "purpose"),
        Index("ix_verification_tokens_expires_at", "expires_at"),
    )  # fmt: skip


class AddressChanges(Created, Base):
    """A change of address under way: it happens when the new address and the old one have both agreed."""

    __tablename__ = "address_changes"
    __policy__ = Policy(authenticated=Rights(read=own(), delete=own()))

    user_id = column(Id(), ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    id = column(Id(), unique=True)
    email = column(Words())
    confirmed_at = column(UtcDateTime(), nullable=True)
    approved_at = column(UtcDateTime(), nullable=True)
    expires_at = column(UtcDateTime())

    __table_args__ = (length_between("email", 3, 255), Index("ix_address_changes_expires_at", "expires_at"))


class TotpSecrets(Created, Base):
    """The secret an authenticator app shares (RFC 6238), sealed (purpose "totp", context the user's id).

    `secret` counts; `next_secret` is being set up, and takes its place with the first right code. `last_step` is the
    last time step that was used, so that no code works twice.
    """

    __tablename__ = "totp_secrets"
    __policy__ = Policy(authenticated=Rights(read=own(), read_columns=("user_id", "confirmed_at", "created_at")))

    user_id = column(Id(), ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    secret = column(Words(), nullable=True)
    next_secret = column(Words(), nullable=True)
    confirmed_at = column(UtcDateTime(), nullable=True)
    last_step = column(Whole(), server_default="0")

    __table_args__ = (CheckConstraint("(secret IS NULL) = (confirmed_at IS NULL)", name="secret_confirmed"),)


class RecoveryCodes(Created, Base):
    """A code that stands in for a lost second factor, once. Kept as an HMAC."""

    __tablename__ = "recovery_codes"
    __policy__ = Policy(authenticated=Rights(read=own(), read_columns=("id", "user_id", "used_at", "created_at")))

    id = id_column()
    user_id = column(Id(), ForeignKey("users.id", ondelete="CASCADE"))
    code_hash = column(Bytes())
    used_at = column(UtcDateTime(), nullable=True)

    __table_args__ = (
        CheckConstraint("length(code_hash) = 32", name="code_hash_length"),
        UniqueConstraint("user_id", "code_hash"),
    )


class Passkeys(Touched, Base):
    """A WebAuthn credential. The public key is no secret; the private one never leaves its device."""

    __tablename__ = "passkeys"
    __policy__ = Policy(authenticated=Rights(read=own(), update=own(), update_columns=("name",)))

    id = id_column()
    user_id = column(Id(), ForeignKey("users.id", ondelete="CASCADE"))
    name = column(Words())
    credential_id = column(Bytes(), unique=True)
    public_key = column(Bytes())
    sign_count = column(Whole(), server_default="0")
    transports = column(Json())
    aaguid = column(Words(), nullable=True)
    backed_up = column(Flag())
    last_used_at = column(UtcDateTime(), nullable=True)

    __table_args__ = (
        length_between("name", 1, 100),
        CheckConstraint("length(credential_id) BETWEEN 1 AND 1023", name="credential_id_length"),
        UniqueConstraint("user_id", "id"),
    )
