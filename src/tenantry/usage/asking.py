"""The two statements by which `Leases` asks the database, each in a unit of its own on the service login."""

from collections.abc import Sequence
from uuid import UUID

from tenantry.kernel import Context
from tenantry.kernel.problems import DatabaseConflict

from .queries import exchange as queries
from .queries.exchange import Asked, Exchanged

Key = tuple[UUID, str]

TRIES_MAX = 3
"""How often a statement is sent that the database refuses because of others: a deadlock, a file that is locked."""


async def exchanged(ctx: Context, asked: Sequence[Asked]) -> dict[Key, Exchanged]:
    """What each counter answers; those without a row are missing."""
    async with ctx.service(single=True) as working:
        return {(one.holder_id, one.meter): one for one in await queries.exchange(working.db, asked)}


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
        return await queries.open_windows(working.db, asked)
