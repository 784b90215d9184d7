"""What keys plug in."""

from collections.abc import Sequence

from tenantry.identity import UserProven
from tenantry.kernel import Context, Module
from tenantry.kernel.module import Export
from tenantry.kernel.notices import tell

from . import queries
from .actions import activate_keys
from .api import router
from .events import KeyChanged, KeyIssued
from .resolving import resolve_key
from .rows import ApiKey


async def _proven(ctx: Context, event: UserProven) -> None:
    await activate_keys(ctx, event.user_id)


async def _tell(ctx: Context, event: KeyIssued | KeyChanged) -> None:
    await tell(ctx, "key", event.key_id)


async def _collect(ctx: Context) -> Sequence[ApiKey]:
    return await queries.page(ctx.db, ctx.holder.id, before=None, limit=10_000)


MODULE = Module(
    "keys",
    routers=[router],
    resolvers=[resolve_key],
    handlers={UserProven: _proven, KeyIssued: _tell, KeyChanged: _tell},
    exports=[Export("keys", _collect)],
    service={
        "known": "looks a key up by its hash, before anybody knows who asks",
        "issue": "locks the holder to count its keys, and writes what the API login may only read",
        "rename": "writes what the API login may only read",
        "rotate": "the same, and reads what it follows",
        "revoke": "writes what the API login may only read",
    },
)
