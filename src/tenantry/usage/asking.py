"""How `Leases` asks the database: two statements, each in a unit of its own on the service login, of many counters."""

from collections.abc import Sequence

from tenantry.kernel import Context
from tenantry.kernel.problems import DatabaseConflict

from .queries import exchange as queries
from .queries.exchange import Asked, Exchanged

Key = tuple[int, str]
"""A counter: its holder's id, as the number that it is, and the meter. A UUID hashes itself in Python."""

BATCH_MAX = 256
"""Counters in one statement."""
SPLIT_FROM = 48
"""From so many on half of them are left to the next exchange."""
FLIGHTS_MAX = {"sqlite": 1, "postgresql": 4}
"""Exchanges under way at a time: one that waits for a locked row does not hold up the others. A file has one writer."""
TRIES_MAX = 3
"""How often a statement is sent that the database refuses because of others: a deadlock, a file that is locked."""


def batch_of(ready: list[Key], kind: str) -> list[Key]:
    """Those of the counters that the next exchange asks for, in their order.

    Of many only half, where another exchange may ask for the rest meanwhile: then the database works on one half while
    this process works on the other.
    """
    splits = len(ready) >= SPLIT_FROM and FLIGHTS_MAX[kind] > 1
    return ready[: len(ready) // 2 if splits else BATCH_MAX][:BATCH_MAX]


async def exchanged(ctx: Context, asked: Sequence[Asked]) -> dict[Key, Exchanged]:
    """What each counter answers; those without a row are missing."""
    async with ctx.service(single=True) as working:
        return {(one.holder_id.int, one.meter): one for one in await queries.exchange(working.db, asked)}


async def opened(ctx: Context, asked: Sequence[Asked]) -> set[Key]:
    """Make the rows of the windows that are open now; answers whose there are new ones."""
    for _ in range(TRIES_MAX - 1):
        try:
            return await _open(ctx, asked)
        except DatabaseConflict:
            continue
    return await _open(ctx, asked)


async def _open(ctx: Context, asked: Sequence[Asked]) -> set[Key]:
    async with ctx.service(single=True) as working:
        return {(holder.int, meter) for holder, meter in await queries.open_windows(working.db, asked)}
