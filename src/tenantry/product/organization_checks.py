"""The checks of what a product says about organizations."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from .findings import Finding, error
from .words import is_count

if TYPE_CHECKING:
    from .declaration import Product

LIFETIME_MIN, LIFETIME_MAX = timedelta(hours=1), timedelta(days=90)
MOST = 100
"""Organizations of one person: all of them are looked at with every request."""


def check_organizations(product: Product) -> Iterator[Finding]:
    """The findings about organizations; none where the product has none."""
    said = product.organizations
    if said is None:
        return
    if said.seats is not None and said.seats not in product.limited:
        yield error("organizations.seats", f'No plan limits "{said.seats.name}".', "Add it to the limits of the plans.")
    if not LIFETIME_MIN <= said.invitation_lifetime <= LIFETIME_MAX:
        yield error(
            "organizations.invitation_lifetime",
            f"{said.invitation_lifetime} is not a time from {LIFETIME_MIN} to {LIFETIME_MAX}.",
            "Write a timedelta between these.",
        )
    if said.most is not None and (not is_count(said.most) or not 1 <= said.most <= MOST):
        yield error("organizations.most", f"{said.most!r} is not a number from 1 to {MOST}.", "Write such a number.")
