"""The sealed note of a mail that this browser asked for: it holds the challenge that the mailed code belongs to."""

from datetime import timedelta
from uuid import UUID

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tenantry.kernel import Context

from . import cookies
from .tokens import Purpose

_PURPOSE = "asked"
_NAME = "asked"


class Asked(msgspec.Struct, frozen=True):
    """A mail under way. `challenge` is the id that `tokens.use_code` wants; it says nothing about who has an account.

    For an address that nobody has it is an id of nothing: the browser cannot tell.
    """

    purpose: Purpose
    challenge: UUID
    email: str
    return_to: str = ""


def keep_asked(response: Response, asked: Asked, *, ctx: Context) -> None:
    """Note in the browser what it asked for."""
    lifetime = min(asked.purpose.lifetime, timedelta(hours=24))
    data = msgspec.to_builtins(asked)
    sealed = ctx.runtime.vault.seal_cookie(data, purpose=_PURPOSE, expires_at=ctx.clock.now() + lifetime)
    cookies.put(response, cookies.name_of(_NAME, ctx.settings), sealed, lifetime, ctx.settings)


def read_asked(request: Request, *, ctx: Context) -> Asked | None:
    """What this browser asked for last; None when that is too long ago, or not ours."""
    sealed = cookies.value_of(request, cookies.name_of(_NAME, ctx.settings))
    opened = ctx.runtime.vault.open_cookie(sealed, purpose=_PURPOSE, now=ctx.clock.now())
    try:
        return msgspec.convert(opened, Asked, strict=False) if opened is not None else None
    except msgspec.ValidationError:
        return None  # Noted by another version of this program.


def drop_asked(response: Response, request: Request, *, ctx: Context) -> None:
    """Take the note away, if the browser has it."""
    name = cookies.name_of(_NAME, ctx.settings)
    if cookies.values_of(request, name):
        cookies.put(response, name, "", timedelta(0), ctx.settings)
