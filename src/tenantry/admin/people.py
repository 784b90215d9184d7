"""What an operator does with one person, each for a reason that the audit log keeps. No unit is open."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from msgspec.structs import replace

from tenantry import keys
from tenantry.holders import HolderNotFound, by_id, set_plan
from tenantry.identity import operating as identity
from tenantry.identity.operating import ADMINISTER, stated
from tenantry.kernel import Context
from tenantry.usage.credits import set_balance

from .errors import AddressDiffers, AmountUnreadable, DayUnreadable
from .queries.holdings import Key
from .queries.users import Profile

CREDITS_MAX = 10**12


class Given(NamedTuple):
    """What an operator typed into one of the forms."""

    reason: str = ""
    plan: str = ""
    role: str = ""
    until: str = ""
    address: str = ""
    may_write: str = ""


Apply = Callable[[Context, Profile, Given], Awaitable[None]]


class Act(NamedTuple):
    """Something that is done with a person. `is_grave`: the operator shows once more who they are."""

    apply: Apply
    done: str
    is_grave: bool = False


async def give_plan(ctx: Context, person: Profile, given: Given) -> None:
    """Put a person on a plan by hand, where people hold plans; the default plan takes back what was given."""
    ctx.require(ADMINISTER)
    await identity.grant_plan(ctx, person.email, given.plan, reason=stated(given.reason))


async def give_role(ctx: Context, person: Profile, given: Given) -> None:
    """Make a person an operator, or one no more."""
    role = "ADMIN" if given.role == "ADMIN" else "USER"
    await identity.set_role(ctx, person.id, role, reason=stated(given.reason))


async def ban(ctx: Context, person: Profile, given: Given) -> None:
    """Shut a person out, until the end of a day (UTC) or until somebody lifts it."""
    until = _end_of_day(given.until, now=ctx.clock.now()) if given.until else None
    await identity.ban(ctx, person.id, reason=stated(given.reason), until=until)


async def lift(ctx: Context, person: Profile, given: Given) -> None:
    """Let a person in again."""
    await identity.lift(ctx, person.id, reason=stated(given.reason))


async def close(ctx: Context, person: Profile, given: Given) -> None:
    """Close a person's account. Raises `AddressDiffers` unless its address is typed."""
    if given.address.strip().casefold() != person.email.casefold():
        raise AddressDiffers
    await identity.close_account(ctx, person.id, reason=stated(given.reason))


async def end_sessions(ctx: Context, person: Profile, given: Given) -> None:
    """Sign a person out everywhere."""
    await identity.end_sessions(ctx, person.id, reason=stated(given.reason))


ACTS: Mapping[str, Act] = {
    "plan": Act(give_plan, "planned"),
    "role": Act(give_role, "roled", is_grave=True),
    "ban": Act(ban, "banned", is_grave=True),
    "lift": Act(lift, "lifted", is_grave=True),
    "close": Act(close, "closed", is_grave=True),
    "sessions": Act(end_sessions, "signed_out"),
}


async def end_session(ctx: Context, person: Profile, session_id: UUID, *, reason: str) -> None:
    """End one session of a person's."""
    await identity.end_sessions(ctx, person.id, only=session_id, reason=stated(reason))


async def revoke_key(ctx: Context, key: Key, *, reason: str) -> None:
    """End an API key of whoever has it, at once and for good."""
    ctx.require(ADMINISTER)
    told = stated(reason)
    async with ctx.service(writes=False) as reading:
        holder = await by_id(reading.db, key.holder_id)
    if holder is None:
        raise HolderNotFound
    # As its owner may: what the operator is in an organization bounds nothing here.
    actor = replace(ctx.actor, permissions=ctx.actor.permissions | ctx.runtime.rights["owner"])
    await keys.revoke(replace(ctx, actor=actor, current_holder=holder), key.id, reason=told)


async def give_plan_to(ctx: Context, holder_id: UUID, plan: str, *, reason: str) -> None:
    """Put a holder that is nobody's own, an organization's, on a plan by hand."""
    ctx.require(ADMINISTER)
    told = stated(reason)
    async with ctx.service() as working:
        await set_plan(working, holder_id, plan, source="admin", reason=told)


async def set_credits(ctx: Context, holder_id: UUID, *, amount: str, expires: str, reason: str) -> None:
    """Put a holder's credits and the day they expire after, both at once; "" for never.

    Raises `AmountUnreadable`, `DayUnreadable` and `ReasonMissing`.
    """
    ctx.require(ADMINISTER)
    if not amount.strip().isdecimal() or int(amount) > CREDITS_MAX:
        raise AmountUnreadable
    ends_at = _end_of_day(expires, now=ctx.clock.now()) if expires else None
    told = stated(reason)
    async with ctx.service() as working:
        await set_balance(working, holder_id, int(amount), expires_at=ends_at, reason=told)


def _end_of_day(typed: str, *, now: datetime) -> datetime:
    try:
        end = datetime.combine(date.fromisoformat(typed) + timedelta(days=1), datetime.min.time(), UTC)
    except (ValueError, OverflowError):
        raise DayUnreadable from None
    if end <= now:
        raise DayUnreadable
    return end
