"""What operators see of jobs: how they stand, and each one by itself. Every function takes an open service unit."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import and_, case, func, select

from ..database.statements import param, statement
from ..database.types import Id
from ..database.units import Unit
from ..listing import Listing
from ..sql import any_of, now
from .models import Jobs
from .queries import JobCount, counts, replay

STATUSES = ("queued", "running", "done", "dead")


class ListedJob(msgspec.Struct, frozen=True):
    """A job, without what it was given."""

    id: UUID
    name: str
    actor_id: UUID | None
    status: str
    run_at: datetime
    attempts: int
    attempts_max: int
    last_error: str | None
    created_at: datetime
    finished_at: datetime | None


class SeenJob(msgspec.Struct, frozen=True):
    """A job with what it was given, which may hold secrets and addresses."""

    job: ListedJob
    payload: dict[str, Any]


class Queue(msgspec.Struct, frozen=True):
    """How many jobs are due now, and since when the one that has waited longest."""

    due: int
    due_since: datetime | None


class Attempted(msgspec.Struct, frozen=True):
    """How often a job was tried, and why it failed the last time."""

    once_key: str
    status: str
    attempts: int
    last_error: str | None


_COLUMNS = [Jobs.__table__.c[name] for name in ListedJob.__struct_fields__]
_is_due = and_(Jobs.status == "queued", Jobs.run_at <= now())

JOBS = Listing(
    select(*_COLUMNS),
    ListedJob,
    id=Jobs.id,
    filters={"status": Jobs.status == param("status"), "name": Jobs.name == param("name")},
)
"""Jobs by `status` and `name`."""

_one = statement(
    select(*_COLUMNS, Jobs.payload).where(Jobs.id == param("job", Id())),
    lambda *values: SeenJob(ListedJob(*values[:-1]), values[-1]),
)
_queue = statement(
    select(func.count().label("due"), func.min(case((_is_due, Jobs.run_at))).label("due_since")).where(_is_due), Queue
)
_attempted = statement(
    select(Jobs.once_key, Jobs.status, Jobs.attempts, Jobs.last_error).where(any_of(Jobs.once_key, "keys")), Attempted
)


async def one(db: Unit, job: UUID) -> SeenJob | None:
    """One job; None when there is none of that id."""
    return await db.one_or_none(_one, job=job)


async def queue(db: Unit) -> Queue:
    """What waits to be run."""
    return await db.one(_queue)


async def attempted(db: Unit, keys: list[str]) -> dict[str, Attempted]:
    """The jobs of these `once_key`s that are still there."""
    return {found.once_key: found for found in await db.rows(_attempted, keys=keys)}


__all__ = [
    "JOBS",
    "STATUSES",
    "Attempted",
    "JobCount",
    "ListedJob",
    "Queue",
    "SeenJob",
    "attempted",
    "counts",
    "one",
    "queue",
    "replay",
]
