"""Authenticator apps: setting one up, checking its codes, taking it away (RFC 6238: SHA-1, 6 digits, 30 seconds)."""

from datetime import datetime
from uuid import UUID

import msgspec
import pyotp

from tenantry.kernel import Context
from tenantry.kernel.audit import audit
from tenantry.kernel.crypto import same
from tenantry.web import Translator

from .. import letters, queries
from ..errors import CodeWrong, FactorNotFound
from ..letters import factors as texts
from ..recent import require_recent
from .admission import hold_caller
from .recovery_codes import forget_useless_codes, write_codes
from .sessions import refuse_ended

STEP_SECONDS = 30
STEPS_AROUND = 1
"""How many steps a phone's clock may be off, either way."""
_PURPOSE = "totp"


class Setup(msgspec.Struct, frozen=True):
    """What an app is told: the secret in base32 (160 bits), and the same as an `otpauth://` address for a QR code."""

    secret: str
    uri: str


def code_at(secret: str, step: int) -> str:
    """The code of a time step."""
    return pyotp.TOTP(secret, interval=STEP_SECONDS).generate_otp(step)


def step_of(at: datetime) -> int:
    """The time step that a moment lies in."""
    return int(at.timestamp()) // STEP_SECONDS


def matching_step(secret: str, code: str, *, at: datetime, after: int) -> int | None:
    """The step that a code is right for; None when it is none of the three around `at`, or not later than `after`."""
    digits = "".join(letter for letter in code if letter.isascii() and letter.isdigit())
    now = step_of(at)
    for step in range(max(now - STEPS_AROUND, after + 1), now + STEPS_AROUND + 1):
        if same(code_at(secret, step), digits):
            return step
    return None


async def begin_totp(ctx: Context) -> Setup:
    """Make a secret for the caller's app. It counts once its first code came; an app set up before counts until then.

    `ctx` has no open unit. Raises `ConfirmationNeeded`.
    """
    require_recent(ctx)
    secret = pyotp.random_base32()
    sealed = ctx.runtime.vault.seal(secret, purpose=_PURPOSE, context=str(ctx.user_id))
    async with ctx.service() as working:
        user = await hold_caller(working)
        await refuse_ended(working)
        await queries.totp.begin(working.db, user.id, sealed)
        await audit(working, "totp.begun", subject=("user", user.id))
    return _setup(ctx, secret, user.email)


async def pending_totp(ctx: Context) -> Setup | None:
    """What the caller began to set up, to be shown again; None when there is nothing. Raises `ConfirmationNeeded`."""
    require_recent(ctx)
    async with ctx.service(writes=False) as working:
        stored = await queries.totp.of_user(working.db, ctx.user_id)
        user = await queries.users.known(working.db, ctx.user_id)
    if stored is None or stored.next_secret is None or user is None:
        return None
    return _setup(ctx, _opened(ctx, ctx.user_id, stored.next_secret), user.email)


async def confirm_totp(ctx: Context, code: str, words: Translator) -> list[str]:
    """Let the app that was begun count, because its first code is right. The owner is told by mail.

    Answers new recovery codes, or none when there are unused ones from before. `ctx` has no open unit. Raises
    `ConfirmationNeeded`, `FactorNotFound` when nothing was begun, and `CodeWrong`.
    """
    require_recent(ctx)
    drawn = {is_new: letters.draw(ctx, texts.app_added(ctx, words, is_new=is_new), words) for is_new in (True, False)}
    async with ctx.service() as working:
        user = await hold_caller(working)
        await refuse_ended(working)
        stored = await queries.totp.of_user(working.db, user.id)
        if stored is None or stored.next_secret is None:
            raise FactorNotFound
        secret = _opened(ctx, user.id, stored.next_secret)
        step = matching_step(secret, code, at=ctx.clock.now(), after=0)
        if step is None or not await queries.totp.confirm(working.db, user.id, stored.next_secret, step=step):
            raise CodeWrong
        has_codes = (await queries.factors.of_user(working.db, user.id)).recovery_codes > 0
        codes = [] if has_codes else await write_codes(working, user.id)
        is_new = stored.secret is None
        await audit(working, "totp.confirmed", subject=("user", user.id), detail={"replaced": not is_new})
        await letters.post(working, user.email, drawn[is_new])
    return codes


async def remove_totp(ctx: Context, words: Translator) -> None:
    """Take the caller's app away; with the last second factor go the recovery codes. The owner is told by mail.

    `ctx` has no open unit. Raises `ConfirmationNeeded`, and `FactorNotFound` when there is none.
    """
    require_recent(ctx)
    drawn = {last: letters.draw(ctx, texts.app_removed(ctx, words, is_last=last), words) for last in (True, False)}
    async with ctx.service() as working:
        user = await hold_caller(working)
        await refuse_ended(working)
        stored = await queries.totp.of_user(working.db, user.id)
        if stored is None or not await queries.totp.remove(working.db, user.id):
            raise FactorNotFound
        await forget_useless_codes(working, user.id)
        await audit(working, "totp.removed", subject=("user", user.id))
        if stored.secret is not None:
            is_last = not (await queries.factors.of_user(working.db, user.id)).asked(ctx.product)
            await letters.post(working, user.email, drawn[is_last])


async def use_totp(ctx: Context, user: UUID, code: str) -> None:
    """Use a code up in the open unit on the service login; the try is counted before. Raises `CodeWrong`."""
    stored = await queries.totp.of_user(ctx.db, user)
    if stored is None or stored.secret is None:
        raise CodeWrong
    secret = _opened(ctx, user, stored.secret)
    step = matching_step(secret, code, at=ctx.clock.now(), after=stored.last_step)
    if step is None or not await queries.totp.use(ctx.db, user, stored.secret, step=step):
        raise CodeWrong


def _setup(ctx: Context, secret: str, email: str) -> Setup:
    totp = pyotp.TOTP(secret, interval=STEP_SECONDS)
    return Setup(secret, totp.provisioning_uri(name=email, issuer_name=ctx.product.name))


def _opened(ctx: Context, user: UUID, sealed: str) -> str:
    return ctx.runtime.vault.open(sealed, purpose=_PURPOSE, context=str(user)).decode()
