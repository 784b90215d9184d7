"""Outgoing mail as rows, written in the transaction that wants it sent."""

from sqlalchemy import Index

from ..database.tables import Base, Touched, column, id_column, length_between, one_of
from ..database.types import Id, UtcDateTime, Words
from ..policies import Policy, Rights, own
from ..sql import folded


class Mails(Touched, Base):
    """One mail, what it says sealed. In development it stays readable here instead of being sent."""

    __tablename__ = "mails"
    __policy__ = Policy(
        authenticated=Rights(
            insert=own("actor_id"), insert_columns=("id", "actor_id", "recipient", "subject", "text", "html")
        )
    )

    id = id_column()
    actor_id = column(Id(), nullable=True)
    recipient = column(Words())
    subject = column(Words())
    text = column(Words())
    html = column(Words(), nullable=True)
    status = column(Words(), server_default="queued")
    sent_at = column(UtcDateTime(), nullable=True)

    __table_args__ = (
        one_of("status", "queued", "sent", "kept"),
        length_between("recipient", 3, 320),
        length_between("subject", 1, 300),
        Index("ix_mails_status_id", "status", "id"),
        Index("ix_mails_sent_at", "sent_at"),
    )


Index("ix_mails_recipient_id", folded(Mails.__table__.c.recipient), Mails.__table__.c.id)
