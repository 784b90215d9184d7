"""Signing in through a provider: send the browser off, take it back, know or register the person, let them in."""

from uuid import UUID

from tenantry.kernel import Context
from tenantry.kernel.database.failures import UniqueViolation
from tenantry.kernel.problems import DatabaseConflict
from tenantry.product import MagicLink, Password

from .. import queries
from ..errors import EmailUnverified
from ..providers.base import Answer, ExternalProfile, Pending
from .admission import Admission, Proof, admit, prove_address, refuse_closed
from .linking import LinkNeeded, add_account, ask_to_link, known_account
from .registration import register
from .vouching import hear, send_off


async def begin_sign_in(ctx: Context, provider: str, return_to: str) -> tuple[str, Pending]:
    """Where the browser goes, and what it must bring back. Raises `ProviderUnknown` and what providers raise."""
    return await send_off(ctx, provider, return_to)


async def finish_sign_in(
    ctx: Context, pending: Pending, answer: Answer, *, old_token: str | None
) -> Admission | LinkNeeded:
    """Redeem the answer and let the person in; the session of `old_token` ends with it.

    A person the provider vouches for the first time is registered. An address that somebody has here already is not
    linked: whoever holds it at the provider need not be whom it belongs to here. They sign in as before and confirm.
    Raises `EmailUnverified`, `UserDeleted`, `UserBanned`, `IssuerChanged` and what providers raise.
    """
    profile = await hear(ctx, pending, answer)
    try:
        return await _admitted(ctx, pending.provider, profile, old_token)
    except UniqueViolation:
        # Two first sign-ins of one person met; the other one has registered them by now.
        try:
            return await _admitted(ctx, pending.provider, profile, old_token)
        except UniqueViolation as again:
            raise DatabaseConflict(internal=f"sign-in collided twice on {again.constraint}") from again


async def _admitted(
    ctx: Context, provider: str, profile: ExternalProfile, old_token: str | None
) -> Admission | LinkNeeded:
    async with ctx.service() as working:
        proof = await _known(working, provider, profile) or await _of_address(working, provider, profile)
        if isinstance(proof, LinkNeeded):
            return proof
        return await admit(working, proof, old_token=old_token)


async def _known(ctx: Context, provider: str, profile: ExternalProfile) -> Proof | None:
    found = await known_account(ctx, provider, profile)
    return None if found is None else Proof(found.user_id, provider, found.id)


async def _of_address(ctx: Context, provider: str, profile: ExternalProfile) -> Proof | LinkNeeded:
    """Who has the proven address: nobody, so they are registered; or somebody, who is not taken for them."""
    if profile.email is None or not profile.email_verified:
        raise EmailUnverified
    found = await queries.users.of_email(ctx.db, profile.email)
    if found is None:
        user_id = await register(ctx, profile.email, name=profile.name, image=profile.image, method=provider)
        return Proof(user_id, provider, await add_account(ctx, user_id, provider, profile))
    # It may be this very person, registered between our two look-ups by a sign-in at the same moment.
    if proof := await _known(ctx, provider, profile):
        return proof
    user = await refuse_closed(ctx, found.id)
    if user.email != found.email:
        raise DatabaseConflict(internal="the address changed hands during a sign-in")
    if user.email_verified_at is not None and not await _is_unreached(ctx, user.id):
        return await ask_to_link(ctx, user, provider, profile)
    await prove_address(ctx, user)
    return Proof(user.id, provider, await add_account(ctx, user.id, provider, profile))


async def _is_unreached(ctx: Context, user: UUID) -> bool:
    """Whether a person was made for an address, by an operator or an import, and nothing here opens their account yet.

    Then whom a provider vouches for is as good as a first sign-in: there is nobody whom it could be taken from.
    """
    if ctx.product.way_in(MagicLink) is not None or ctx.product.way_in(Password) is not None:
        return False
    has_passkeys = (await queries.factors.of_user(ctx.db, user)).passkeys
    return not has_passkeys and not await queries.accounts.of_user(ctx.db, user)
