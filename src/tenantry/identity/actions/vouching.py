"""Sending a browser to a provider, and hearing from the provider whom it vouches for."""

from uuid import UUID

from tenantry.kernel import Context
from tenantry.kernel.ids import new_token

from ..errors import ProviderUnknown
from ..providers.base import Answer, ExternalProfile, Pending, SignInProvider, SignInProviders


async def send_off(ctx: Context, provider: str, return_to: str, *, user: UUID | None = None) -> tuple[str, Pending]:
    """Where the browser goes, and what it must bring back; `user` is who connects an account.

    Raises `ProviderUnknown` and what providers raise.
    """
    pending = Pending(
        provider=provider,
        state=new_token("state"),
        nonce=new_token("nonce"),
        verifier=new_token("pkce"),
        # From the settings, never from the request: a forged Host must not choose where the code is sent.
        redirect_uri=f"{ctx.settings.public_url}/auth/{provider}/callback",
        return_to=return_to,
        user_id=user,
    )
    return await provider_of(ctx, provider).authorization_url(pending), pending


async def hear(ctx: Context, pending: Pending, answer: Answer) -> ExternalProfile:
    """Redeem what the browser brought back: who signed in over there. `ctx` has no open unit."""
    return await provider_of(ctx, pending.provider).profile(pending, answer)


def label_of(ctx: Context, provider: str) -> str:
    """What people know a provider by, also one that is not on offer any more."""
    found = ctx.port(SignInProviders).get(provider)
    return found.label if found else provider.capitalize()


def provider_of(ctx: Context, name: str) -> SignInProvider:
    """The provider of that name. Raises `ProviderUnknown`."""
    found = ctx.port(SignInProviders).get(name)
    if found is None:
        raise ProviderUnknown
    return found
