"""What several routes take and answer."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from fastapi import Query
from pydantic import AfterValidator, BaseModel, ConfigDict, WithJsonSchema

from tenantry.kernel.problems import Forbidden, Invalid, PersonNeeded, Unauthenticated
from tenantry.web import CrossSiteRefused

from ..errors import OrganizationNotFound
from ..names import organization_name
from ..rows import Invitation, Offered, State

READ = (Invalid, OrganizationNotFound, PersonNeeded, Unauthenticated)
CHANGE = (*READ, CrossSiteRefused, Forbidden)

Limit = Annotated[int, Query(ge=1, le=100)]
Offset = Annotated[int, Query(ge=0, le=100_000)]
Name = Annotated[
    str, AfterValidator(organization_name), WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 100})
]
GivenRole = Literal["admin", "member"]


class Body(BaseModel):
    """What is sent: unknown members are refused."""

    model_config = ConfigDict(extra="forbid")


class InvitationEntry(BaseModel):
    """An invitation as the organization sees it. `status` is "expired" where nobody has decided in time."""

    id: UUID
    organization_id: UUID
    email: str
    role: GivenRole
    status: State
    invited_by: UUID | None
    sent_at: datetime
    expires_at: datetime
    decided_at: datetime | None
    created_at: datetime

    @classmethod
    def of(cls, found: Invitation) -> Self:
        told = {name: getattr(found, name) for name in cls.model_fields if name != "status"}
        return cls(status=found.state, **told)


class OwnInvitation(BaseModel):
    """An invitation as who is invited sees it."""

    id: UUID
    organization_id: UUID
    organization_name: str
    role: GivenRole
    status: State
    invited_by: str | None
    sent_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, offered: Offered) -> Self:
        found = offered.invitation
        return cls(
            id=found.id,
            organization_id=found.organization_id,
            organization_name=offered.organization_name,
            role=found.role,  # type: ignore[arg-type]  # nobody is invited to be the owner
            status=found.state,
            invited_by=offered.inviter_name or offered.inviter_email,
            sent_at=found.sent_at,
            expires_at=found.expires_at,
        )
