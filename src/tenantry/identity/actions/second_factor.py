"""The second half of a sign-in: who has shown one thing shows another, and only then is there a session."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec

from tenantry.kernel import Context
from tenantry.kernel.attempts import TooManyAttempts, attempt, give_back
from tenantry.kernel.audit import audit
from tenantry.web import Translator

from .. import letters, queries, tokens
from ..errors import LinkExpired, SignInExpired
from ..letters import factors as texts
from ..limits import DAY, GUESSES, SIX_DIGITS, Tried, count_at, count_from, give_tries_back
from .admission import as_user, refuse_closed
from .factors import Shown
from .sessions import Started, start_session

HALF_TRIES = 5
"""At one half of a sign-in; one begins anew then."""
SIGN_IN, CONFIRM = "second factor", "confirm"
"""What tries at a second factor are for."""


class Half(msgspec.Struct, frozen=True):
    """A sign-in that waits for its second proof, and what may be brought."""

    id: UUID
    user_id: UUID
    token: str
    factors: tuple[str, ...]


async def find_half(ctx: Context, token: str | None) -> Half:
    """The half that a token stands for, left as it is. `ctx` has no open unit. Raises `SignInExpired`."""
    async with ctx.service(writes=False) as working:
        try:
            found = await tokens.find(working, tokens.Purpose.SECOND_FACTOR, token or "")
        except LinkExpired:
            raise SignInExpired from None
        if found.user_id is None:
            raise SignInExpired
        factors = await queries.factors.of_user(working.db, found.user_id)
        return Half(found.id, found.user_id, token or "", factors.asked(ctx.product))


async def pass_second_factor(
    ctx: Context, half: Half, shown: Shown, *, old_token: str | None, is_known: bool, words: Translator
) -> Started:
    """Let in who shows a second factor; the session of `old_token` ends. `ctx` has no open unit.

    The try is counted first, five at one half, and at the user (`count_factor`). A wrong one leaves the half as it is,
    a right one uses both up. Raises `TooManyAttempts`, `CodeWrong`, `SignInExpired` when somebody was faster,
    `UserBanned` and `UserDeleted`.
    """
    own = f"half {half.id}"
    await attempt(ctx, own, most=HALF_TRIES, within=tokens.Purpose.SECOND_FACTOR.lifetime + timedelta(minutes=1))
    tried = await count_factor(ctx, SIGN_IN, shown.kind, half.user_id, is_known=is_known, words=words)
    use = await shown.look(half.user_id)
    async with ctx.service() as working:
        user = await refuse_closed(working, half.user_id)
        detail = await _used(working, half)
        await use(working, user)
        account = await _account(working, user.id, detail)
        await audit(
            as_user(working, user.id),
            "sign_in.second_factor_passed",
            subject=("user", user.id),
            detail={"factor": shown.kind},
        )
        started = await start_session(
            working, user.id, method=detail["method"], account_id=account, old_token=old_token
        )
    await give_back(ctx, own)
    await give_tries_back(ctx, tried)
    return started


async def count_factor(ctx: Context, what: str, kind: str, user: UUID, *, is_known: bool, words: Translator) -> Tried:
    """Count a try at somebody's second factor, however many sign-ins they begin. Raises `TooManyAttempts`.

    Each kind counts apart: whoever uses up the tries at the app's codes keeps the owner from neither recovery codes nor
    passkeys, which nobody guesses; a passkey counts at the network only. Of more than a quarter of an hour may hold,
    in that time or in a day, the owner is told by mail, once a day. `ctx` has no open unit.
    """
    tried = await count_from(ctx, what)
    if kind == "passkey":
        return tried
    bounds = SIX_DIGITS if kind == "totp" else GUESSES
    try:
        at = await count_at(ctx, f"{what} {kind}", str(user), is_known=is_known, bounds=bounds)
    except TooManyAttempts:
        await _tell_of_guesses(ctx, user, words)
        raise
    if at.today > bounds.account:
        await _tell_of_guesses(ctx, user, words)
    return Tried(tried.keys + at.keys)


async def _tell_of_guesses(ctx: Context, user: UUID, words: Translator) -> None:
    try:
        await attempt(ctx, f"guesses told to {user}", most=1, within=DAY)
    except TooManyAttempts:
        return
    origin = letters.origin_in_words(words, {"address": ctx.origin.address, "user_agent": ctx.origin.user_agent})
    drawn = letters.draw(ctx, texts.guessed(ctx, words, origin), words)
    async with ctx.service() as working:
        owner = await queries.users.known(working.db, user)
        if owner is not None:
            await letters.post(working, owner.email, drawn)
            await audit(working, "second_factor.guessed", subject=("user", user))


async def _used(ctx: Context, half: Half) -> dict[str, Any]:
    try:
        return (await tokens.use(ctx, tokens.Purpose.SECOND_FACTOR, half.token)).detail
    except LinkExpired:
        raise SignInExpired from None


async def _account(ctx: Context, user: UUID, detail: dict[str, Any]) -> UUID | None:
    if detail["account"] is None:
        return None
    account = UUID(detail["account"])
    if await queries.accounts.one(ctx.db, user, account) is None:
        # Disconnected between the two halves: what was shown first opens nothing any more.
        raise SignInExpired
    return account
