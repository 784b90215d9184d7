"""Who is behind a session cookie: one statement, asked once per request."""

from contextlib import suppress
from datetime import timedelta

from starlette.requests import Request

from tenantry.kernel.context import Actor, Holder, Resolved, system_context
from tenantry.kernel.crypto import token_hash
from tenantry.kernel.problems import DatabaseConflict, DatabaseUnavailable
from tenantry.kernel.runtime import Runtime
from tenantry.web import refuse_cross_site

from . import queries
from .cookies import session_token

TOUCH_EVERY = timedelta(minutes=5)


async def resolve_session(request: Request, runtime: Runtime) -> Resolved | None:
    """The user of the request's session cookie; None for no cookie, a malformed, unknown or expired one.

    A request that changes something and carries the cookie must come from our own pages: `CrossSiteRefused` is raised
    before the session is even looked for, so no route can forget it.
    """
    token = session_token(request, runtime.settings)
    if token is None:
        return None
    settings = runtime.settings
    refuse_cross_site(request, public_origin=settings.public_url, allowed_origins=settings.allowed_origins)
    async with system_context(runtime).service(writes=False) as ctx:
        found = await queries.sessions.live(ctx.db, token_hash(token))
    if found is None:
        return None
    await _touch(runtime, found)
    actor = Actor(
        "user",
        user_id=found.user_id,
        session_id=found.id,
        name=found.name,
        email=found.email,
        authenticated_at=found.authenticated_at,
    )
    holder = Holder(
        found.holder_id, found.kind, found.plan, found.revision, found.period_start, found.period_end
    )  # fmt: skip
    return Resolved(actor, holder)


async def _touch(runtime: Runtime, session: queries.sessions.LiveSession) -> None:
    """Note that the session is in use, and begin a sliding one's lifetime anew.

    Not at every request: a write costs more than the request's reads.
    """
    lifetime = runtime.product.session_lifetime
    every = min(TOUCH_EVERY, lifetime / 10)
    if session.last_seen_at is not None and runtime.clock.now() - session.last_seen_at < every:
        return
    # Whoever writes at the same moment notes it just as well, or the next request will.
    with suppress(DatabaseConflict, DatabaseUnavailable):
        async with system_context(runtime).service() as ctx:
            if runtime.product.sliding:
                await queries.sessions.slide(ctx.db, session.id, seconds=int(lifetime.total_seconds()))
            else:
                await queries.sessions.see(ctx.db, session.id)
