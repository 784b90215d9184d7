"""The keys of trial workspaces. A door of its own, beside that of the room, for who keeps the workspaces.

Everything else of the room works on such keys as on a person's: with a context whose holder is the workspace's.
"""

from uuid import UUID

from tenantry.kernel import Context
from tenantry.usage.stocks import refuse_when_full

from . import queries
from .api import IssuedKey, IssueKey, KeyEntry, KeyList, listed_keys, made_key
from .errors import KeyNotFound, ScopeReserved, ScopeUnknown, TierTooHigh, TrialEnded

__all__ = [
    "IssueKey",
    "IssuedKey",
    "KeyEntry",
    "KeyList",
    "KeyNotFound",
    "ScopeReserved",
    "ScopeUnknown",
    "TierTooHigh",
    "TrialEnded",
    "listed_keys",
    "made_key",
    "move_keys",
]


async def move_keys(ctx: Context, holder_id: UUID, to: UUID, *, within_limit: bool) -> int:
    """Give all keys of a holder to another in the open unit; answers how many. What was called with them goes along.

    A call that is written at that moment is waited for. Nothing else is to be told: who knows the keys is told of the
    holder. `within_limit` raises `LimitReached` when the new holder's plan does not allow so many; else they are kept,
    and no further one is made. Needs the service login.
    """
    count = ctx.product.keys and ctx.product.keys.count
    if within_limit and count:
        more = await queries.places(ctx.db, holder_id)
        await refuse_when_full(ctx, count, lambda inside: queries.places(inside.db, to), more=more, holder_id=to)
    return await queries.move(ctx.db, holder_id, to)
