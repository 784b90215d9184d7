"""What a person can sign in with here, so that the last way in is never taken away."""

from uuid import UUID

from tenantry.kernel import Context
from tenantry.product import MagicLink, Passkey, Password

from .. import queries
from ..errors import LastWayIn, ProviderUnknown
from ..providers.base import SignInProviders
from ..queries.accounts import Account


def password_way(ctx: Context) -> Password:
    """How this product takes passwords. Raises `ProviderUnknown` (404) when it takes none."""
    found = ctx.product.way_in(Password)
    if found is None:
        raise ProviderUnknown
    return found


async def keep_a_way_in(ctx: Context, user: UUID) -> None:
    """Raise `LastWayIn` unless something is left that this product lets the user sign in with.

    Called after something was taken away, in the same unit, which then rolls back; `queries.users.lock` came before it,
    so that of two who take away at the same moment the second one sees what the first has done.
    """
    # An address is a way in: it is proven by the mail itself.
    if ctx.product.way_in(MagicLink) is not None:
        return
    if any(opens(ctx, one) for one in await queries.accounts.of_user(ctx.db, user)):
        return
    if ctx.product.way_in(Password) is not None and await queries.passwords.of_user(ctx.db, user) is not None:
        return
    if ctx.product.way_in(Passkey) is not None and (await queries.factors.of_user(ctx.db, user)).passkeys:
        return
    raise LastWayIn


def opens(ctx: Context, account: Account) -> bool:
    """Whether somebody can sign in with an account here: its provider is set up, at the same issuer as ever."""
    provider = ctx.port(SignInProviders).get(account.provider)
    return provider is not None and provider.issuer == account.issuer.rstrip("/")
