"""`/v1/audit`: what a person did, and what was done to them; and all of it for who looks after the product."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, NamedTuple, Self
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import AfterValidator, AwareDatetime, BaseModel

from tenantry.holders import by_user
from tenantry.identity.operating import ADMINISTER
from tenantry.kernel import Context, SignedIn, problems
from tenantry.kernel.listing import CURSOR_CHARACTERS_MAX, Place
from tenantry.kernel.problems import Forbidden, Invalid, Unauthenticated

from .queries.audit import ENTRIES, Entry

router = APIRouter(prefix="/v1/audit", tags=["audit"])


def _in_utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError("the time is out of range") from None


Time = Annotated[AwareDatetime, AfterValidator(_in_utc)]
Word = Annotated[str | None, Query(min_length=1, max_length=100)]

LOOK = "impersonation.began"
"""Its reason was given to be read by the person, too."""


class AuditEntry(BaseModel):
    """An entry. `actor_kind`: user, key, system or anonymous.

    Of what others did to a person they read what it was and when, and why somebody looked through their eyes; other
    reasons, who it was, from where, and its details are for who looks after the product. `is_impersonated`: somebody
    who does acted in the person's name.
    """

    id: UUID
    created_at: datetime
    actor_kind: str
    actor_id: UUID | None
    action: str
    subject_kind: str | None
    subject_id: str | None
    reason: str | None
    detail: dict[str, Any]
    request_id: str | None
    address: str | None
    is_impersonated: bool
    impersonator_id: UUID | None

    @classmethod
    def of(cls, entry: Entry, *, reader: UUID, sees_all: bool) -> Self:
        """What that reader is told of it."""
        told: dict[str, Any] = {name: getattr(entry, name) for name in entry.__struct_fields__}
        told["is_impersonated"] = entry.impersonator_id is not None
        if not sees_all and (entry.actor_id != reader or entry.impersonator_id is not None):
            told |= {"detail": {}, "request_id": None, "address": None, "impersonator_id": None}
        if not sees_all and entry.actor_id != reader:
            told |= {"actor_id": None, "reason": entry.reason if entry.action == LOOK else None}
        return cls(**told)


class AuditList(BaseModel):
    """Entries, newest first. `next_cursor` leads to those before them; null when there are none."""

    items: list[AuditEntry]
    next_cursor: str | None


class Asked(NamedTuple):
    """Which entries are asked for."""

    action: str | None
    actor: UUID | None
    subject: str | None
    since: datetime | None
    until: datetime | None


async def _asked(
    action: Word = None,
    actor_id: Annotated[UUID | None, Query(description="For who looks after the product.")] = None,
    subject_id: Annotated[str | None, Query(min_length=1, max_length=100, description="The same.")] = None,
    since: Annotated[Time | None, Query(description="No entries before this time.")] = None,
    until: Annotated[Time | None, Query(description="Only entries before this time.")] = None,
) -> Asked:
    return Asked(action, actor_id, subject_id, since, until)


Scope = Annotated[Literal["own", "all"], Query(description='"all" is for who looks after the product.')]


@router.get("", responses=problems(Forbidden, Invalid, Unauthenticated))
async def list_audit(
    ctx: SignedIn,
    asked: Annotated[Asked, Depends(_asked)],
    scope: Scope = "own",
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    cursor: Annotated[str | None, Query(max_length=CURSOR_CHARACTERS_MAX)] = None,
) -> AuditList:
    """List what the reader did and what was done to them, or everything that anybody did."""
    sees_all = scope == "all"
    if sees_all or asked.actor is not None or asked.subject is not None:
        ctx.require(ADMINISTER)
    async with ctx.service(writes=False) as reading:
        own = None if sees_all else await _own(reading)
        found = await ENTRIES.page(reading.db, Place.of(cursor), limit=limit, own=own, **asked._asdict())
    items = [AuditEntry.of(one, reader=ctx.user_id, sees_all=sees_all) for one in found.rows]
    return AuditList(items=items, next_cursor=found.older or None)


async def _own(ctx: Context) -> dict[str, Any]:
    # Whoever works for an organization that is billed has a holder of their own all the same.
    held = ctx.current_holder
    if held is None or held.kind != "user":
        held = await by_user(ctx.db, ctx.user_id)
    subjects = [str(one) for one in (ctx.user_id, held.id if held else None) if one is not None]
    return {"own_id": ctx.user_id, "own_subjects": subjects}
