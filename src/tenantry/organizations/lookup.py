"""For whom a signed-in person works: an organization, or nobody but themselves."""

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

    async def find(self, db: Unit, token_hash: bytes) -> Found | None:
        """See `SessionLookup`."""
        rows = await lookup.live(db, token_hash, with_holders=self._is_billed)
        if not rows:
            return None
        first, all_of_them = rows[0], [row.belonging for row in rows if row.belonging is not None]
        if not all_of_them:
            return Found(first.session, first.holder)
        current = max(all_of_them, key=lambda one: (one.is_current, one.chosen_at, one.organization_id))
        ordered = sorted(all_of_them, key=lambda one: one.organization_id)
        return Found(
            first.session,
            current.holder or first.holder,
            role=current.role,
            organization_id=current.organization_id,
            organization_ids=tuple(one.organization_id for one in ordered),
            organization_names=tuple(one.name for one in ordered),
        )
