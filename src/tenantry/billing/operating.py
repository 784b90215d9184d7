"""What operators do: look at events, let them be worked on again, bring everything in line, give purchases to people.

A door beside the room's own, for commands and the operator's pages.
"""

from collections.abc import Sequence
from uuid import UUID

from tenantry.kernel import Context
from tenantry.kernel.audit import audit
from tenantry.kernel.database import Unit
from tenantry.kernel.listing import Page, Place

from .claims import claim_for
from .errors import SubscriptionNotFound
from .inbox import Bell
from .linking import lock_of_address
from .providers import BillingProvider, BillingProviders
from .queries import inbox, people, subscriptions
from .queries.inbox import EventCount, ListedEvent, SeenEvent
from .queries.people import PersonWithKeys, PersonWithSubscriptions
from .rows import Subscription
from .sync import DRIFT_REPAIRED, Drift, Report, sync

FIRST = UUID(int=0)


def configured(ctx: Context, name: str | None = None) -> list[BillingProvider]:
    """The providers that can be asked, or the one of that name; none when it is not declared or not configured."""
    return [one for one in ctx.port(BillingProviders) if name in {None, one.name}]


async def events(
    ctx: Context, *, status: str | None = None, limit: int = 50
) -> tuple[list[EventCount], Sequence[ListedEvent]]:
    """How many events stand where, and the newest of them. No unit is open."""
    async with ctx.service(writes=False) as reading:
        page = await events_page(reading.db, None, limit=limit, status=status)
        return await inbox.counts(reading.db), page.rows


async def events_page(db: Unit, place: Place | None, *, limit: int, **wanted: str | None) -> Page[ListedEvent]:
    """A page of events by `status`, `provider` and `object_id`, in an open service unit."""
    return await inbox.EVENTS.page(db, place, limit=limit, **wanted)


async def event(db: Unit, event_id: UUID) -> SeenEvent | None:
    """One event with what was sent, which holds people's addresses. In an open service unit."""
    return await inbox.one(db, event_id)


async def event_counts(db: Unit) -> list[EventCount]:
    """How many events stand where. In an open service unit."""
    return await inbox.counts(db)


async def unlinked_count(db: Unit) -> int:
    """How many purchases are nobody's. In an open service unit."""
    return await subscriptions.unlinked_count(db)


async def replay(ctx: Context, event_id: UUID, *, reason: str | None = None) -> bool:
    """Let an event be worked on again, whatever became of it, audited; False when there is none that can be."""
    async with ctx.service() as working:
        found = await inbox.replay(working.db, event_id)
        if found:
            await audit(working, "billing.event_replayed", subject=("billing_event", event_id), reason=reason)
    ctx.port(Bell).ring()
    return found


async def replay_dead(ctx: Context) -> int:
    """The same for all that died; answers how many."""
    async with ctx.service() as working:
        found = await inbox.replay_dead(working.db)
        await audit(working, "billing.dead_replayed", detail={"events": found})
    ctx.port(Bell).ring()
    return found


async def unlinked(ctx: Context, *, after: UUID = FIRST, limit: int = 50) -> list[Subscription]:
    """Purchases that are nobody's, oldest first. No unit is open."""
    async with ctx.service(writes=False) as reading:
        return await subscriptions.unlinked(reading.db, after=after, limit=limit)


async def claim(ctx: Context, subscription_id: UUID, email: str, *, reason: str) -> Subscription | None:
    """Give such a purchase to the person with that proven address; None when there is no such person.

    Where organizations are billed, to the first one that the person owns.

    Raises `SubscriptionNotFound` for a purchase that is somebody's.
    """
    async with ctx.service() as working:
        holder = await lock_of_address(working, email)
        return None if holder is None else await claim_for(working, subscription_id, holder, reason=reason)


async def person(ctx: Context, email: str) -> PersonWithKeys | None:
    """The person with this address, with subscription and keys; None when nobody has it. No unit is open."""
    async with ctx.service(writes=False) as reading:
        return await people.by_email(reading.db, email)


async def bought_by(ctx: Context, user: UUID) -> PersonWithSubscriptions | None:
    """A person with all that is active or trialing, each with what it buys; None when there is no such person."""
    async with ctx.service(writes=False) as reading:
        return await people.with_subscriptions(reading.db, user)


__all__ = [
    "DRIFT_REPAIRED",
    "Drift",
    "EventCount",
    "ListedEvent",
    "Report",
    "SeenEvent",
    "SubscriptionNotFound",
    "bought_by",
    "claim",
    "configured",
    "event",
    "event_counts",
    "events",
    "events_page",
    "person",
    "replay",
    "replay_dead",
    "sync",
    "unlinked",
    "unlinked_count",
]
