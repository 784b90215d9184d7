"""Background work as rows, written in the transaction that wants it done."""

from sqlalchemy import CheckConstraint, Index

from ..database.tables import Base, Touched, column, id_column, length_between, one_of
from ..database.types import Id, Json, UtcDateTime, Whole, Words
from ..policies import Policy, Rights, own
from ..sql import now


class Jobs(Touched, Base):
    """One piece of work. A worker holds it by `lease` until `leased_until`; whoever dies loses it to the next."""

    __tablename__ = "jobs"
    __policy__ = Policy(
        authenticated=Rights(
            insert=own("actor_id"), insert_columns=("id", "name", "payload", "actor_id", "attempts_max", "once_key")
        )
    )

    id = id_column()
    name = column(Words())
    payload = column(Json())
    actor_id = column(Id(), nullable=True)
    status = column(Words(), server_default="queued")
    run_at = column(UtcDateTime(), server_default=now())
    attempts = column(Whole(), server_default="0")
    attempts_max = column(Whole())
    lease = column(Id(), nullable=True)
    leased_until = column(UtcDateTime(), nullable=True)
    last_error = column(Words(), nullable=True)
    finished_at = column(UtcDateTime(), nullable=True)
    once_key = column(Words(), nullable=True, unique=True)

    __table_args__ = (
        one_of("status", "queued", "running", "done", "dead"),
        length_between("name", 1, 100),
        CheckConstraint("attempts >= 0 AND attempts_max > 0", name="attempts_counted"),
        Index("ix_jobs_status_run_at", "status", "run_at"),
        Index("ix_jobs_status_id", "status", "id"),
        Index("ix_jobs_name_id", "name", "id"),
        Index("ix_jobs_finished_at", "finished_at"),
    )
