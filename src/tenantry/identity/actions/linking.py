"""The accounts a person signs in with: whose they are, connecting one more, taking one away.

An account is added only for who is signed in on both sides at once, in one browser: there, the provider says so; here,
the session does, and it is a recent one. An address that is the same on both sides is no proof of anything.
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import msgspec
from msgspec.structs import replace

from tenantry.kernel import Context, new_id
from tenantry.kernel.audit import audit
from tenantry.kernel.crypto import SealBroken
from tenantry.kernel.database.failures import UniqueViolation
from tenantry.kernel.problems import DatabaseConflict
from tenantry.web import Translator

from .. import letters, queries, tokens
from ..errors import AccountNotFound, AccountTaken, IssuerChanged, LinkExpired, OtherPerson
from ..letters import accounts as texts
from ..providers.base import Answer, ExternalProfile, Pending, SignInProvider, SignInProviders
from ..queries.accounts import Account, KnownAccount
from ..queries.users import KnownUser
from ..recent import require_recent
from ..tokens import Purpose
from .admission import hold_caller
from .provider_tokens import keep_granted, open_granted, seal_granted
from .revoking import revoke_later
from .vouching import hear, label_of, send_off
from .ways_in import keep_a_way_in


class LinkNeeded(msgspec.Struct, frozen=True):
    """The provider's address is somebody's here: they sign in as before, then confirm. `token` is for the browser."""

    token: str


class Link(msgspec.Struct, frozen=True):
    """An account that waits to be connected to the user whose address it has."""

    user_id: UUID
    address: str
    provider: str
    profile: ExternalProfile


async def begin_connect(ctx: Context, provider: str, return_to: str) -> tuple[str, Pending]:
    """Where the signed-in person's browser goes to connect an account, and what it must bring back.

    Raises `ConfirmationNeeded`, `ProviderUnknown` and what providers raise.
    """
    require_recent(ctx)
    return await send_off(ctx, provider, return_to, user=ctx.user_id)


async def finish_connect(ctx: Context, pending: Pending, answer: Answer, words: Translator) -> UUID:
    """Connect the account that the browser came back with; answers its id. The user is told by mail.

    `ctx` has no open unit.

    Raises `OtherPerson` unless who began it is signed in, `AccountTaken`, `IssuerChanged` and what providers raise.
    """
    if pending.user_id is None or ctx.actor.user_id != pending.user_id:
        raise OtherPerson
    profile = await hear(ctx, pending, answer)
    try:
        return await _connected(ctx, pending.provider, profile, words)
    except UniqueViolation:
        # The same account came twice at once; the other one is committed by now.
        try:
            return await _connected(ctx, pending.provider, profile, words)
        except UniqueViolation as again:
            raise DatabaseConflict(internal=f"connecting collided twice on {again.constraint}") from again


async def ask_to_link(ctx: Context, user: KnownUser, provider: str, profile: ExternalProfile) -> LinkNeeded:
    """Keep what a provider said until the user with that address has signed in and confirmed it; nothing is linked yet.

    In the open unit on the service login.
    """
    granted = None
    if profile.granted is not None:
        granted = seal_granted(ctx, profile.granted, context=_whose(provider, profile))
    detail = {
        "provider": provider,
        "profile": msgspec.to_builtins(replace(profile, granted=None)),
        "granted": granted,
    }
    issued = await tokens.issue(ctx, Purpose.LINK, user.email, user_id=user.id, detail=detail)
    await audit(ctx, "account.link_asked", subject=("user", user.id), detail={"provider": provider})
    return LinkNeeded(issued.token)


async def read_link(ctx: Context, token: str) -> Link:
    """What waits to be confirmed. Raises `LinkExpired`, and `OtherPerson` when somebody else is signed in."""
    async with ctx.service(writes=False) as reading:
        link = _link(reading, await tokens.find(reading, Purpose.LINK, token))
    if ctx.actor.user_id not in (None, link.user_id):
        raise OtherPerson
    return link


async def confirm_link(ctx: Context, token: str, words: Translator) -> UUID:
    """Connect what waits under a token to the signed-in person, whose address it is; answers the account's id.

    Uses the token up; the user is told by mail. `ctx` has no open unit. Raises `ConfirmationNeeded`, `LinkExpired`,
    `OtherPerson`, `AccountTaken`.
    """
    require_recent(ctx)
    async with ctx.service() as working:
        user = await hold_caller(working)
        link = _link(working, await tokens.use(working, Purpose.LINK, token))
        # Raised, the token is not used up: it is not this person's.
        if link.user_id != user.id or link.address != user.email:
            raise OtherPerson
        return await _connect(working, user, link, words)


async def disconnect(ctx: Context, account: UUID, words: Translator) -> None:
    """Take an account away from the signed-in person, with every session it began but the one that asks.

    The user is told by mail, and the provider by a job. `ctx` has no open unit. Raises `ConfirmationNeeded`,
    `AccountNotFound` (also for others' accounts), `LastWayIn`.
    """
    require_recent(ctx)
    async with ctx.service() as working:
        user = await hold_caller(working)
        found = await queries.accounts.one(working.db, user.id, account)
        if found is None:
            raise AccountNotFound
        if ctx.actor.session_id is not None:
            await queries.accounts.detach(working.db, user.id, ctx.actor.session_id, account)
        await revoke_later(working, user.id, found)
        await queries.accounts.remove(working.db, user.id, account)
        # Half a sign-in that began with it must not become a whole one.
        await queries.tokens.forget_of_user(working.db, user.id, Purpose.SECOND_FACTOR)
        await keep_a_way_in(working, user.id)
        await audit(working, "account.disconnected", subject=("account", account), detail={"provider": found.provider})
        letter = texts.disconnected(working, words, label_of(ctx, found.provider))
        await letters.send(working, user.email, letter, words)


def ways_to_connect(ctx: Context, held: Iterable[Account]) -> list[SignInProvider]:
    """The providers on offer that somebody who holds these accounts has none of."""
    names = {one.provider for one in held}
    return [one for one in ctx.port(SignInProviders).all if one.name not in names]


async def known_account(ctx: Context, provider: str, profile: ExternalProfile) -> KnownAccount | None:
    """The account a provider speaks of, noted as used and with the tokens that came; None for a new one.

    In the open unit on the service login. Raises `IssuerChanged`.
    """
    found = await queries.accounts.known(ctx.db, provider=provider, subject=profile.subject)
    if found is None:
        return None
    if found.issuer != profile.issuer:
        # Subjects are unique within an issuer only (OpenID Connect Core, 2): this may be somebody else.
        raise IssuerChanged(internal=f"{provider}: the account was made at another issuer")
    await queries.accounts.use(ctx.db, found.id, email=profile.email)
    await keep_granted(ctx, found.id, profile.granted)
    return found


async def add_account(ctx: Context, user: UUID, provider: str, profile: ExternalProfile) -> UUID:
    """Write the account by which a provider knows a user, in the open unit on the service login; answers its id.

    Raises `UniqueViolation` when somebody has it: look first, and take it for a race here.
    """
    account_id = new_id()
    await queries.accounts.add(
        ctx.db,
        id=account_id,
        user_id=user,
        type=profile.type,
        provider=provider,
        issuer=profile.issuer,
        provider_account_id=profile.subject,
        email=profile.email,
    )
    await keep_granted(ctx, account_id, profile.granted)
    return account_id


async def _connected(ctx: Context, provider: str, profile: ExternalProfile, words: Translator) -> UUID:
    async with ctx.service() as working:
        user = await hold_caller(working)
        return await _connect(working, user, Link(user.id, user.email, provider, profile), words)


async def _connect(ctx: Context, user: KnownUser, link: Link, words: Translator) -> UUID:
    """Add the account, or note that the user has it already. Raises `AccountTaken` when it is somebody else's."""
    provider, profile = link.provider, link.profile
    if not profile.email_verified:
        profile = replace(profile, email=None)  # What nobody has proven is not shown as theirs.
    known = await known_account(ctx, provider, profile)
    if known is not None:
        if known.user_id != user.id:
            raise AccountTaken
        return known.id
    if profile.email is not None:
        owner = await queries.users.of_email(ctx.db, profile.email)
        if owner is not None and owner.id != user.id:
            raise AccountTaken
    account_id = await add_account(ctx, user.id, provider, profile)
    await audit(ctx, "account.connected", subject=("account", account_id), detail={"provider": provider})
    await letters.send(ctx, user.email, texts.connected(ctx, words, label_of(ctx, provider)), words)
    return account_id


def _link(ctx: Context, token: queries.tokens.Token) -> Link:
    detail: dict[str, Any] = token.detail
    profile = msgspec.convert(detail["profile"], ExternalProfile)
    if token.user_id is None:
        raise LinkExpired
    if detail["granted"] is not None:
        try:
            granted = open_granted(ctx, detail["granted"], context=_whose(detail["provider"], profile))
        except SealBroken as error:
            raise LinkExpired(internal=f"link: {error}") from error
        profile = replace(profile, granted=granted)
    return Link(token.user_id, token.identifier, detail["provider"], profile)


def _whose(provider: str, profile: ExternalProfile) -> str:
    return f"link {provider} {profile.issuer} {profile.subject}"
