"""What organizations answer: who belongs together, as what, and who is asked to."""

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from .names import holds_address
from .roles import Role

Status = Literal["pending", "accepted", "declined", "revoked"]
State = Literal["pending", "accepted", "declined", "revoked", "expired"]


class Organization(msgspec.Struct, frozen=True):
    """An organization by itself."""

    id: UUID
    name: str
    owner_id: UUID
    created_at: datetime
    updated_at: datetime


class OwnOrganization(msgspec.Struct, frozen=True):
    """An organization of somebody's, what they are there, and how many belong to it.

    `plan`: what the organization is on, where organizations are billed; else None, for it has none.
    """

    id: UUID
    name: str
    owner_id: UUID
    created_at: datetime
    updated_at: datetime
    role: Role
    members: int
    plan: str | None
    joined_at: datetime


class Seats(msgspec.Struct, frozen=True):
    """How many belong to an organization, how many are invited, and the plan that says how many may."""

    members: int
    invited: int
    plan: str | None

    @property
    def taken(self) -> int:
        """Whoever is invited has a seat kept."""
        return self.members + self.invited


class Member(msgspec.Struct, frozen=True):
    """A person in an organization, as its members see them."""

    user_id: UUID
    name: str | None
    email: str
    image: str | None
    role: Role
    joined_at: datetime


class Invitation(msgspec.Struct, frozen=True):
    """An invitation as it stood `at` that time of the database's."""

    id: UUID
    organization_id: UUID
    email: str
    role: Role
    invited_by: UUID | None
    status: Status
    sent_at: datetime
    expires_at: datetime
    decided_at: datetime | None
    created_at: datetime
    at: datetime

    @property
    def state(self) -> State:
        """The status, and "expired" where nobody has decided in time."""
        return "expired" if self.status == "pending" and self.expires_at <= self.at else self.status


class Offered(msgspec.Struct, frozen=True):
    """An invitation as it is shown to who is invited: by whom, to what."""

    invitation: Invitation
    organization_name: str
    inviter_name: str | None
    inviter_email: str | None

    @property
    def inviter(self) -> str:
        """Who asks, as the mail says it: a name that could pass for a link is left out; "" for who has left."""
        if self.inviter_name and self.inviter_email and not holds_address(self.inviter_name):
            return f"{self.inviter_name} ({self.inviter_email})"
        return self.inviter_email or ""


class Person(msgspec.Struct, frozen=True):
    """Who acts, as far as it matters here: `proven` says that the address was confirmed."""

    id: UUID
    name: str | None
    email: str
    proven: bool
