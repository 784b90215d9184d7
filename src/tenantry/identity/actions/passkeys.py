"""Passkeys: adding, naming and removing one's own, and signing in with one."""

from uuid import UUID

import msgspec

from tenantry.kernel import Context, new_id
from tenantry.kernel.audit import audit
from tenantry.kernel.database.failures import UniqueViolation
from tenantry.web import Translator

from .. import letters, queries
from ..ceremonies import Made, Person, check_made, creation_options
from ..errors import PasskeyNotFound, PasskeysFull, PasskeyTaken
from ..letters import passkeys as texts
from ..limits import count_try, give_tries_back
from ..queries.passkeys import Passkey
from ..recent import require_recent
from .admission import Admission, Proof, admit, hold_caller, refuse_closed
from .passkey_proofs import (
    SIGN_IN,
    Begun,
    Brought,
    issue_challenge,
    keep_proof,
    prove,
    register_purport,
    require_offered,
    use_challenge,
)
from .recovery_codes import forget_useless_codes, write_codes
from .sessions import refuse_ended
from .ways_in import keep_a_way_in

METHOD = "passkey"
PASSKEYS_MAX = 20
"""Of one person."""


class Added(msgspec.Struct, frozen=True):
    """A new passkey, and new recovery codes where there was no unused one from before."""

    passkey: Passkey
    recovery_codes: list[str]


async def begin_passkey(ctx: Context) -> Begun:
    """Begin to make a passkey for the signed-in user. `ctx` has no open unit.

    Raises `ProviderUnknown` where the product has none, `ConfirmationNeeded`, `PasskeysFull`.
    """
    require_offered(ctx)
    require_recent(ctx)
    async with ctx.service() as working:
        user = await hold_caller(working)
        held = await queries.passkeys.held(working.db, user.id)
        if len(held) >= PASSKEYS_MAX:
            raise PasskeysFull
        challenge = await issue_challenge(working, register_purport(ctx))
    person = Person(user.id.bytes, user.email, user.name or user.email)
    return Begun(challenge, await creation_options(ctx, challenge, person, held))


async def add_passkey(ctx: Context, name: str, brought: Brought, words: Translator) -> Added:
    """Keep the passkey that was begun. The owner is told by mail. `ctx` has no open unit.

    Raises what `begin_passkey` does, `PasskeyExpired`, `PasskeyRefused`, `PasskeyTaken`, `Unauthenticated` when the
    session has ended meanwhile.
    """
    require_offered(ctx)
    require_recent(ctx)
    await use_challenge(ctx, register_purport(ctx), brought.challenge)
    made = await check_made(ctx, brought.challenge, brought.credential)
    drawn = letters.draw(ctx, texts.added(ctx, words, name), words)
    try:
        async with ctx.service() as working:
            user = await hold_caller(working)
            await refuse_ended(working)
            added = await _kept(working, user.id, name, made)
            await letters.post(working, user.email, drawn)
    except UniqueViolation as taken:
        if taken.constraint != "uq_passkeys_credential_id":
            raise
        raise PasskeyTaken from taken
    return added


async def rename_passkey(ctx: Context, passkey: UUID, name: str) -> None:
    """Call one of the caller's own passkeys something else, in the open unit. Raises `PasskeyNotFound`."""
    if not await queries.passkeys.rename(ctx.db, ctx.user_id, passkey, name):
        raise PasskeyNotFound
    await audit(ctx, "passkey.renamed", subject=("passkey", passkey))


async def remove_passkey(ctx: Context, passkey: UUID, words: Translator) -> None:
    """Take one of the signed-in user's passkeys away, unless it is the last way in. The owner is told by mail.

    Whoever signed in with a passkey elsewhere is signed out: the device may be lost. With the last second factor go the
    recovery codes. `ctx` has no open unit. Raises `ConfirmationNeeded`, `PasskeyNotFound`, `LastWayIn`.
    """
    require_recent(ctx)
    async with ctx.unit(writes=False) as reading:
        found = await queries.passkeys.one(reading.db, ctx.user_id, passkey)
    if found is None:
        raise PasskeyNotFound
    drawn = letters.draw(ctx, texts.removed(ctx, words, found.name), words)
    async with ctx.service() as working:
        user = await hold_caller(working)
        if not await queries.passkeys.remove(working.db, user.id, passkey):
            raise PasskeyNotFound
        await keep_a_way_in(working, user.id)
        await forget_useless_codes(working, user.id)
        ended = await queries.sessions.end_others_of(working.db, user.id, METHOD, kept=ctx.actor.session_id)
        await audit(working, "passkey.removed", subject=("passkey", passkey), detail={"sessions": ended})
        await letters.post(working, user.email, drawn)


async def sign_in_with_passkey(ctx: Context, brought: Brought, *, old_token: str | None) -> Admission:
    """Let in who shows a passkey; the session of `old_token` ends. `ctx` has no open unit.

    Raises `ProviderUnknown`, `TooManyAttempts`, what `prove` does, and after a right proof `UserBanned` and
    `UserDeleted`.
    """
    require_offered(ctx)
    tried = await count_try(ctx, METHOD)
    proven = await prove(ctx, SIGN_IN, brought)
    async with ctx.service() as working:
        # Before the passkey, as everybody does who changes it.
        await refuse_closed(working, proven.user_id)
        await keep_proof(working, proven)
        admission = await admit(working, Proof(proven.user_id, METHOD), old_token=old_token)
    await give_tries_back(ctx, tried)
    return admission


async def _kept(ctx: Context, user: UUID, name: str, made: Made) -> Added:
    if len(await queries.passkeys.held(ctx.db, user)) >= PASSKEYS_MAX:
        raise PasskeysFull
    passkey = new_id()
    await queries.passkeys.add(
        ctx.db,
        user,
        passkey,
        name=name,
        credential=made.credential_id,
        key=made.public_key,
        count=made.sign_count,
        transports=made.transports,
        aaguid=made.aaguid,
        backed_up=made.backed_up,
    )
    has_codes = (await queries.factors.of_user(ctx.db, user)).recovery_codes > 0
    codes = [] if has_codes else await write_codes(ctx, user)
    await audit(ctx, "passkey.added", subject=("passkey", passkey), detail={"aaguid": made.aaguid})
    kept = await queries.passkeys.one(ctx.db, user, passkey)
    if kept is None:
        raise PasskeyNotFound
    return Added(kept, codes)
