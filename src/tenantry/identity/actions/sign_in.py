"""Signing in through a provider: send the browser off, take it back, know or register the person, let them in."""

from uuid import UUID

from tenantry.kernel import Context, new_id
from tenantry.kernel.database.failures import UniqueViolation
from tenantry.kernel.ids import new_token
from tenantry.kernel.problems import DatabaseConflict

from .. import queries
from ..errors import AccountExists, EmailUnverified, IssuerChanged, ProviderUnknown, UserDeleted
from ..providers.base import Answer, ExternalProfile, Pending, SignInProvider, SignInProviders
from .admission import Admission, Proof, admit
from .registration import register


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


async def finish_sign_in(ctx: Context, pending: Pending, answer: Answer, *, old_token: str | None) -> Admission:
    """Redeem the answer and let the person in; the session of `old_token` ends with it.

    A person the provider vouches for the first time is registered. An address that somebody has here already is
    refused, not linked: whoever holds it at the provider need not be whom it belongs to here. Raises
    `EmailUnverified`, `AccountExists`, `UserDeleted`, `UserBanned`, `IssuerChanged` and what providers raise.
    """
    profile = await _provider(ctx, pending.provider).profile(pending, answer)
    try:
        return await _admitted(ctx, pending.provider, profile, old_token)
    except UniqueViolation:
        # Two first sign-ins of one person met; the other one has registered them by now.
        try:
            return await _admitted(ctx, pending.provider, profile, old_token)
        except UniqueViolation as again:
            raise DatabaseConflict(internal=f"sign-in collided twice on {again.constraint}") from again


async def _admitted(ctx: Context, provider: str, profile: ExternalProfile, old_token: str | None) -> Admission:
    async with ctx.service() as working:
        proof = await _known(working, provider, profile) or await _registered(working, provider, profile)
        return await admit(working, proof, old_token=old_token)


async def _known(ctx: Context, provider: str, profile: ExternalProfile) -> Proof | None:
    found = await queries.accounts.known(ctx.db, provider=provider, subject=profile.subject)
    if found is None:
        return None
    if found.issuer != profile.issuer:
        # Subjects are unique within an issuer only (OpenID Connect Core, 2): this may be somebody else.
        raise IssuerChanged(internal=f"{provider}: the account was made at another issuer")
    await queries.accounts.use(ctx.db, found.id, email=profile.email)
    return Proof(found.user_id, provider, found.id)


async def _registered(ctx: Context, provider: str, profile: ExternalProfile) -> Proof:
    if profile.email is None or not profile.email_verified:
        raise EmailUnverified
    user = await queries.users.of_email(ctx.db, profile.email)
    if user is not None:
        # It may be this very person, registered between our two look-ups by a sign-in at the same moment.
        if proof := await _known(ctx, provider, profile):
            return proof
        raise AccountExists if user.deleted_at is None else UserDeleted
    user_id = await register(ctx, profile.email, name=profile.name, image=profile.image, method=provider)
    account_id = await add_account(ctx, user_id, provider, profile)
    return Proof(user_id, provider, account_id, is_new=True)


async def add_account(ctx: Context, user: UUID, provider: str, profile: ExternalProfile) -> UUID:
    """Write the account by which a provider knows a user, in the open unit on the service login; answers its id."""
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
    return account_id


def _provider(ctx: Context, name: str) -> SignInProvider:
    found = ctx.port(SignInProviders).get(name)
    if found is None:
        raise ProviderUnknown
    return found
