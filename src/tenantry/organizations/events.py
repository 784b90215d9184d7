"""Facts that organizations announce."""

from uuid import UUID

import msgspec


class OrganizationDeleted(msgspec.Struct, frozen=True):
    """An organization is about to be deleted with all it holds; told in that transaction, while its rows are there.

    `holder_id` None: it holds nothing, because people are billed.
    """

    organization_id: UUID
    holder_id: UUID | None
