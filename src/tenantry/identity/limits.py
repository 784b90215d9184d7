"""How often something may be tried: from one network, and at one account.

Both are counted, and committed, before anything is compared. A browser that was signed in to the account before counts
apart, so that a stranger who fails on purpose does not lock the owner out of it there; everybody else waits a quarter
of an hour at most.
"""

from datetime import timedelta

import msgspec

from tenantry.kernel import Context
from tenantry.kernel.attempts import attempt, give_back, network

FROM_A_NETWORK = 100
"""Within ten minutes; an office behind one address passes, a guesser does not."""
AT_AN_ACCOUNT = 10
"""Within a quarter of an hour."""
_NETWORK_WINDOW, _ACCOUNT_WINDOW = timedelta(minutes=10), timedelta(minutes=15)


class Tried(msgspec.Struct, frozen=True):
    """An attempt that was counted, and what under."""

    keys: tuple[str, ...]


async def count_try(
    ctx: Context, what: str, *, account: str | None = None, is_known: bool = False, most: int = AT_AN_ACCOUNT
) -> Tried:
    """Count one attempt at `what` ("password", "reset"); `ctx` has no open unit. Raises `TooManyAttempts` (429).

    `account` is an address as it was typed, or a user's id: it counts whether or not there is such an account.
    `is_known` says that this browser was signed in to it before (`known_device.knows`).
    """
    keys = []
    if caller := network(ctx.origin.address):
        keys.append(f"{what} from {caller}")
        await attempt(ctx, keys[-1], most=FROM_A_NETWORK, within=_NETWORK_WINDOW)
    if account is not None:
        keys.append(f"{what} at {account.strip().casefold()}{' known' if is_known else ''}")
        await attempt(ctx, keys[-1], most=most, within=_ACCOUNT_WINDOW)
    return Tried(tuple(keys))


async def give_tries_back(ctx: Context, tried: Tried) -> None:
    """What was tried turned out right: this attempt, and no other, is not held against anybody."""
    for key in tried.keys:
        await give_back(ctx, key)
