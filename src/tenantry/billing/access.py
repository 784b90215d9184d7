"""What a subscription gives now: a pure function of it, the time and the product's grace. Never stored as truth."""

from datetime import datetime, timedelta
from typing import Literal, TypeAlias

import msgspec

from .rows import Subscription

RENEWAL_SLACK = timedelta(days=3)
"""How long an active subscription goes on past its period when nobody has told of the renewal yet. Providers take an
hour to charge and up to three days to tell of it; a subscription that did end says so itself."""

Level: TypeAlias = Literal["full", "grace", "none"]


class Access(msgspec.Struct, frozen=True):
    """Whether a subscription gives its plan, and until when if nothing changes; None: no end is known."""

    level: Level
    until: datetime | None = None

    def __bool__(self) -> bool:
        return self.level != "none"


NONE = Access("none")


def access(subscription: Subscription, now: datetime, grace: timedelta) -> Access:
    """What a subscription gives at `now`.

    In trial: its plan until the trial ends, and not a moment longer, whether or not the provider has said so. Active:
    until it was cancelled for, else until a little after its period. Past due: for the grace, from the first failure.
    Incomplete, unpaid, paused, ended: nothing.
    """
    ends_at = until(subscription, grace)
    if subscription.status not in {"trialing", "active", "past_due"} or (ends_at is not None and ends_at <= now):
        return NONE
    return Access("grace" if subscription.status == "past_due" else "full", ends_at)


def until(subscription: Subscription, grace: timedelta) -> datetime | None:
    """When the access that its status gives ends if nothing changes; None: no end is known, or it gives none."""
    match subscription.status:
        case "trialing":
            ends = (subscription.trial_ends_at or subscription.period_end, subscription.cancel_at)
        case "active":
            renewed = subscription.period_end + RENEWAL_SLACK if subscription.period_end else None
            ends = (None, subscription.cancel_at) if subscription.cancel_at else (renewed, None)
        case "past_due":
            since = subscription.past_due_since
            ends = (since + grace if since else None, subscription.cancel_at)
        case _:
            ends = (None, None)
    return min((one for one in ends if one is not None), default=None)
