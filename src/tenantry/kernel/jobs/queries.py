"""All SQL of jobs."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import and_, case, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from ..database.statements import param, statement
from ..database.types import Whole, Words
from ..database.units import Unit
from ..retention import expired
from ..sql import now, plus
from .models import Jobs


class Claimed(msgspec.Struct, frozen=True):
    """A job this worker holds."""

    id: UUID
    name: str
    payload: dict[str, Any]
    actor_id: UUID | None
    attempts: int
    attempts_max: int
    status: str


class JobCount(msgspec.Struct, frozen=True):
    """How many jobs stand at a status."""

    status: str
    count: int


class DeadJob(msgspec.Struct, frozen=True):
    """A job that used up its attempts, and why its last one failed."""

    id: UUID
    name: str
    attempts: int
    last_error: str | None
    finished_at: datetime | None


_add = statement(
    insert(Jobs)
    .values(
        id=param("id"),
        name=param("name"),
        payload=param("payload"),
        actor_id=param("actor_id"),
        attempts_max=param("attempts_max"),
        once_key=param("once_key"),
    )
    # No key is named: PostgreSQL would want the right to read it, which who writes a job has not.
    .on_conflict_do_nothing()
)

_due = (
    select(Jobs.id)
    .where(
        Jobs.run_at <= now(),
        or_(Jobs.status == "queued", and_(Jobs.status == "running", Jobs.leased_until < now())),
    )
    .order_by(Jobs.run_at)
    .limit(param("limit", Whole()))
    .with_for_update(skip_locked=True)
    # Apart, so that it runs once: inside IN, PostgreSQL may run it again and lock more rows than the limit.
    .cte("due")
)
# Its last worker died of it, or with it, and there is no attempt left.
_spent = and_(Jobs.status == "running", Jobs.attempts >= Jobs.attempts_max)

_claim = statement(
    update(Jobs)
    .where(Jobs.id.in_(select(_due.c.id)))
    .values(
        status=case((_spent, "dead"), else_="running"),
        attempts=case((_spent, Jobs.attempts), else_=Jobs.attempts + 1),
        lease=param("lease"),
        leased_until=plus(now(), param("seconds", Whole())),
        finished_at=case((_spent, now()), else_=None),
        last_error=case((_spent, "its worker ended in the middle of it"), else_=Jobs.last_error),
    )
    .returning(Jobs.id, Jobs.name, Jobs.payload, Jobs.actor_id, Jobs.attempts, Jobs.attempts_max, Jobs.status),
    Claimed,
)

_held = and_(Jobs.id == param("id"), Jobs.lease == param("held_by"), Jobs.status == "running")

_finish = statement(
    update(Jobs).where(_held).values(status="done", finished_at=now(), lease=None, leased_until=None, last_error=None)
)

_fail = statement(
    update(Jobs)
    .where(_held)
    .values(
        status=case((Jobs.attempts >= Jobs.attempts_max, "dead"), else_="queued"),
        finished_at=case((Jobs.attempts >= Jobs.attempts_max, now()), else_=None),
        run_at=plus(now(), param("delay", Whole())),
        lease=None,
        leased_until=None,
        last_error=param("error", Words()),
    )
)

_hand_back = statement(
    update(Jobs)
    .where(_held)
    .values(status="queued", attempts=Jobs.attempts - 1, run_at=now(), lease=None, leased_until=None)
)

_renew = statement(update(Jobs).where(_held).values(leased_until=plus(now(), param("seconds", Whole()))))

_replay = statement(
    update(Jobs)
    .where(Jobs.id == param("id"), Jobs.status == "dead")
    .values(status="queued", attempts=0, run_at=now(), finished_at=None, last_error=None)
)

EXPIRED = expired(Jobs.finished_at, Jobs.status == "done")

_counts = statement(select(Jobs.status, func.count().label("count")).group_by(Jobs.status), JobCount)

_dead = statement(
    select(Jobs.id, Jobs.name, Jobs.attempts, Jobs.last_error, Jobs.finished_at)
    .where(Jobs.status == "dead")
    .order_by(Jobs.finished_at.desc())
    .limit(param("limit", Whole())),
    DeadJob,
)


async def add(db: Unit, job: UUID, name: str, *, payload: dict[str, Any], actor_id: UUID | None, **more: Any) -> bool:
    """Write a job; False when its `once_key` stands already. `more`: `attempts_max`, `once_key`."""
    return await db.run(_add, id=job, name=name, payload=payload, actor_id=actor_id, **more) == 1


async def claim(db: Unit, lease: UUID, *, limit: int, seconds: int) -> list[Claimed]:
    """Take up to `limit` due jobs for `seconds`; two workers never get the same one.

    A job whose last attempt never ended is found dead instead.
    """
    claimed = await db.rows(_claim, lease=lease, limit=limit, seconds=seconds)
    return [one for one in claimed if one.status == "running"]


async def finish(db: Unit, job: UUID, lease: UUID) -> bool:
    """The job is done; False when the lease was lost meanwhile."""
    return await db.run(_finish, id=job, held_by=lease) == 1


async def fail(db: Unit, job: UUID, lease: UUID, *, error: str, delay_seconds: int) -> bool:
    """The job failed: it is tried again after the delay, or dead when its attempts are used up."""
    return await db.run(_fail, id=job, held_by=lease, error=error, delay=delay_seconds) == 1


async def hand_back(db: Unit, job: UUID, lease: UUID) -> bool:
    """The job was not finished through no fault of its own: it is due again, and the attempt does not count."""
    return await db.run(_hand_back, id=job, held_by=lease) == 1


async def renew(db: Unit, job: UUID, lease: UUID, *, seconds: int) -> bool:
    """Hold the job for so long from now on; False when the lease was lost meanwhile."""
    return await db.run(_renew, id=job, held_by=lease, seconds=seconds) == 1


async def replay(db: Unit, job: UUID) -> bool:
    """Queue a dead job again."""
    return await db.run(_replay, id=job) == 1


async def counts(db: Unit) -> list[JobCount]:
    """Jobs by status."""
    return await db.rows(_counts)


async def dead(db: Unit, *, limit: int = 20) -> list[DeadJob]:
    """The jobs that died last, the newest first."""
    return await db.rows(_dead, limit=limit)
