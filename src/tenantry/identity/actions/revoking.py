"""Telling a provider that its tokens are wanted no longer, once their account is disconnected here.

As a job: nobody waits for the provider, and one that is away is asked again. Best effort; here they are gone at once.
"""

from typing import Any
from uuid import UUID

from tenantry.kernel import Context
from tenantry.kernel.jobs import enqueue
from tenantry.kernel.module import Job

from .. import queries
from ..errors import ConnectionLost
from ..providers.base import Granted, SignInProviders
from ..queries.accounts import Account
from .provider_tokens import open_token


async def revoke_later(ctx: Context, user: UUID, account: Account) -> None:
    """Have the tokens of a user's account revoked once the open unit on the service login commits.

    Call it before the account is removed.
    """
    stored = await queries.accounts.tokens_of(ctx.db, user, account.id)
    if stored is None or not (stored.access_token or stored.refresh_token):
        return
    payload = {
        "provider": account.provider,
        "issuer": account.issuer,
        "subject": account.provider_account_id,
        # Sealed, as they were with the account; its id opens them.
        "account": str(account.id),
        "access_token": stored.access_token,
        "refresh_token": stored.refresh_token,
    }
    await enqueue(ctx, REVOKE, payload)


async def _revoke(ctx: Context, payload: dict[str, Any]) -> None:
    provider = ctx.port(SignInProviders).get(payload["provider"])
    async with ctx.service(writes=False) as reading:
        again = await queries.accounts.known(reading.db, provider=payload["provider"], subject=payload["subject"])
    # Connected anew meanwhile: most providers would end the new tokens together with the old ones. And a provider that
    # has another address than it had must not see the tokens of the old one.
    if provider is None or provider.issuer != payload["issuer"].rstrip("/") or again is not None:
        return
    try:
        granted = Granted(
            access_token=_opened(ctx, payload, "access_token"), refresh_token=_opened(ctx, payload, "refresh_token")
        )
    except ConnectionLost:
        return  # Sealed with keys that are no longer in the settings.
    await provider.revoke(granted)


def _opened(ctx: Context, payload: dict[str, Any], name: str) -> str | None:
    sealed = payload[name]
    return open_token(ctx, UUID(payload["account"]), sealed) if sealed else None


REVOKE = Job("identity.revoke_tokens", _revoke, attempts=6)
