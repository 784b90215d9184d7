"""Signing up by mail: nothing is kept but a token until the address is proven.

Whoever begins a sign-up need not own the address. So the name and the password's hash wait in the token, and the mail's
link takes them over with one click only in the browser that began; elsewhere the password is asked for again, or a new
one chosen. Who begins with somebody else's address and a password of their own has nothing of it.
"""

from typing import Any
from uuid import UUID

import msgspec

from tenantry.kernel import Context
from tenantry.kernel.database.failures import UniqueViolation
from tenantry.kernel.problems import DatabaseConflict
from tenantry.product import MagicLink, Password, Product

from .. import letters, queries, tokens
from ..errors import AccountExists, ProviderUnknown, SignUpPasswordNeeded, SignUpPasswordWrong, UserDeleted
from ..hashing import PasswordHashing, refuse_weak
from ..letters import sign_up as mails
from ..limits import count_try, give_tries_back
from ..queries.tokens import Token
from ..queries.users import KnownUser
from ..tokens import Purpose
from .admission import Proof, admit
from .mailed import (
    Asking,
    Entered,
    KeyShown,
    Mailing,
    count_shown,
    look_up,
    origin_of,
    read_mailed,
    refuse_nobodys,
    send_mailing,
    use_up,
)
from .registration import register

_TRIES_AT = "sign-up password"


class SignUp(msgspec.Struct, frozen=True):
    """How one signs up by mail here. `password` None: without one; `needs_password`: not without."""

    password: Password | None
    needs_password: bool


class Chosen(msgspec.Struct, frozen=True):
    """What somebody wants to be called, and to sign in with."""

    name: str | None
    password: str | None


class Finish(msgspec.Struct, frozen=True):
    """What comes with a link: the challenge, if this is who asked, else the password again or a new one."""

    challenge: UUID | None = None
    password: str | None = None
    new_password: str | None = None


def sign_up_of(product: Product) -> SignUp | None:
    """How one signs up by mail; None when the product does not let people."""
    password, link = product.way_in(Password), product.way_in(MagicLink)
    by_password = password if password and password.sign_up else None
    by_link = link is not None and link.sign_up
    return SignUp(by_password, not by_link) if by_password or by_link else None


def check_chosen(ctx: Context, email: str, chosen: Chosen) -> None:
    """Raise `PasswordWeak` for a password that may not be chosen, `ProviderUnknown` where there are none."""
    offer = _offer(ctx)
    if offer.password is None:
        if chosen.password is not None:
            raise ProviderUnknown
    elif chosen.password is not None or offer.needs_password:
        _refuse_weak(ctx, offer.password, email, chosen)


async def ask_to_sign_up(ctx: Context, asking: Asking, chosen: Chosen) -> UUID:
    """Mail a link and a code to a new address; answers the challenge. `ctx` has no open unit.

    Who has an account is told so by mail instead; the answer is the same. Raises `ProviderUnknown`, `PasswordWeak`,
    `HashingBusy` and `TooManyAttempts`.
    """
    check_chosen(ctx, asking.email, chosen)
    user = await look_up(ctx, asking)
    hashed = await ctx.port(PasswordHashing).hash(chosen.password) if chosen.password is not None else None
    drawn = tokens.draw(Purpose.SIGN_UP)
    origin, product = letters.origin_in_words(asking.words, origin_of(ctx)), ctx.product.name
    if user is None:
        letter = mails.sign_up_letter(asking.words, product, letters.key_of(ctx, drawn), origin=origin)
        detail: dict[str, Any] = {"name": chosen.name, "hash": hashed}
        return await send_mailing(ctx, asking, None, Mailing(Purpose.SIGN_UP, drawn, letter, detail, wanted=True))
    sign_in = f"{ctx.settings.public_url}/signin"
    reset = f"{ctx.settings.public_url}/auth/reset" if ctx.product.way_in(Password) else None
    letter = mails.known_letter(asking.words, product, sign_in=sign_in, reset=reset, origin=origin)
    detail = {"nobody": True}
    return await send_mailing(ctx, asking, user, Mailing(Purpose.SIGN_UP, drawn, letter, detail, _is_open(ctx, user)))


