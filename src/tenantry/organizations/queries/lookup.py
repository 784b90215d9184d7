"""The live session of a request with every membership of its person: one statement, a row for each membership."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Select, and_
from sqlalchemy.orm import aliased

from tenantry.holders.models import Holders, plan_now
from tenantry.identity.lookup import HOLDER, WIDTH, LiveSession, with_own_holder
from tenantry.identity.models import Sessions
from tenantry.kernel.context import Holder
from tenantry.kernel.database import Unit, statement

from ..models import CurrentOrganizations, Memberships, Organizations


class Belonging(msgspec.Struct, frozen=True):
    """A membership, as the session knows it; `holder` is the organization's, where organizations are billed."""

    organization_id: UUID
    name: str
    role: str
    chosen_at: datetime
    is_current: bool
    holder: Holder | None


class SessionRow(msgspec.Struct, frozen=True):
    """The session, the person's own holder, and one membership; None for who has none."""

    session: LiveSession
    holder: Holder
    belonging: Belonging | None


_OWN = WIDTH + len(HOLDER)
_MEMBERSHIP = (
    Memberships.organization_id, Organizations.name.label("organization_name"), Memberships.role, Memberships.chosen_at,
    CurrentOrganizations.session_id.label("now"),
)  # fmt: skip
_theirs = aliased(Holders)
_THEIRS = (
    _theirs.id, _theirs.kind, plan_now(_theirs).label("plan"), _theirs.revision, _theirs.period_start,
    _theirs.period_end,
)  # fmt: skip


def _row(*values: Any) -> SessionRow:
    session, own = LiveSession(*values[:WIDTH]), Holder(*values[WIDTH:_OWN])
    organization, name, role, chosen_at, now, *holder = values[_OWN:]
    if organization is None:
        return SessionRow(session, own, None)
    held = Holder(*holder) if holder and holder[0] is not None else None
    return SessionRow(session, own, Belonging(organization, name, role, chosen_at, now is not None, held))


def _with_memberships(*more: Any) -> Select[Any]:
    return (
        with_own_holder(*_MEMBERSHIP, *more)
        .outerjoin(Memberships, Memberships.user_id == Sessions.user_id)
        .outerjoin(Organizations, Organizations.id == Memberships.organization_id)
        .outerjoin(
            CurrentOrganizations,
            and_(
                CurrentOrganizations.session_id == Sessions.id,
                CurrentOrganizations.organization_id == Memberships.organization_id,
            ),
        )
    )


_live = statement(_with_memberships(), _row)
_live_billed = statement(
    _with_memberships(*_THEIRS).outerjoin(_theirs, _theirs.organization_id == Memberships.organization_id), _row
)


async def live(db: Unit, token_hash: bytes, *, with_holders: bool) -> list[SessionRow]:
    """The rows of a live session; none for an unknown one. `with_holders`: with those of the organizations."""
    return await db.rows(_live_billed if with_holders else _live, hash=token_hash)
