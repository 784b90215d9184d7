"""What holders were granted, what became of it, and what is set aside for work under way."""

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    UniqueConstraint,
    literal_column,
)

from tenantry.holders import of_my_holders
from tenantry.kernel.database import Base, Created, Touched, column, id_column, length_between, one_of
from tenantry.kernel.database.types import Id, Json, UtcDateTime, Whole, Words
from tenantry.kernel.policies import Policy, Rights, anyone

REASONS = ("payment", "period", "admin", "gift", "other")
KINDS = ("grant", "spend", "expire", "revoke", "set")
_IS_LEFT: ColumnElement[bool] = literal_column("remaining > 0")
_ACCOUNT = "credit_accounts.holder_id"


class CreditAccounts(Created, Base):
    """Whoever has locked this row changes the holder's credits; nobody else does.

    Grants and entries reference it, not the holder: whoever has locked a holder may then wait for an account, and
    nobody who has locked an account ever waits for its holder.
    """

    __tablename__ = "credit_accounts"
    __policy__ = Policy(authenticated=Rights(read=of_my_holders()))

    holder_id = column(Id(), ForeignKey("holders.id", ondelete="CASCADE"), primary_key=True)


class CreditGrants(Touched, Base):
    """Units that a holder was given for a `fact`, once: a payment, a period, an operator's word.

    `series`: what the grants of one subscription have in common; with a new one the older ones end. `revoked`: how many
    were asked back, whether or not so many were left.
    """

    __tablename__ = "credit_grants"
    __policy__ = Policy(authenticated=Rights(read=of_my_holders()))

    id = id_column()
    holder_id = column(Id(), ForeignKey(_ACCOUNT, ondelete="CASCADE"))
    fact = column(Words())
    series = column(Words(), nullable=True)
    reason = column(Words())
    amount = column(Whole())
    remaining = column(Whole())
    revoked = column(Whole(), server_default="0")
    expires_at = column(UtcDateTime(), nullable=True)
    detail = column(Json())

    __table_args__ = (
        UniqueConstraint("holder_id", "id"),
        UniqueConstraint("holder_id", "fact"),
        one_of("reason", *REASONS),
        length_between("fact", 1, 700),
        CheckConstraint("amount > 0", name="amount_counted"),
        CheckConstraint("remaining BETWEEN 0 AND amount", name="remaining_within"),
        CheckConstraint("revoked BETWEEN 0 AND amount", name="revoked_within"),
        Index("ix_credit_grants_holder_id_remaining", "holder_id", "remaining"),
        Index("ix_credit_grants_holder_id_series", "holder_id", "series"),
        # Of all holders': what is due to expire.
        Index(
            "ix_credit_grants_due",
            "expires_at",
            postgresql_where=_IS_LEFT,
            sqlite_where=_IS_LEFT,
        ),
    )


class CreditEntries(Created, Base):
    """The ledger: each change of a holder's credits, numbered from 1. Their sum is the balance after the last one.

    `reference` is the caller's own word for what was paid with it, and the same is paid once. `parts` says how much of
    which grant it was.
    """

    __tablename__ = "credit_entries"
    # Only ever added, by everybody; they go with their account, so a trigger cannot refuse the rest.
    __policy__ = Policy(authenticated=Rights(read=of_my_holders()), service=Rights(read=anyone, insert=anyone))

    holder_id = column(Id(), ForeignKey(_ACCOUNT, ondelete="CASCADE"), primary_key=True)
    number = column(Whole(), primary_key=True)
    kind = column(Words())
    amount = column(Whole())
    balance_after = column(Whole())
    grant_id = column(Id(), nullable=True)
    reference = column(Words(), nullable=True)
    label = column(Words(), nullable=True)
    parts = column(Json())

    __table_args__ = (
        # The grants of one holder and the entries about them: nothing links across.
        ForeignKeyConstraint(
            ["holder_id", "grant_id"], ["credit_grants.holder_id", "credit_grants.id"], ondelete="CASCADE"
        ),
        UniqueConstraint("holder_id", "reference"),
        one_of("kind", *KINDS),
        length_between("reference", 1, 200),
        length_between("label", 1, 200),
        CheckConstraint("number > 0", name="number_counted"),
        CheckConstraint("balance_after >= 0", name="balance_after_counted"),
        CheckConstraint("(kind = 'grant' AND amount > 0) OR (kind <> 'grant' AND amount < 0)", name="amount_signed"),
        Index("ix_credit_entries_holder_id_grant_id", "holder_id", "grant_id"),
    )


class CreditReservations(Touched, Base):
    """Units set aside for work whose cost is known afterwards. They are no entry before they are settled.

    `used` is what the work was said to cost, `settled` what of it was there to be taken.
    """

    __tablename__ = "credit_reservations"
    __policy__ = Policy(authenticated=Rights(read=of_my_holders()))

    id = id_column()
    holder_id = column(Id(), ForeignKey(_ACCOUNT, ondelete="CASCADE"))
    amount = column(Whole())
    used = column(Whole(), nullable=True)
    settled = column(Whole(), nullable=True)
    status = column(Words(), server_default="held")
    label = column(Words(), nullable=True)
    expires_at = column(UtcDateTime())

    __table_args__ = (
        UniqueConstraint("holder_id", "id"),
        one_of("status", "held", "settled", "released", "expired"),
        length_between("label", 1, 200),
        CheckConstraint("amount > 0", name="amount_counted"),
        CheckConstraint("settled BETWEEN 0 AND used", name="settled_within"),
        CheckConstraint("(status = 'settled') = (settled IS NOT NULL)", name="settled_known"),
        CheckConstraint("(used IS NULL) = (settled IS NULL)", name="used_known"),
        Index("ix_credit_reservations_holder_id_status", "holder_id", "status"),
        Index("ix_credit_reservations_status_expires_at", "status", "expires_at"),
    )
