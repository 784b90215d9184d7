"""People for a demo: they exist before anybody signs in, and the stand-in provider signs in as them."""

from dataclasses import replace
from uuid import UUID

from tenantry.holders import open_for_user
from tenantry.kernel import Context, new_id
from tenantry.kernel.audit import audit
from tenantry.kernel.context import Actor

from .. import queries
from ..events import UserRegistered
from ..providers.demo import NAME, STORED_ISSUER


async def register_demo_person(ctx: Context, *, subject: str, email: str, name: str) -> tuple[UUID, bool]:
    """The user whom the stand-in provider calls `subject`, made if there is none; answers the id and whether it is new.

    Needs the service login. For development only: nobody has vouched for the address.
    """
    if ctx.settings.is_production:
        msg = "people of the demo are not made in production"
        raise RuntimeError(msg)
    known = await queries.account(ctx.db, provider=NAME, subject=subject)
    if known is not None:
        return known.user_id, False
    user_of_address = await queries.user_of_email(ctx.db, email)
    if user_of_address is not None:
        return user_of_address.id, False
    user_id = new_id()
    await queries.add_user(ctx.db, user_id, email=email, name=name, image=None)
    await queries.add_account(
        ctx.db,
        id=new_id(),
        user_id=user_id,
        provider=NAME,
        issuer=STORED_ISSUER,
        provider_account_id=subject,
        email=email,
    )
    await open_for_user(ctx, user_id)
    acting = replace(ctx, actor=Actor("user", user_id=user_id))
    await audit(acting, "user.registered", subject=("user", user_id), detail={"provider": NAME})
    await acting.emit(UserRegistered(user_id))
    return user_id, True
