"""What a person is by what is paid: USER or PREMIUM, and how their membership stands. Pure functions, and one write.

Only where people are billed: what an organization pays makes nobody in it something else.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

import msgspec

from tenantry.identity.membership import Membership, put_membership
from tenantry.kernel import Context
from tenantry.kernel.logs import logger_of
from tenantry.product import Billing, Product

from .access import access
from .queries.owners import ROLE, HeldPlan
from .rows import Subscription

Said: TypeAlias = tuple[str | None, str | None]
"""What a price's metadata says of a role, and what its product's says."""
Status: TypeAlias = Literal["ACTIVE", "INACTIVE", "CANCELED", "PAST_DUE"]

_BOUGHT = frozenset({"PREMIUM", "USER"})
# Of several, the first that any is in: what is in force and goes on, then what somebody must do something about, then
# what is in force and ends, then what may come back. What has ended counts only where nothing else is there.
_ORDER = ("goes on", "past due", "scheduled", "idle", "ended")
_STATUS: dict[str, Status] = {
    "goes on": "ACTIVE",
    "past due": "PAST_DUE",
    "scheduled": "CANCELED",
    "idle": "INACTIVE",
    "ended": "CANCELED",
}
_STATES = {
    "past_due": "past due",
    "unpaid": "idle",
    "paused": "idle",
    "incomplete": "idle",
    "canceled": "ended",
    "expired": "ended",
}
_log = logger_of("tenantry.billing")


class Beside(msgspec.Struct, frozen=True):
    """What counts beside the subscriptions: the roles in their metadata, the plan that was given by hand, the time."""

    roles: Mapping[UUID, Said]
    granted: str | None
    at: datetime


def membership(
    product: Product, billing: Billing, subscriptions: Sequence[Subscription], *, beside: Beside
) -> Membership:
    """PREMIUM while a subscription gives access that makes it so, or a plan was given by hand that is not free.

    It does so where the metadata of its price, else of its product, says PREMIUM; and where that says nothing, with any
    declared plan that is not free.
    """
    ends = [
        access(one, beside.at, billing.grace).until
        for one in subscriptions
        if access(one, beside.at, billing.grace)
        and _is_premium(product, one.plan, beside.roles.get(one.id, (None, None)))
    ]
    status = status_of(subscriptions)
    if not ends and not _is_sold(product, beside.granted):
        return Membership("USER", None, status)
    is_open = _is_sold(product, beside.granted) or None in ends
    return Membership("PREMIUM", None if is_open else max(one for one in ends if one is not None), status)


def status_of(subscriptions: Sequence[Subscription]) -> Status:
    """How a person's membership stands by all their subscriptions; who never had one is ACTIVE.

    ACTIVE: one is in trial or paid, and goes on. PAST_DUE: a payment failed. CANCELED: it ends, or has ended. INACTIVE:
    paused, unpaid, or never paid.
    """
    found = {_STATES.get(one.status) or ("goes on" if one.cancel_at is None else "scheduled") for one in subscriptions}
    return next((_STATUS[state] for state in _ORDER if state in found), "ACTIVE")


def role_in(of_price: str | None, of_product: str | None) -> str | None:
    """The role that metadata names: PREMIUM or USER, the price's word first.

    Whatever else it names counts for nothing: nobody buys ADMIN, and nobody is banned by a purchase.
    """
    words = (word.strip().upper() for word in (of_price, of_product) if word is not None)
    return next((word for word in words if word in _BOUGHT), None)


def warn_of_role(details: Mapping[str, str], *, provider: str, external_id: str) -> None:
    """Say in the log that metadata names a role that nobody can buy."""
    said = details.get(ROLE)
    if said is not None and role_in(said, None) is None:
        _log.warning("billing.role_ignored", provider=provider, object=external_id, role=said[:50])


async def follow(ctx: Context, billing: Billing, was: HeldPlan, subscriptions: Sequence[Subscription]) -> None:
    """Write what the person of a locked holder is by all its subscriptions, where that differs. An ADMIN stays one."""
    person = was.person
    if person is None or ctx.product.billed != "user":
        return
    beside = Beside(was.roles, was.granted, was.at)
    gives = membership(ctx.product, billing, subscriptions, beside=beside)
    is_same = person.role == "ADMIN" or (person.role, person.until) == (gives.role, gives.until)
    if not is_same or person.status != gives.status:
        await put_membership(ctx, person.user_id, gives, before=person.role)


def _is_premium(product: Product, plan: str | None, said: Said) -> bool:
    role = role_in(*said)
    return role == "PREMIUM" or (role is None and _is_sold(product, plan))


def _is_sold(product: Product, plan: str | None) -> bool:
    return plan is not None and plan in product.order and not product.plan(plan).is_free
