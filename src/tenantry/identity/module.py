"""What identity plugs in."""

from collections.abc import Sequence

from tenantry.kernel import Context, Module
from tenantry.kernel.module import Export

from . import api, pages, queries
from .checks import check_sign_in
from .jobs import FORGET_SESSIONS, FORGET_TOKENS
from .resolving import resolve_session


async def _user(ctx: Context) -> queries.users.User | None:
    return await queries.users.by_id(ctx.db, ctx.user_id)


async def _accounts(ctx: Context) -> Sequence[queries.accounts.Account]:
    return await queries.accounts.of_user(ctx.db, ctx.user_id)


async def _sessions(ctx: Context) -> Sequence[queries.sessions.Session]:
    return await queries.sessions.of_user(ctx.db, ctx.user_id, limit=1000)


MODULE = Module(
    "identity",
    routers=api.ROUTERS,
    pages=pages.ROUTERS,
    resolvers=[resolve_session],
    jobs=[FORGET_SESSIONS, FORGET_TOKENS],
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
        "forget_expired_tokens": "deletes expired verification tokens of everybody",
    },
)
