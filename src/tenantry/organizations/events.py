"""Facts that organizations announce."""

from uuid import UUID

import msgspec


class OrganizationDeleted(msgspec.Struct, frozen=True):
    """An organization is about to be deleted with all it holds; told in that transaction, while its rows are there.

    `holder_id` None: it holds nothing, because people are billed.
    """

    organization_id: UUID
    holder_id: UUID | None


class OwnOrganizationOpened(msgspec.Struct, frozen=True):
    """Somebody has signed up, and begins in an organization of their own that holds the plan; in that transaction."""

    organization_id: UUID
    user_id: UUID
