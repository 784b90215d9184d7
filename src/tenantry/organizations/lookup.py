"""For whom a signed-in person works: an organization, or nobody but themselves."""

from collections.abc import Awaitable

from tenantry.identity.lookup import Found, SessionLookup
from tenantry.kernel.database import Unit

from .queries import lookup


class MemberLookup(SessionLookup):
    """The look-up of a product with organizations.

    A session works for the organization that was chosen in it; until then for the one that its person chose last,
    wherever that was. `is_billed`: that organization's plan and quotas count, not the person's own.
    """

    def __init__(self, *, is_billed: bool) -> None:
        self._is_billed = is_billed

    def find(self, db: Unit, token_hash: bytes) -> Awaitable[Found | None]:
        """See `SessionLookup`."""
        return lookup.live(db, token_hash, with_holders=self._is_billed)
