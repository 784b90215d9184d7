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

SLIDE_EVERY = timedelta(minutes=5)


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
        found = await queries.live_session(ctx.db, token_hash(token))
    if found is None:
        return None
    if runtime.product.sliding:
        await _slide(runtime, found)
    actor = Actor("user", user_id=found.user_id, session_id=found.id, name=found.name, email=found.email)
    holder = Holder(
        found.holder_id, found.kind, found.plan, found.revision, found.period_start, found.period_end
    )  # fmt: skip
    return Resolved(actor, holder)


async def _slide(runtime: Runtime, session: queries.LiveSession) -> None:
    """Begin the session's lifetime anew, but not at every request: a write costs more than the request's reads."""
    lifetime = runtime.product.session_lifetime
    unused = lifetime - (session.expires_at - runtime.clock.now())
    if unused < min(SLIDE_EVERY, lifetime / 10):
        return
    # Whoever writes at the same moment slides it just as well, or the next request will.
    with suppress(DatabaseConflict, DatabaseUnavailable):
        async with system_context(runtime).service() as ctx:
            await queries.slide(ctx.db, session.id, seconds=int(lifetime.total_seconds()))
