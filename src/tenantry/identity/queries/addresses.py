"""The changes of address that are under way: one a user, which a newer one replaces."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.database.types import UtcDateTime, Whole
from tenantry.kernel.retention import expired
from tenantry.kernel.sql import now, plus

from ..models import AddressChanges


class AddressChange(msgspec.Struct, frozen=True):
    """A change under way: who has agreed so far, and until when the others may."""

    id: UUID
    email: str
    confirmed_at: datetime | None
    approved_at: datetime | None
    expires_at: datetime
    created_at: datetime

    @property
    def is_agreed(self) -> bool:
        """Whether the new address and the old one have both agreed."""
        return self.confirmed_at is not None and self.approved_at is not None


_COLUMNS = (
    AddressChanges.id, AddressChanges.email, AddressChanges.confirmed_at, AddressChanges.approved_at,
    AddressChanges.expires_at, AddressChanges.created_at,
)  # fmt: skip
_of_user = AddressChanges.user_id == param("user")
_is_live = AddressChanges.expires_at > now()
_given: dict[str, Any] = {
    "id": param("change"),
    "email": param("new_email"),
    "confirmed_at": None,
    "approved_at": param("approved", UtcDateTime()),
    "expires_at": plus(now(), param("seconds", Whole())),
    "created_at": now(),
}
_begin = statement(
    insert(AddressChanges)
    .values(user_id=param("user"), **_given)
    .on_conflict_do_update(index_elements=["user_id"], set_=_given)
)
_live = statement(select(*_COLUMNS).where(_of_user, _is_live), AddressChange)
_this = (_of_user, AddressChanges.id == param("change"), _is_live)
_confirm = statement(
    update(AddressChanges)
    .where(*_this)
    .values(confirmed_at=func.coalesce(AddressChanges.confirmed_at, now()))
    .returning(*_COLUMNS),
    AddressChange,
)
_approve = statement(
    update(AddressChanges)
    .where(*_this)
    .values(approved_at=func.coalesce(AddressChanges.approved_at, now()))
    .returning(*_COLUMNS),
    AddressChange,
)
_end = statement(delete(AddressChanges).where(_of_user))
EXPIRED = expired(AddressChanges.expires_at)


async def begin(db: Unit, user: UUID, change: UUID, *, email: str, approved: datetime | None, seconds: int) -> None:
    """Write a change, in the place of an older one. `approved` is set where nobody needs to be asked."""
    await db.run(_begin, user=user, change=change, new_email=email, approved=approved, seconds=seconds)


async def of_user(db: Unit, user: UUID) -> AddressChange | None:
    """The change a user has under way; None when there is none, or it has expired."""
    return await db.one_or_none(_live, user=user)


async def confirm(db: Unit, user: UUID, change: UUID) -> AddressChange | None:
    """The new address agrees. None when this change is over, or another one took its place."""
    return await db.one_or_none(_confirm, user=user, change=change)


async def approve(db: Unit, user: UUID, change: UUID) -> AddressChange | None:
    """The old address agrees. None when this change is over, or another one took its place."""
    return await db.one_or_none(_approve, user=user, change=change)


async def end(db: Unit, user: UUID) -> bool:
    """Take the change a user has under way back; False when there is none."""
    return await db.run(_end, user=user) == 1
