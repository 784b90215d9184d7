"""What a product says about organizations: people who belong together."""

from dataclasses import KW_ONLY, dataclass
from datetime import timedelta

from .limits import Count
from .shapes import must_be


@dataclass(frozen=True, slots=True)
class Organizations:
    """Organizations: people who belong together, with roles and invitations. A product without them has no team page.

    - `seats`: how many members an organization may have, those invited counted with them; without one, any number. The
      plan that is asked is the organization's where organizations are billed, else its owner's.
    - `invitation_lifetime`: how long an invitation may be accepted.
    - `most`: how many organizations a person may belong to; None, any number.
    """

    _: KW_ONLY
    seats: Count | None = None
    invitation_lifetime: timedelta = timedelta(days=7)
    most: int | None = 20

    def __post_init__(self) -> None:
        must_be(self, "seats", self.seats, Count, type(None))
        must_be(self, "invitation_lifetime", self.invitation_lifetime, timedelta)
        must_be(self, "most", self.most, int, type(None))
