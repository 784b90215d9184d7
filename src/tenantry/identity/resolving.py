"""Who is behind a session's token, in a cookie or as a bearer: one statement, asked once per request."""

from contextlib import suppress
from datetime import timedelta

from starlette.requests import Request

from tenantry.kernel.context import SERVICE, Actor, Resolved, system_context
from tenantry.kernel.crypto import token_hash
from tenantry.kernel.database import Unit
from tenantry.kernel.problems import DatabaseConflict, DatabaseUnavailable
from tenantry.kernel.runtime import Runtime
from tenantry.web import refuse_cross_site

from . import queries
from .bearer import presented_token
from .looking import look
from .lookup import LiveSession, SessionLookup, permissions_of

TOUCH_EVERY = timedelta(minutes=5)


async def resolve_session(request: Request, runtime: Runtime) -> Resolved | None:
    """The user of the request's session; None for no token, a malformed, unknown or expired one.

    A request that changes something by the cookie must come from our own pages: `CrossSiteRefused` is raised before
    the session is even looked for, so no route can forget it. A bearer is put there by a program, never by a browser
    on another site's behalf, and the cookie beside it counts for nothing.
    """
    settings = runtime.settings
    token, is_cookie = presented_token(request, settings)
    if token is None:
        return None
    if is_cookie:
        refuse_cross_site(request, public_origin=settings.public_url, allowed_origins=settings.allowed_origins)
    # Every signed-in request comes by here. A unit that reads holds nothing and needs no end, so it is not entered.
    reading: Unit = runtime.service.unit(SERVICE, writes=False)
    found = await runtime.port(SessionLookup).find(reading, token_hash(token))
    if found is None:
        return None
    session, looking = found.session, None
    if session.impersonator_id is not None and (looking := await look(request, reading, session)) is None:
        return None
    if _is_due(runtime, session):
        await _touch(runtime, session)
    actor = Actor(
        "user",
        user_id=session.user_id,
        session_id=session.id,
        organization_ids=found.organization_ids,
        organization_names=found.organization_names,
        organization_id=found.organization_id,
        organization_role=found.role,
        permissions=permissions_of(runtime.rights, found),
        name=session.name,
        email=session.email,
        # Whoever looks through another's eyes has proven nothing in that person's name.
        authenticated_at=None if looking else session.authenticated_at,
        impersonator_id=session.impersonator_id,
        impersonation=looking,
    )
    return Resolved(actor, found.holder)


def _is_due(runtime: Runtime, session: LiveSession) -> bool:
    """Whether its use is to be noted again. Not at every request: a write costs more than the request's reads."""
    seen, product = session.last_seen_at, runtime.product
    every = min(TOUCH_EVERY, product.session_lifetime / 10) if product.sliding else TOUCH_EVERY
    return seen is None or runtime.clock.now() - seen >= every


async def _touch(runtime: Runtime, session: LiveSession) -> None:
    """Note that the session is in use, and begin a sliding one's lifetime anew."""
    product = runtime.product
    # Whoever writes at the same moment notes it just as well, or the next request will.
    with suppress(DatabaseConflict, DatabaseUnavailable):
        async with system_context(runtime).service() as ctx:
            if product.sliding and session.impersonator_id is None:
                await queries.sessions.slide(
                    ctx.db, session.id, lifetime=product.session_lifetime, longest=product.session_lifetime_max
                )
            else:
                await queries.sessions.see(ctx.db, session.id)
