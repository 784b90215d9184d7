"""What keys plug in."""

from collections.abc import Sequence
from datetime import timedelta

from tenantry.identity import UserProven
from tenantry.kernel import Context, Module
from tenantry.kernel.module import Export, Job, NavItem
from tenantry.kernel.notices import tell
from tenantry.kernel.permissions import member_may
from tenantry.web import mark

from . import queries
from .actions import ISSUE_SERVICE_KEYS, KEYS_READ, KEYS_WRITE, settle_proven
from .api import router
from .calls.api import router as calls_router
from .calls.figures import call_figures
from .calls.keeping import forget_calls, make_room
from .calls.pages import router as call_pages_router
from .events import KeyChanged, KeyIssued
from .pages import router as pages_router
from .resolving import resolve_key
from .rows import ApiKey


async def _proven(ctx: Context, event: UserProven) -> None:
    await settle_proven(ctx, event.user_id, was_here=event.was_here)


async def _tell(ctx: Context, event: KeyIssued | KeyChanged) -> None:
    await tell(ctx, "key", event.key_id)


async def _collect(ctx: Context) -> Sequence[ApiKey]:
    if not member_may(ctx, KEYS_READ):
        return []
    return await queries.page(ctx.db, ctx.holder.id, before=None, limit=10_000)


MODULE = Module(
    "keys",
    routers=[router, calls_router],
    pages=[pages_router, call_pages_router],
    nav=[NavItem(mark("API keys"), "/keys", order=20, icon="key")],
    permissions=[KEYS_READ, KEYS_WRITE, ISSUE_SERVICE_KEYS],
    resolvers=[resolve_key],
    handlers={UserProven: _proven, KeyIssued: _tell, KeyChanged: _tell},
    exports=[Export("keys", _collect)],
    jobs=[
        # Also when the first worker starts: then its day's job has not run yet.
        Job("keys.make_room", make_room, every=timedelta(days=1)),
        Job("keys.forget_calls", forget_calls, every=timedelta(hours=1)),
    ],
    figures=[call_figures],
    service={
        "known": "looks a key up by its hash, before anybody knows who asks",
        "makers_of": "reads the names of who made an organization's keys, which members may not",
        "issue_for": "looks up whose key an operator makes",
        "issue": "locks the holder to count its keys, and writes what the API login may only read",
        "rename": "writes what the API login may only read",
        "rotate": "the same, and reads what it follows",
        "revoke": "writes what the API login may only read",
        "log": "writes the calls of anybody's keys, many at once, apart from their units",
        "keeping": "makes and drops partitions, whosever calls are in them",
    },
)
