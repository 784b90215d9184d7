"""What a POST that creates was asked with a key, and its answer."""

from sqlalchemy import CheckConstraint, Index, UniqueConstraint

from ..database.tables import Base, Touched, column, id_column, length_between, one_of
from ..database.types import Bytes, Id, UtcDateTime, Words
from ..policies import Policy, Rights, own


class IdempotencyKeys(Touched, Base):
    """One key of one actor. Who asked first holds it by `lease`; the answer is sealed, and the key kept as a hash.

    A person's own unit may settle the person's own key and nothing else: that is how an answer is stored by the very
    transaction that did the work. `actor_id` is a user, or the holder of an API key.
    """

    __tablename__ = "idempotency_keys"
    __policy__ = Policy(
        authenticated=Rights(
            read=own("actor_id"),
            read_columns=("id", "actor_id", "lease", "status", "answer"),
            update=own("actor_id"),
            update_columns=("status", "answer"),
        )
    )

    id = id_column()
    actor_kind = column(Words())
    actor_id = column(Id())
    key_hash = column(Bytes())
    route = column(Words())
    request_hash = column(Bytes())
    status = column(Words(), server_default="in_progress")
    lease = column(Id())
    leased_until = column(UtcDateTime())
    answer = column(Words(), nullable=True)
    ends_at = column(UtcDateTime())

    __table_args__ = (
        UniqueConstraint("actor_kind", "actor_id", "key_hash"),
        one_of("actor_kind", "user", "holder"),
        one_of("status", "in_progress", "done"),
        length_between("key_hash", 32, 32),
        length_between("request_hash", 32, 32),
        length_between("route", 1, 1000),
        CheckConstraint("(status = 'done') = (answer IS NOT NULL)", name="answered_when_done"),
        Index("ix_idempotency_keys_ends_at", "ends_at"),
    )
