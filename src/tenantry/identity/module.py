"""What identity plugs in."""

from collections.abc import Sequence

from tenantry.kernel import Context, Module
from tenantry.kernel.module import Export

from . import queries
from .api import router as api
from .checks import check_sign_in
from .jobs import FORGET_SESSIONS
from .pages import router as pages
from .resolving import resolve_session


async def _user(ctx: Context) -> queries.User | None:
    return await queries.user_by_id(ctx.db, ctx.user_id)


async def _accounts(ctx: Context) -> Sequence[queries.Account]:
    return await queries.accounts_of(ctx.db, ctx.user_id)


async def _sessions(ctx: Context) -> Sequence[queries.Session]:
    return await queries.sessions_of(ctx.db, ctx.user_id, limit=1000)


MODULE = Module(
    "identity",
    routers=[api],
    pages=[pages],
    resolvers=[resolve_session],
    jobs=[FORGET_SESSIONS],
    checks=[check_sign_in],
    exports=[Export("user", _user), Export("accounts", _accounts), Export("sessions", _sessions)],
    public={
        "GET /signin": "who wants to sign in is not signed in yet",
        "GET /auth/{provider}/start": "begins a sign-in; the sealed cookie it sets ties the rest to this browser",
        "GET /auth/{provider}/callback": "ends a sign-in that the same browser began",
        "POST /auth/signout": "works without a session too, so that an old page's button does no harm",
    },
    service={
        "resolve_session": "looks a session up by its token's hash, which nobody else may read",
        "finish_sign_in": "knows or registers a person who is nobody here yet, and writes the session",
        "sign_out": "ends the session of a token, which the API login cannot look for",
        "forget_expired_sessions": "deletes expired sessions of every user",
    },
)
