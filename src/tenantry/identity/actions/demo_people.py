"""People for a demo: they exist before anybody signs in, and the stand-in provider signs in as them."""

from uuid import UUID

from tenantry.kernel import Context

from .. import queries
from ..providers.base import ExternalProfile
from ..providers.demo import NAME, STORED_ISSUER
from .linking import add_account
from .registration import register


async def register_demo_person(ctx: Context, *, subject: str, email: str, name: str) -> tuple[UUID, bool]:
    """The user whom the stand-in provider calls `subject`, made if there is none; answers the id and whether it is new.

    Needs the service login. For development only: nobody has vouched for the address.
    """
    if ctx.settings.is_production:
        msg = "people of the demo are not made in production"
        raise RuntimeError(msg)
    known = await queries.accounts.known(ctx.db, provider=NAME, subject=subject)
    if known is not None:
        return known.user_id, False
    of_address = await queries.users.of_email(ctx.db, email)
    if of_address is not None:
        return of_address.id, False
    user_id = await register(ctx, email, name=name, method=NAME)
    profile = ExternalProfile(STORED_ISSUER, subject, email, email_verified=True, name=name, image=None)
    await add_account(ctx, user_id, NAME, profile)
    return user_id, True
