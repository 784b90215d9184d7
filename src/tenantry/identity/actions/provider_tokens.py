"""The tokens that providers give: kept sealed, handed to rooms that call the provider for a user, refreshed in time.

A refresh token may work once only, and coming twice may end the whole connection (RFC 9700, 4.14.2). So whoever uses
one takes a lease on it first, in the database, for all workers; the others wait for what comes of it.
"""

import asyncio
import time
from datetime import timedelta
from uuid import UUID

import msgspec

from tenantry.kernel import Context
from tenantry.kernel.audit import audit
from tenantry.kernel.crypto import SealBroken
from tenantry.kernel.tasks import to_the_end

from .. import queries
from ..errors import ConnectionLost, ProviderAnswerInvalid, ProviderUnreachable
from ..providers.base import Granted, SignInProvider, SignInProviders
from ..queries.accounts import StoredTokens

NEARLY = timedelta(seconds=60)
"""A token that ends sooner is taken for expired: the call it is wanted for takes its time."""
LEASE_SECONDS = 15
"""Longer than a provider may take, so that it ends by itself only where the server died meanwhile."""
WAIT_SECONDS = 8.0
_PAUSE_SECONDS = 0.05
_PURPOSE = "provider-token"


async def provider_token(ctx: Context, user: UUID, provider: str) -> str:
    """An access token for calling a provider on a user's behalf; `ctx` has no open unit.

    One that ends within a minute is refreshed first. Raises `ConnectionLost` (409) when there is none and none to be
    had, `ProviderUnreachable` (503) when the provider does not answer. The caller has made sure that it acts for this
    user, and shows the token to nobody.
    """
    deadline, seen = time.monotonic() + WAIT_SECONDS, None
    while time.monotonic() < deadline:
        async with ctx.service(writes=False) as reading:
            stored = await queries.accounts.tokens(reading.db, user, provider)
        if stored is None:
            raise ConnectionLost(internal=f"{provider}: no account")
        # What somebody else has just refreshed is taken as it is: where tokens are short, there is none better.
        is_fresh = seen is not None and stored.access_token != seen
        if stored.access_token is not None and _lasts(ctx, stored, timedelta(0) if is_fresh else NEARLY):
            return open_token(ctx, stored.id, stored.access_token)
        if (found := await _refreshed_if_free(ctx, provider, stored)) is not None:
            return found
        seen = stored.access_token
        await asyncio.sleep(_PAUSE_SECONDS)
    raise ProviderUnreachable(internal=f"{provider}: the refresh that is under way takes too long")


async def keep_granted(ctx: Context, account: UUID, granted: Granted | None) -> None:
    """Keep a provider's tokens with an account, sealed, in the open unit on the service login."""
    if granted is None:
        return
    await queries.accounts.keep_tokens(
        ctx.db,
        account,
        expires_at=granted.expires_at,
        access_token=_sealed(ctx, account, granted.access_token),
        refresh_token=_sealed(ctx, account, granted.refresh_token),
        id_token=_sealed(ctx, account, granted.id_token),
        scope=granted.scope,
        token_type=granted.token_type,
        session_state=granted.session_state,
    )


def seal_granted(ctx: Context, granted: Granted, *, context: str) -> str:
    """The tokens as one sealed text, for where there is no account yet."""
    return ctx.runtime.vault.seal(msgspec.json.encode(granted), purpose=_PURPOSE, context=context)


def open_granted(ctx: Context, sealed: str, *, context: str) -> Granted:
    """What `seal_granted` made. Raises SealBroken."""
    return msgspec.json.decode(ctx.runtime.vault.open(sealed, purpose=_PURPOSE, context=context), type=Granted)


def open_token(ctx: Context, account: UUID, sealed: str) -> str:
    """A sealed token of an account, in the clear. Raises `ConnectionLost` when no key opens it any more."""
    try:
        return ctx.runtime.vault.open(sealed, purpose=_PURPOSE, context=str(account)).decode()
    except SealBroken as error:
        raise ConnectionLost(internal=f"the tokens of account {account}: {error}") from error


async def _refreshed_if_free(ctx: Context, provider: str, stored: StoredTokens) -> str | None:
    """A new access token; None while somebody else asks for one, or when a sign-in has brought other tokens."""
    asked = ctx.port(SignInProviders).get(provider)
    # A provider that has another address than it had must not see the tokens of the old one.
    if stored.refresh_token is None or asked is None or asked.issuer != stored.issuer.rstrip("/"):
        raise ConnectionLost(internal=f"{provider}: the access token has ended, and cannot be refreshed")
    plain = open_token(ctx, stored.id, stored.refresh_token)
    async with ctx.service() as working:
        if not await queries.accounts.claim_refresh(working.db, stored.id, stored.refresh_token, seconds=LEASE_SECONDS):
            return None
    # Also when the caller goes away: the successor of a used refresh token must be kept.
    return await to_the_end(_refreshed(ctx, asked, stored.id, (stored.refresh_token, plain)))


async def _refreshed(ctx: Context, asked: SignInProvider, account: UUID, refresh_token: tuple[str, str]) -> str | None:
    """Use the refresh token that was claimed (sealed, and in plain), and keep what comes of it."""
    sealed, plain = refresh_token
    try:
        granted = await asked.refresh(plain)
    except ConnectionLost:
        if await _lost(ctx, account, sealed):
            raise
        return None
    except Exception:
        async with ctx.service() as working:
            await queries.accounts.release_refresh(working.db, account, sealed)
        raise
    async with ctx.service() as working:
        await queries.accounts.keep_refreshed(
            working.db,
            account,
            sealed,
            expires_at=granted.expires_at,
            access_token=_sealed(ctx, account, granted.access_token),
            refresh_token=_sealed(ctx, account, granted.refresh_token),
            scope=granted.scope,
        )
    if granted.access_token is None:
        raise ProviderAnswerInvalid(internal=f"{asked.name}: the access token is too long to be kept")
    return granted.access_token


async def _lost(ctx: Context, account: UUID, sealed: str) -> bool:
    """Forget tokens that the provider takes no longer; False when a sign-in has brought others meanwhile."""
    async with ctx.service() as working:
        forgotten = await queries.accounts.forget_tokens(working.db, account, sealed)
        if forgotten:
            await audit(working, "account.connection_lost", subject=("account", account))
    return forgotten


def _lasts(ctx: Context, stored: StoredTokens, longer: timedelta) -> bool:
    ends = stored.access_token_expires_at
    return ends is None or ends - ctx.clock.now() > longer


def _sealed(ctx: Context, account: UUID, token: str | None) -> str | None:
    return None if token is None else ctx.runtime.vault.seal(token, purpose=_PURPOSE, context=str(account))
