"""How often something may be tried: from one network, and at one account.

Both are counted, and committed, before anything is compared. A browser that was signed in to the account before counts
apart, so that a stranger who fails on purpose does not lock the owner out of it there; everybody else waits a quarter
of an hour at most, or a day where tries are bounded by the day too.
"""

from datetime import timedelta

import msgspec

from tenantry.kernel import Context
from tenantry.kernel.attempts import attempt, give_back, network

FROM_A_NETWORK = 100
"""Within ten minutes; an office behind one address passes, a guesser does not."""
AT_AN_ACCOUNT = 10
"""Within a quarter of an hour."""
DAY = timedelta(days=1)
_NETWORK_WINDOW, _ACCOUNT_WINDOW = timedelta(minutes=10), timedelta(minutes=15)


class Bounds(msgspec.Struct, frozen=True):
    """How many: from a network within ten minutes; at an account within a quarter of an hour, and within a day."""

    network: int = FROM_A_NETWORK
    account: int = AT_AN_ACCOUNT
    day: int | None = None


GUESSES = Bounds()
SIX_DIGITS = Bounds(day=30)
"""What can be guessed in the end: of a million, three are right at any moment."""
MAILS = Bounds(network=30, account=5, day=20)
"""Mails that somebody asks for: no stranger fills a mailbox, and no network sends ours to everybody."""


class Tried(msgspec.Struct, frozen=True):
    """An attempt that was counted, and what under; `today` is how many there were, where days are bounded."""

    keys: tuple[str, ...] = ()
    today: int = 0


async def count_try(
    ctx: Context, what: str, *, account: str | None = None, is_known: bool = False, bounds: Bounds = GUESSES
) -> Tried:
    """Count one attempt at `what` ("password", "reset"); `ctx` has no open unit. Raises `TooManyAttempts` (429).

    `account` is an address as it was typed, or a user's id: it counts whether or not there is such an account.
    `is_known` says that this browser was signed in to it before (`known_device.knows`).
    """
    tried = await count_from(ctx, what, bounds=bounds)
    if account is None:
        return tried
    at = await count_at(ctx, what, account, is_known=is_known, bounds=bounds)
    return Tried(tried.keys + at.keys, at.today)


async def count_from(ctx: Context, what: str, *, bounds: Bounds = GUESSES) -> Tried:
    """The half of `count_try` that counts the network."""
    caller = network(ctx.origin.address)
    if not caller:
        return Tried()
    key = f"{what} from {caller}"
    await attempt(ctx, key, most=bounds.network, within=_NETWORK_WINDOW)
    return Tried((key,))


async def count_at(ctx: Context, what: str, account: str, *, is_known: bool = False, bounds: Bounds = GUESSES) -> Tried:
    """The half of `count_try` that counts the account."""
    at = f"at {account.strip().casefold()}{' known' if is_known else ''}"
    key, of_day = f"{what} {at}", f"{what} of a day {at}"
    await attempt(ctx, key, most=bounds.account, within=_ACCOUNT_WINDOW)
    if bounds.day is None:
        return Tried((key,))
    # After the other: what is refused within the quarter of an hour uses nothing of the day up.
    return Tried((key, of_day), await attempt(ctx, of_day, most=bounds.day, within=DAY))


async def count_mail(ctx: Context, email: str, *, is_known: bool = False) -> None:
    """Count a mail to a clean address that somebody asks for. Raises `TooManyAttempts`.

    Without its tag: ada+1@, ada+2@ and so on are mostly one mailbox.
    """
    mailbox, _, domain = email.rpartition("@")
    account = f"{mailbox.partition('+')[0] or mailbox}@{domain}"
    await count_try(ctx, "mail", account=account, is_known=is_known, bounds=MAILS)


async def give_tries_back(ctx: Context, tried: Tried) -> None:
    """What was tried turned out right: this attempt, and no other, is not held against anybody."""
    for key in tried.keys:
        await give_back(ctx, key)
