"""What was told, for the other processes on an SQLite file to read."""

from sqlalchemy import Identity, Index

from ..database.tables import Base, Created, column, length_between
from ..database.types import Id, Whole, Words
from ..policies import Policy

TOPIC_LENGTH_MAX = 40


class StoredNotices(Created, Base):
    """One notice. Written on SQLite only: PostgreSQL's NOTIFY carries it without a row.

    The file has one writer and the newest row is kept: so the ids have no gaps but before the first, and whoever finds
    one knows that it missed something. Only the service login sees it.
    """

    __tablename__ = "notices"
    __policy__ = Policy()

    id = column(Whole(), Identity(), primary_key=True)
    topic = column(Words())
    subject_id = column(Id())

    __table_args__ = (length_between("topic", 1, TOPIC_LENGTH_MAX), Index("ix_notices_created_at", "created_at"))
