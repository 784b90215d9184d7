"""Showing that one has a passkey: what is asked for, and whether what comes back is right.

A challenge is a token of `tokens.py`, for one ceremony of one kind, and for whom it was made. It is used up before
anything of the answer is looked at, so that of two who bring the same answer one is heard.
"""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

from tenantry.kernel import Context
from tenantry.kernel.attempts import attempt, network
from tenantry.kernel.audit import audit
from tenantry.kernel.problems import Unauthenticated
from tenantry.product import Passkey

from .. import queries, tokens
from ..ceremonies import check_signed, credential_id_of, request_options
from ..errors import LinkExpired, OtherProofNeeded, PasskeyExpired, PasskeyRefused, PasskeyUnknown, ProviderUnknown
from ..queries.passkeys import StoredPasskey
from ..queries.tokens import Token
from ..queries.users import KnownUser
from .admission import as_user
from .factors import Shown, Use
from .second_factor import Half


class Kind(StrEnum):
    """What a challenge is for."""

    REGISTER = "register"
    SIGN_IN = "sign-in"
    SECOND_FACTOR = "second-factor"
    CONFIRM = "confirm"


class Purport(msgspec.Struct, frozen=True):
    """What a challenge is for, for whom, and in which session or half of a sign-in; nobody and "" for strangers."""

    kind: Kind
    user_id: UUID | None = None
    place: str = ""


class Begun(msgspec.Struct, frozen=True):
    """A ceremony under way: `challenge` comes back with what the browser makes of `options`."""

    challenge: str
    options: dict[str, Any]


class Brought(msgspec.Struct, frozen=True):
    """What a browser brings back: the challenge, and the credential as its `toJSON()` writes it."""

    challenge: str
    credential: Mapping[str, Any]


class Proven(msgspec.Struct, frozen=True):
    """A right proof, which counts once `keep_proof` has noted it."""

    passkey_id: UUID
    user_id: UUID
    sign_count: int
    backed_up: bool


SIGN_IN = Purport(Kind.SIGN_IN)
CHALLENGES_MAX = 300
"""For a network, or a user, within ten minutes. Each look at the sign-in page takes one, where the browser offers
passkeys while one types."""
_CHALLENGES_WINDOW = timedelta(minutes=10)


def half_purport(half: Half) -> Purport:
    """A proof that finishes a sign-in."""
    return Purport(Kind.SECOND_FACTOR, half.user_id, str(half.id))


def confirm_purport(ctx: Context) -> Purport:
    """A proof that it is still the caller, in this session."""
    return Purport(Kind.CONFIRM, ctx.user_id, _session(ctx))


def register_purport(ctx: Context) -> Purport:
    """A new passkey of the caller, begun in this session."""
    return Purport(Kind.REGISTER, ctx.user_id, _session(ctx))


def require_offered(ctx: Context) -> None:
    """Raise `ProviderUnknown` (404) where the product has no passkeys."""
    if ctx.product.way_in(Passkey) is None:
        raise ProviderUnknown


async def ask_proof(ctx: Context, purport: Purport) -> Begun:
    """Ask a browser for a proof; of a user who is known already, for one of theirs. `ctx` has no open unit.

    Strangers are all answered the same. Raises `ProviderUnknown` where the product has no passkeys, `TooManyAttempts`,
    and `OtherProofNeeded` for a user who has none.
    """
    require_offered(ctx)
    if asking := purport.user_id or network(ctx.origin.address):
        await attempt(ctx, f"passkey challenges for {asking}", most=CHALLENGES_MAX, within=_CHALLENGES_WINDOW)
    async with ctx.service() as working:
        held = [] if purport.user_id is None else await queries.passkeys.held(working.db, purport.user_id)
        if purport.user_id is not None and not held:
            raise OtherProofNeeded
        challenge = await issue_challenge(working, purport)
    return Begun(challenge, await request_options(ctx, challenge, held))


