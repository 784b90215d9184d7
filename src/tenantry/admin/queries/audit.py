"""The audit log: by action, actor, subject and time, and what concerns one person."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import cast, func, or_, select

from tenantry.kernel.audit import AuditLog
from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.database.types import Id, UtcDateTime, Whole
from tenantry.kernel.listing import Listing
from tenantry.kernel.sql import any_of, json_whole, now, plus

from .people import WEEK


class Entry(msgspec.Struct, frozen=True):
    """An entry of the audit log: the columns of its table."""

    id: UUID
    created_at: datetime
    actor_id: UUID | None
    actor_kind: str
    action: str
    subject_kind: str | None
    subject_id: str | None
    reason: str | None
    detail: dict[str, Any]
    request_id: str | None
    address: str | None
    impersonator_id: UUID | None


_created_at = AuditLog.__table__.c.created_at

ENTRIES = Listing(
    select(*(AuditLog.__table__.c[name] for name in Entry.__struct_fields__)),
    Entry,
    id=AuditLog.id,
    at=_created_at,
    filters={
        "action": AuditLog.action == param("action"),
        "actor": AuditLog.actor_id == param("actor", Id()),
        "subject": AuditLog.subject_id == param("subject"),
        "since": _created_at >= param("since", UtcDateTime()),
        "until": _created_at < param("until", UtcDateTime()),
        "own": or_(AuditLog.actor_id == param("own_id", Id()), any_of(AuditLog.subject_id, "own_subjects")),
    },
)
"""Entries by `action`, `actor`, `subject`, `since` and `until`; `own` takes `own_id` and `own_subjects`."""

_drifted = statement(
    # PostgreSQL's sum of whole numbers is a decimal one.
    select(cast(func.coalesce(func.sum(json_whole(AuditLog.detail, "objects")), 0), Whole())).where(
        AuditLog.action == param("action"), _created_at >= plus(now(), -int(WEEK.total_seconds()))
    )
)


async def drifted(db: Unit, action: str) -> int:
    """How many objects were repaired in the last seven days, by the entries of that action."""
    found: int = await db.one(_drifted, action=action)
    return found
