"""Whoever shows an API key, in any request: `Authorization: Bearer ...` or `X-API-Key: ...`."""

from starlette.requests import Request

from tenantry.kernel.context import Resolved, system_context
from tenantry.kernel.ended import when_ended
from tenantry.kernel.runtime import Runtime

from .calls.noting import note_call
from .errors import (
    HolderSuspended,
    KeyExpired,
    KeyPending,
    KeyRevoked,
    KeyUnknown,
    OwnerBanned,
    OwnerClosed,
    TrialEnded,
)
from .known import KnownKeys
from .secrets import has_form

HEADER = b"x-api-key"
_SCHEME = b"bearer "


async def resolve_key(request: Request, runtime: Runtime) -> Resolved | None:
    """The holder of the key that was shown; None when the request carries none.

    A bearer of another form is somebody else's; whatever `X-API-Key` carries is meant to be a key. Raises what is the
    matter with one that does not work.
    """
    secret = presented_key(request.scope["headers"])
    if secret is None:
        return None
    known = runtime.port(KnownKeys)
    key = known.remembered(secret, runtime.clock.monotonic()) or await known.ask(system_context(runtime), secret)
    if key.refusal is not None:
        raise key.refusal
    when_ended(request.scope, note_call)
    return key.by


def presented_key(headers: list[tuple[bytes, bytes]]) -> str | None:
    """The key in a request's headers, as it was sent; None for none. The bearer wins over `X-API-Key`."""
    found = None
    for name, value in headers:
        if name == b"authorization" and value[:7].lower() == _SCHEME:
            bearer = value[7:].strip().decode("latin-1")
            if has_form(bearer):
                return bearer
        elif name == HEADER and found is None:
            found = value.strip().decode("latin-1")
    return found


# The description of the API has them for every route that asks who calls.
vars(resolve_key)["problems"] = (
    KeyUnknown,
    KeyRevoked,
    KeyExpired,
    KeyPending,
    OwnerBanned,
    OwnerClosed,
    TrialEnded,
    HolderSuspended,
)
