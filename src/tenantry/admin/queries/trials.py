"""Trial workspaces of everybody."""

from sqlalchemy import and_, or_, select

from tenantry.identity.models import Users
from tenantry.kernel.database import param
from tenantry.kernel.listing import Listing
from tenantry.kernel.sql import folded, now
from tenantry.trials import Workspace
from tenantry.trials.models import TrialWorkspaces


class Trial(Workspace, frozen=True):
    """A trial workspace with its owner's address."""

    owner: str


STATES = ("active", "expired", "converted", "cancelled")
_LABELLED = {"owner": Users.email.label("owner"), "at": now().label("at")}
_COLUMNS = [
    _LABELLED[name] if name in _LABELLED else TrialWorkspaces.__table__.c[name] for name in Trial.__struct_fields__
]
_is_over = TrialWorkspaces.expires_at <= now()
_owner_of = select(Users.id).where(folded(Users.email) == folded(param("owner")))

TRIALS = Listing(
    select(*_COLUMNS).join(Users, Users.id == TrialWorkspaces.user_id),
    Trial,
    id=TrialWorkspaces.id,
    filters={
        "active": and_(TrialWorkspaces.status == "active", TrialWorkspaces.expires_at > now()),
        "expired": or_(TrialWorkspaces.status == "expired", and_(TrialWorkspaces.status == "active", _is_over)),
        "converted": TrialWorkspaces.status == "converted",
        "cancelled": TrialWorkspaces.status == "cancelled",
        "owner": TrialWorkspaces.user_id == _owner_of.scalar_subquery(),
    },
)
"""Trials by their state, each a filter of its own ({}), and by `owner`, an address."""
