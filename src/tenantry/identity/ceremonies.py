"""The two ceremonies of WebAuthn: making a passkey, and showing that one has it (Web Authentication, Level 3, 7).

Here are the words we use for them; `webauthn.py` speaks the standard's, and is loaded by the first ceremony.
"""

import asyncio
import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, cast
from urllib.parse import urlsplit

import msgspec

from tenantry.kernel import Context
from tenantry.kernel.database import refuse_while_open
from tenantry.kernel.extras import extra

from .queries.passkeys import HeldPasskey

CREDENTIAL_ID_BYTES_MAX = 1023
Credential = Mapping[str, Any]
"""What the browser gave, as its `toJSON()` writes it."""
_STANDARD = f"{__package__}.webauthn"


class Site(msgspec.Struct, frozen=True):
    """For whom a passkey is: the host its browser binds it to, what people read, and where pages come from."""

    id: str
    name: str
    origin: str


class Person(msgspec.Struct, frozen=True):
    """Whose passkey it is to be: `handle` comes back with every proof, the names are shown by the device."""

    handle: bytes
    name: str
    display_name: str


class Made(msgspec.Struct, frozen=True):
    """A passkey that a device has made."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    transports: list[str]
    aaguid: str | None
    backed_up: bool


class Signed(msgspec.Struct, frozen=True):
    """What a right proof said beside. `handle` is absent where the device was told which passkey to use."""

    handle: bytes | None
    sign_count: int
    backed_up: bool


def site_of(ctx: Context) -> Site:
    """This installation, by its settings and never by the request."""
    return Site(urlsplit(ctx.settings.public_url).hostname or "", ctx.product.name, ctx.settings.public_url)


async def creation_options(ctx: Context, challenge: str, person: Person, held: Sequence[HeldPasskey]) -> dict[str, Any]:
    """What `navigator.credentials.create()` is given, as JSON: discoverable, the person verified, no attestation."""
    return cast("dict[str, Any]", await _run(ctx, "creation_options", challenge, person, held))


async def request_options(ctx: Context, challenge: str, allowed: Sequence[HeldPasskey] = ()) -> dict[str, Any]:
    """What `navigator.credentials.get()` is given, as JSON; with none allowed the person picks one of theirs."""
    return cast("dict[str, Any]", await _run(ctx, "request_options", challenge, allowed))


async def check_made(ctx: Context, challenge: str, credential: Credential) -> Made:
    """The passkey a browser says was made for this challenge. `ctx` has no open unit. Raises `PasskeyRefused`."""
    return cast("Made", await _run(ctx, "check_made", challenge, credential))


async def check_signed(ctx: Context, challenge: str, credential: Credential, public_key: bytes) -> Signed:
    """Whether the passkey of this key signed this challenge here, and the person was verified.

    The counter is the caller's to compare. `ctx` has no open unit. Raises `PasskeyRefused`.
    """
    return cast("Signed", await _run(ctx, "check_signed", challenge, credential, public_key))


def credential_id_of(credential: Credential) -> bytes | None:
    """Which passkey a browser says it used; None for what cannot be one."""
    named = credential.get("id")
    if not isinstance(named, str) or len(named) > 2 * CREDENTIAL_ID_BYTES_MAX:
        return None
    try:
        found = base64.b64decode(f"{named}{'=' * (-len(named) % 4)}", altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return found if 0 < len(found) <= CREDENTIAL_ID_BYTES_MAX else None


async def _run(ctx: Context, name: str, *given: Any) -> Any:
    refuse_while_open(f"a passkey's {name}")
    # In a thread: the first time a tenth of a second of modules is read, then there is a signature to check.
    return await asyncio.to_thread(lambda: getattr(extra(_STANDARD), name)(site_of(ctx), *given))
