"""Signing in: send the browser off, take it back, know or register the person, start a session."""

from dataclasses import replace
from uuid import UUID

import msgspec

from tenantry.holders import open_for_user
from tenantry.kernel import Context, new_id
from tenantry.kernel.audit import audit
from tenantry.kernel.context import Actor
from tenantry.kernel.crypto import token_hash
from tenantry.kernel.database.failures import UniqueViolation
from tenantry.kernel.ids import new_token
from tenantry.kernel.problems import DatabaseConflict

from .. import queries
from ..errors import AccountExists, EmailUnverified, IssuerChanged, ProviderUnknown, UserDeleted
from ..events import UserRegistered
from ..providers.base import Answer, ExternalProfile, Pending, SignInProvider, SignInProviders

USER_AGENT_CHARACTERS_MAX = 500


class Started(msgspec.Struct, frozen=True):
    """A new session. The token is shown to its browser and to nobody else; the database keeps its hash."""

    user_id: UUID
    session_id: UUID
    token: str
    is_new_user: bool


class _Person(msgspec.Struct, frozen=True):
    user_id: UUID
    account_id: UUID
    is_new: bool = False


async def begin_sign_in(ctx: Context, provider: str, return_to: str) -> tuple[str, Pending]:
    """Where the browser goes, and what it must bring back. Raises `ProviderUnknown` and what providers raise."""
    pending = Pending(
        provider=provider,
        state=new_token("state"),
        nonce=new_token("nonce"),
        verifier=new_token("pkce"),
        # From the settings, never from the request: a forged Host must not choose where the code is sent.
        redirect_uri=f"{ctx.settings.public_url}/auth/{provider}/callback",
        return_to=return_to,
    )
    return await _provider(ctx, provider).authorization_url(pending), pending


async def finish_sign_in(ctx: Context, pending: Pending, answer: Answer, *, old_token: str | None) -> Started:
    """Redeem the answer and start a session; the one of `old_token` ends with it.

    A person the provider vouches for the first time is registered. An address that somebody has here already is
    refused, not linked: whoever holds it at the provider need not be whom it belongs to here. Raises
    `EmailUnverified`, `AccountExists`, `UserDeleted`, `IssuerChanged` and what providers raise.
    """
    profile = await _provider(ctx, pending.provider).profile(pending, answer)
    try:
        return await _started(ctx, pending.provider, profile, old_token)
    except UniqueViolation:
        # Two first sign-ins of one person met; the other one has registered them by now.
        try:
            return await _started(ctx, pending.provider, profile, old_token)
        except UniqueViolation as again:
            raise DatabaseConflict(internal=f"sign-in collided twice on {again.constraint}") from again


async def _started(ctx: Context, provider: str, profile: ExternalProfile, old_token: str | None) -> Started:
    async with ctx.service() as working:
        person = await _known(working, provider, profile) or await _registered(working, provider, profile)
        session_id, token = new_id(), new_token("sess")
        acting = replace(working, actor=Actor("user", user_id=person.user_id, session_id=session_id))
        if person.is_new:
            await audit(acting, "user.registered", subject=("user", person.user_id), detail={"provider": provider})
            await acting.emit(UserRegistered(person.user_id))
        if old_token is not None:
            await queries.end_by_hash(acting.db, token_hash(old_token))
        await queries.add_session(
            acting.db,
            id=session_id,
            user_id=person.user_id,
            account_id=person.account_id,
            token_hash=token_hash(token),
            address=ctx.origin.address,
            user_agent=_clipped(ctx.origin.user_agent),
            seconds=int(ctx.product.session_lifetime.total_seconds()),
        )
        await audit(acting, "session.started", subject=("session", session_id), detail={"provider": provider})
    return Started(person.user_id, session_id, token, person.is_new)


async def _known(ctx: Context, provider: str, profile: ExternalProfile) -> _Person | None:
    found = await queries.account(ctx.db, provider=provider, subject=profile.subject)
    if found is None:
        return None
    if found.issuer != profile.issuer:
        # Subjects are unique within an issuer only (OpenID Connect Core, 2): this may be somebody else.
        raise IssuerChanged(internal=f"{provider}: the account was made at another issuer")
    if found.deleted_at is not None:
        raise UserDeleted
    await queries.use_account(ctx.db, found.id, email=profile.email)
    return _Person(found.user_id, found.id)


async def _registered(ctx: Context, provider: str, profile: ExternalProfile) -> _Person:
    if profile.email is None or not profile.email_verified:
        raise EmailUnverified
    user_of_address = await queries.user_of_email(ctx.db, profile.email)
    if user_of_address is not None:
        # It may be this very person, registered between our two look-ups by a sign-in at the same moment.
        if person := await _known(ctx, provider, profile):
            return person
        raise AccountExists if user_of_address.deleted_at is None else UserDeleted
    user_id, account_id = new_id(), new_id()
    await queries.add_user(ctx.db, user_id, email=profile.email, name=profile.name, image=profile.image)
    await queries.add_account(
        ctx.db,
        id=account_id,
        user_id=user_id,
        provider=provider,
        issuer=profile.issuer,
        provider_account_id=profile.subject,
        email=profile.email,
    )
    await open_for_user(ctx, user_id)
    return _Person(user_id, account_id, is_new=True)


def _provider(ctx: Context, name: str) -> SignInProvider:
    found = ctx.port(SignInProviders).get(name)
    if found is None:
        raise ProviderUnknown
    return found


def _clipped(user_agent: str | None) -> str | None:
    if user_agent is None:
        return None
    return "".join(letter for letter in user_agent[:USER_AGENT_CHARACTERS_MAX] if letter.isprintable()) or None