async def issue_challenge(ctx: Context, purport: Purport) -> str:
    """Write a challenge into the open unit on the service login."""
    issued = await tokens.issue(
        ctx,
        tokens.Purpose.PASSKEY,
        purport.place or purport.kind.value,
        user_id=purport.user_id,
        detail={"kind": purport.kind.value},
    )
    return issued.token


async def use_challenge(ctx: Context, purport: Purport, challenge: str) -> None:
    """Use a challenge up, whatever it is for. `ctx` has no open unit. Raises `PasskeyExpired`, also for another's."""
    async with ctx.service() as working:
        used = await _used(working, challenge)
    _refuse_other(used, purport)


async def prove(ctx: Context, purport: Purport, brought: Brought) -> Proven:
    """Check a proof. `ctx` has no open unit.

    Raises `PasskeyExpired`, `PasskeyUnknown` also for somebody else's, and `PasskeyRefused`: another site, nobody
    verified, a wrong signature, or a counter that went back, which means that the passkey was copied.
    """
    require_offered(ctx)
    credential_id = credential_id_of(brought.credential)
    async with ctx.service() as working:
        used = await _used(working, brought.challenge)
        stored = await queries.passkeys.of_credential(working.db, credential_id) if credential_id else None
    _refuse_other(used, purport)
    if stored is None or purport.user_id not in {None, stored.user_id}:
        raise PasskeyUnknown
    signed = await check_signed(ctx, brought.challenge, brought.credential, stored.public_key)
    # Where nobody was asked by name, the device says whose passkey it is, and must say so (7.2, step 6).
    if signed.handle != stored.user_id.bytes and (signed.handle is not None or purport.user_id is None):
        raise PasskeyRefused(internal="the user handle is another user's, or is missing")
    if 0 < stored.sign_count >= signed.sign_count:
        await _tell_of_copy(ctx, stored, signed.sign_count)
        raise PasskeyRefused(internal="the counter went back")
    return Proven(stored.id, stored.user_id, signed.sign_count, signed.backed_up)


async def keep_proof(ctx: Context, proven: Proven) -> None:
    """Note a proof in the open unit on the service login, which holds the user.

    Raises `PasskeyRefused` when the passkey was removed meanwhile, or its counter is past this proof's.
    """
    if not await queries.passkeys.use(
        ctx.db, proven.user_id, proven.passkey_id, count=proven.sign_count, backed_up=proven.backed_up
    ):
        raise PasskeyRefused(internal="removed, or used with the same counter, meanwhile")


def passkey(ctx: Context, purport: Purport, brought: Brought) -> Shown:
    """A passkey as a second factor, or for confirming."""

    async def look(user: UUID) -> Use:
        if user != purport.user_id:
            raise PasskeyUnknown
        proven = await prove(ctx, purport, brought)

        async def use(working: Context, _user: KnownUser) -> None:
            await keep_proof(working, proven)

        return use

    return Shown("passkey", look)


def _session(ctx: Context) -> str:
    if ctx.actor.session_id is None:
        raise Unauthenticated
    return str(ctx.actor.session_id)


async def _used(ctx: Context, challenge: str) -> Token | None:
    # Not raised here: what was used up must stay so.
    try:
        return await tokens.use(ctx, tokens.Purpose.PASSKEY, challenge)
    except LinkExpired:
        return None


def _refuse_other(used: Token | None, purport: Purport) -> None:
    if used is None:
        raise PasskeyExpired
    meant = (purport.kind.value, purport.user_id, purport.place or purport.kind.value)
    if (used.detail["kind"], used.user_id, used.identifier) != meant:
        raise PasskeyExpired(internal=f"the challenge was for {used.detail['kind']}, or somebody else")


async def _tell_of_copy(ctx: Context, stored: StoredPasskey, count: int) -> None:
    async with ctx.service() as working:
        await audit(
            as_user(working, stored.user_id),
            "passkey.copy_refused",
            subject=("passkey", stored.id),
            detail={"counter": count, "last": stored.sign_count},
        )
