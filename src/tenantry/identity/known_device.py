"""The cookie by which a browser is known to have been signed in to an account before. It opens nothing.

It only gives this browser a count of its own when wrong passwords are counted, see `limits.py`.
"""

from datetime import timedelta
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from tenantry.kernel import Context

from . import cookies

LIFETIME = timedelta(days=365)
USERS_MAX = 5
_PURPOSE = "known-device"


def remember(response: Response, request: Request, user: UUID, *, ctx: Context) -> None:
    """Note that this user was signed in with this browser; it knows the last five."""
    users = [str(user), *(one for one in _users(request, ctx) if one != str(user))][:USERS_MAX]
    sealed = ctx.runtime.vault.seal_cookie({"users": users}, purpose=_PURPOSE, expires_at=ctx.clock.now() + LIFETIME)
    cookies.put(response, cookies.name_of("device", ctx.settings), sealed, LIFETIME, ctx.settings)


def knows(request: Request, user: UUID, *, ctx: Context) -> bool:
    """Whether this user was signed in with this browser before."""
    return str(user) in _users(request, ctx)


def _users(request: Request, ctx: Context) -> list[str]:
    sealed = cookies.value_of(request, cookies.name_of("device", ctx.settings))
    opened = ctx.runtime.vault.open_cookie(sealed, purpose=_PURPOSE, now=ctx.clock.now())
    users = opened.get("users") if opened else None
    return [one for one in users if isinstance(one, str)] if isinstance(users, list) else []
