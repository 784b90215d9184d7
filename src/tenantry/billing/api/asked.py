"""What the addresses of this room have in common."""

from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from tenantry.kernel.problems import Invalid, RoleRefused, Unauthenticated
from tenantry.web import CrossSiteRefused

from ..errors import ProviderAway, ProviderUnconfigured
from ..snapshots import Interval

ASK = (CrossSiteRefused, Invalid, ProviderAway, ProviderUnconfigured, RoleRefused, Unauthenticated)
"""What whatever asks a provider may answer."""

Limit = Annotated[int, Query(ge=1, le=100)]
Offset = Annotated[int, Query(ge=0, le=100_000)]
PlanName = Annotated[str, StringConstraints(min_length=1, max_length=50)]
Lookup = Annotated[str, StringConstraints(min_length=1, max_length=255)]


class Body(BaseModel):
    """A body without members that nobody knows."""

    model_config = ConfigDict(extra="forbid")


def one_of_two(plan: str | None, price: str | None) -> None:
    """Raise `Invalid` unless exactly one of them is said."""
    if (plan is None) == (price is None):
        message = "Name a plan or a price, one of the two."
        raise Invalid(errors=[{"field": "plan", "message": message, "code": "one_of_two"}])


class Wish(Body):
    """A plan, and which of its prices."""

    plan: PlanName
    interval: Interval | None = Field(None, description="Which of the plan's prices; without one, its first.")
    lookup: Lookup | None = Field(None, description="The same by a price's lookup key.")
