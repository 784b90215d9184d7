"""Signing in with a mailed link or its code; who has no account gets one, where the product lets people sign up so."""

from uuid import UUID

from tenantry.kernel import Context
from tenantry.kernel.database.failures import UniqueViolation
from tenantry.kernel.problems import DatabaseConflict
from tenantry.product import MagicLink

from .. import letters, queries, tokens
from ..errors import LinkExpired, ProviderUnknown
from ..letters import sign_in as mails
from ..limits import give_tries_back
from ..queries.tokens import Token
from ..tokens import Purpose
from .admission import Proof, admit, prove_address, refuse_closed
from .mailed import (
    Asking,
    Entered,
    KeyShown,
    Mailing,
    count_shown,
    look_up,
    origin_of,
    refuse_nobodys,
    send_mailing,
    use_up,
)
from .registration import register

METHOD = "link"


async def ask_for_link(ctx: Context, asking: Asking) -> UUID:
    """Mail a link and a code to an address; answers the challenge that the code belongs to. `ctx` has no open unit.

    Nobody gets a mail whose account is closed, or who has none and may not sign up this way; the answer is the same.
    Raises `ProviderUnknown` (404) where the product has no magic link, and `TooManyAttempts` (429).
    """
    way = _way(ctx)
    user = await look_up(ctx, asking)
    is_open = user is not None and user.deleted_at is None and not user.is_banned(ctx.clock.now())
    is_wanted = way.sign_up if user is None else is_open
    drawn = tokens.draw(Purpose.SIGN_IN)
    letter = mails.sign_in_letter(
        asking.words,
        ctx.product.name,
        letters.key_of(ctx, drawn),
        origin=letters.origin_in_words(asking.words, origin_of(ctx)),
        is_new=user is None,
    )
    detail = {} if is_wanted else {"nobody": True}
    return await send_mailing(ctx, asking, user, Mailing(Purpose.SIGN_IN, drawn, letter, detail, is_wanted))


async def sign_in_by_link(ctx: Context, shown: KeyShown, *, old_token: str | None) -> Entered:
    """Let in who shows a mail's link or code, once; the session of `old_token` ends with it.

    Raises `LinkExpired`, `CodeWrong`, `TooManyAttempts`, and what `admit` raises; after a refusal the mail is good as
    before.
    """
    tried = await count_shown(ctx, Purpose.SIGN_IN, shown)
    try:
        entered = await _entered(ctx, shown, old_token)
    except UniqueViolation:
        # Somebody registered this very address at the same moment; they are known now.
        try:
            entered = await _entered(ctx, shown, old_token)
        except UniqueViolation as again:
            raise DatabaseConflict(internal=f"sign-in collided twice on {again.constraint}") from again
    await give_tries_back(ctx, tried)
    return entered


async def _entered(ctx: Context, shown: KeyShown, old_token: str | None) -> Entered:
    async with ctx.service() as working:
        token = await use_up(working, Purpose.SIGN_IN, shown)
        refuse_nobodys(token)
        proof = await _proof(working, token)
        admission = await admit(working, proof, old_token=old_token)
        return Entered(admission, token.detail["return_to"])


async def _proof(ctx: Context, token: Token) -> Proof:
    user = await queries.users.of_email(ctx.db, token.identifier)
    if user is None:
        if token.user_id is not None or not _way(ctx).sign_up:
            # The user has another address by now.
            raise LinkExpired
        user_id = await register(ctx, token.identifier, name=None, method=METHOD)
        return Proof(user_id, METHOD)
    if token.user_id not in {None, user.id}:
        raise LinkExpired
    await prove_address(ctx, await refuse_closed(ctx, user.id))
    return Proof(user.id, METHOD)


def _way(ctx: Context) -> MagicLink:
    found = ctx.product.way_in(MagicLink)
    if found is None:
        raise ProviderUnknown
    return found
