"""SQL of the test kit: what a test looks up to see whether it was written down."""

from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import select

from tenantry.kernel.audit import AuditLog
from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.database.types import Whole


class AuditEntry(msgspec.Struct, frozen=True):
    id: UUID
    actor_id: UUID | None
    actor_kind: str
    action: str
    subject_id: str | None
    detail: dict[str, Any]


_latest = statement(
    select(AuditLog.id, AuditLog.actor_id, AuditLog.actor_kind, AuditLog.action, AuditLog.subject_id, AuditLog.detail)
    .order_by(AuditLog.id.desc())
    .limit(param("limit", Whole())),
    AuditEntry,
)


async def latest_entries(db: Unit, limit: int = 100) -> list[AuditEntry]:
    """The newest entries first; service login only."""
    return await db.rows(_latest, limit=limit)
