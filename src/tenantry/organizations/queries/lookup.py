"""The live session of a request with every membership of its person: one statement, a row for each membership."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, and_
from sqlalchemy.orm import aliased

from tenantry.holders.models import Holders, held_columns
from tenantry.identity.lookup import HOLDER, WIDTH, Found, LiveSession, with_own_holder
from tenantry.identity.models import Sessions
from tenantry.kernel.context import Holder
from tenantry.kernel.database import Unit, statement

from ..models import CurrentOrganizations, Memberships, Organizations

Row = tuple[Any, ...]
"""The columns of the session, of the person's own holder, of one membership (NULL for who has none), and, where
organizations are billed, of the organization's holder."""

_MEMBERSHIP = (
    Memberships.organization_id, Organizations.name.label("organization_name"), Memberships.role, Memberships.chosen_at,
    CurrentOrganizations.session_id.label("chosen_here"),
)  # fmt: skip
_OWN = WIDTH + len(HOLDER)
_BELONGING = _OWN + len(_MEMBERSHIP)
_theirs = aliased(Holders)
_THEIRS = held_columns(_theirs)


def _row(*values: Any) -> Row:
    return values


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


async def live(db: Unit, token_hash: bytes, *, with_holders: bool) -> Found | None:
    """The live session and for whom it works; None for an unknown one. `with_holders`: organizations are billed."""
    rows = await db.rows(_live_billed if with_holders else _live, hash=token_hash)
    return _found(rows) if rows else None


def _found(rows: Sequence[Row]) -> Found:
    # What a request needs is made of one row only: all of them begin alike, and nearly everybody has no more.
    row = rows[0] if len(rows) == 1 else max(rows, key=_chosen)
    session, own, theirs = LiveSession(*row[:WIDTH]), row[WIDTH:_OWN], row[_BELONGING:]
    holder = Holder(*(theirs if theirs and theirs[0] is not None else own))
    organization, name, role, _, _ = row[_OWN:_BELONGING]
    if organization is None:
        return Found(session, holder)
    ids, names = (organization,), (name,)
    if len(rows) > 1:
        ids, names = zip(*sorted((one[_OWN], one[_OWN + 1]) for one in rows), strict=True)
    return Found(session, holder, role, organization, ids, names)


def _chosen(row: Row) -> tuple[Any, ...]:
    organization, _, _, chosen_at, chosen_here = row[_OWN:_BELONGING]
    return chosen_here is not None, chosen_at, organization
