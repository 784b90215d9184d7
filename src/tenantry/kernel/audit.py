"""The audit log: what was done, by whom, to what. Rows are only ever added; a trigger refuses the rest."""

from typing import Any

from sqlalchemy import Index, insert

from .context import Context
from .database.statements import param, statement
from .database.tables import Base, Created, column, id_column, length_between, one_of
from .database.types import Id, Json, Words
from .ids import new_id
from .policies import Policy, Rights, anyone, own


class AuditLog(Created, Base):
    """One entry per change worth answering for. It outlives whom it speaks of, so it references nothing.

    `impersonator_id`: the operator who acted as the actor.
    """

    __tablename__ = "audit_log"
    __append_only__ = True
    __policy__ = Policy(
        authenticated=Rights(
            insert=own("actor_id"),
            insert_columns=(
                "id", "actor_id", "actor_kind", "action", "subject_kind",
                "subject_id", "reason", "detail", "request_id", "address", "impersonator_id",
            ),
        ),
        service=Rights(read=anyone, insert=anyone),
    )  # fmt: skip

    id = id_column()
    actor_id = column(Id(), nullable=True)
    actor_kind = column(Words())
    action = column(Words())
    subject_kind = column(Words(), nullable=True)
    subject_id = column(Words(), nullable=True)
    reason = column(Words(), nullable=True)
    detail = column(Json())
    request_id = column(Words(), nullable=True)
    address = column(Words(), nullable=True)
    impersonator_id = column(Id(), nullable=True)

    __table_args__ = (
        one_of("actor_kind", "anonymous", "user", "key", "system"),
        length_between("action", 1, 100),
        Index("ix_audit_log_created_at_id", "created_at", "id"),
        Index("ix_audit_log_action_created_at_id", "action", "created_at", "id"),
        Index("ix_audit_log_actor_id_created_at_id", "actor_id", "created_at", "id"),
        Index("ix_audit_log_subject_id_created_at_id", "subject_id", "created_at", "id"),
    )


_NAMES = (
    "id", "actor_id", "actor_kind", "action", "subject_kind", "subject_id", "reason", "detail", "request_id", "address",
    "impersonator_id",
)  # fmt: skip
_add = statement(insert(AuditLog).values({name: param(name) for name in _NAMES}))


async def audit(
    ctx: Context,
    action: str,
    *,
    subject: tuple[str, object] | None = None,
    reason: str | None = None,
    detail: dict[str, Any] | None = None,
) -> None:
    """Write an entry into the open unit of work. `subject` is a pair (kind, id); `detail` must hold no secret."""
    await ctx.db.run(
        _add,
        id=new_id(),
        actor_id=ctx.actor.user_id,
        actor_kind=ctx.actor.kind,
        action=action,
        subject_kind=subject[0] if subject else None,
        subject_id=str(subject[1]) if subject else None,
        reason=reason,
        detail=detail or {},
        request_id=ctx.origin.request_id,
        address=ctx.origin.address,
        impersonator_id=ctx.actor.impersonator_id,
    )