async def sign_up_by_mail(ctx: Context, shown: KeyShown, finish: Finish, *, old_token: str | None) -> Entered:
    """Make the account that a mail's link or code stands for, and sign in; `ctx` has no open unit.

    Raises `LinkExpired`, `CodeWrong`, `TooManyAttempts`, `SignUpPasswordNeeded`, `SignUpPasswordWrong`,
    `PasswordWeak`, and `AccountExists` for who got an account another way meanwhile.
    """
    tried = await count_shown(ctx, Purpose.SIGN_UP, shown)
    hashed = await _hash_from_elsewhere(ctx, shown, finish)
    try:
        entered = await _signed_up(ctx, shown, hashed, old_token)
    except UniqueViolation:
        try:
            entered = await _signed_up(ctx, shown, hashed, old_token)
        except UniqueViolation as again:
            raise DatabaseConflict(internal=f"sign-up collided twice on {again.constraint}") from again
    await give_tries_back(ctx, tried)
    return entered


async def _signed_up(ctx: Context, shown: KeyShown, hashed: str | None, old_token: str | None) -> Entered:
    async with ctx.service() as working:
        token = await use_up(working, Purpose.SIGN_UP, shown)
        refuse_nobodys(token)
        user = await queries.users.of_email(working.db, token.identifier)
        if user is not None:
            raise AccountExists if user.deleted_at is None else UserDeleted
        hashed = hashed or token.detail["hash"]
        method = "password" if hashed else "link"
        user_id = await register(working, token.identifier, name=token.detail["name"], method=method)
        if hashed:
            await queries.passwords.put(working.db, user_id, hashed)
        # Other sign-ups of the address keep their tokens: each of two at once would wait for the other's.
        admission = await admit(working, Proof(user_id, method), old_token=old_token)
        return Entered(admission, token.detail["return_to"])


async def _hash_from_elsewhere(ctx: Context, shown: KeyShown, finish: Finish) -> str | None:
    """The hash of a newly chosen password; None to keep the first one, which whoever comes has shown to know."""
    if not shown.token:
        return None
    token = await read_mailed(ctx, Purpose.SIGN_UP, shown.token)
    if not needs_password(token, finish.challenge):
        return None
    if finish.new_password is not None:
        way = _offer(ctx).password
        if way is None:
            raise ProviderUnknown
        _refuse_weak(ctx, way, token.identifier, Chosen(token.detail["name"], finish.new_password), "new_password")
        await count_try(ctx, _TRIES_AT, account=token.identifier)
        return await ctx.port(PasswordHashing).hash(finish.new_password)
    if finish.password is None:
        raise SignUpPasswordNeeded
    tried = await count_try(ctx, _TRIES_AT, account=token.identifier)
    right, _ = await ctx.port(PasswordHashing).verify(finish.password, token.detail["hash"])
    if not right:
        raise SignUpPasswordWrong
    await give_tries_back(ctx, tried)
    return None


def needs_password(token: Token, challenge: UUID | None) -> bool:
    """Whether a link asks for the password again: it was begun with one, and elsewhere."""
    return bool(token.detail.get("hash")) and token.id != challenge


def _refuse_weak(ctx: Context, way: Password, email: str, chosen: Chosen, field: str = "password") -> None:
    never = (email, chosen.name, ctx.product.name)
    refuse_weak(chosen.password or "", length_min=way.length_min, never=never, field=field)


def _is_open(ctx: Context, user: KnownUser) -> bool:
    return user.deleted_at is None and not user.is_banned(ctx.clock.now())


def _offer(ctx: Context) -> SignUp:
    found = sign_up_of(ctx.product)
    if found is None:
        raise ProviderUnknown
    return found
