"""Whose a purchase is: found by what cannot be forged, else left to be claimed."""

from uuid import UUID

from tenantry.kernel import Context, new_id
from tenantry.organizations.answering import first_owned

from .queries import owners
from .snapshots import ExternalId, ProviderName


async def find_holder(
    ctx: Context, provider: ProviderName, *, customer: ExternalId | None, named: UUID | None, email: str | None
) -> UUID | None:
    """The holder of a purchase, locked until the unit ends; None when nobody is known for it.

    In this order: whom the customer was linked to, whom our own checkout named, whose **proven** address is the
    buyer's. An address that its person has not proven links nothing: else one could sign up with a buyer's address and
    take the purchase over. Nor does a proven one link what our checkout made for a holder who is gone, or of another
    installation: an operator may.

    Where organizations are billed, an address stands for the first organization that its person owns; for who owns none
    the purchase waits.
    """
    found = None
    if customer is not None:
        found = await owners.lock_by_customer(ctx.db, provider, customer)
    if found is not None:
        return found
    if named is not None:
        found = await owners.lock_named(ctx.db, named)
    elif email is not None:
        found = await lock_of_address(ctx, email)
    if found is not None and customer is not None:
        given = {"holder_id": found, "provider": provider, "external_id": customer, "email": email}
        await owners.know_customer(ctx.db, new_id(), **given)
    return found


async def lock_of_address(ctx: Context, email: str) -> UUID | None:
    """The holder that a proven address stands for, locked until the unit ends; None when it stands for none."""
    if ctx.product.billed == "organization":
        owned = await first_owned(ctx.db, email)
        return None if owned is None else await owners.lock_by_id(ctx.db, owned.holder.id)
    return await owners.lock_by_email(ctx.db, email)
