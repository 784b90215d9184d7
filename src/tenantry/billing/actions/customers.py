"""The holder as a provider knows it: made once, however many tabs ask."""

import asyncio

from tenantry.kernel import Context, new_id
from tenantry.kernel.audit import audit
from tenantry.kernel.database.failures import UniqueViolation
from tenantry.kernel.tasks import to_the_end

from ..errors import ChangeRefused, EmailUnproven, ProviderAway
from ..providers import BillingProvider, NewCustomer
from ..queries import customers as queries
from ..queries.customers import Buyer, Customer
from ..snapshots import ExternalId

WAIT_SECONDS = 15.0
"""How long who finds a reservation waits for what becomes of it: longer than a provider may take to answer."""
PAUSE_SECONDS = 0.1


async def buyer_of(ctx: Context) -> Buyer:
    """Who buys: the person, or the organization at its owner's address.

    Raises `EmailUnproven` where nobody knows whose that address is.
    """
    if ctx.holder.kind == "organization":
        # An admin buys, too, who may not read of the owner.
        async with ctx.service(writes=False) as reading:
            found = await queries.organization_buyer(reading.db, ctx.holder.id)
    else:
        found = await queries.buyer(ctx.reading().db, ctx.holder.id)
    if found is None or not found.is_proven:
        raise EmailUnproven
    return found


async def customer_of(ctx: Context, provider: BillingProvider, buyer: Buyer) -> ExternalId:
    """Whom the provider knows the holder as, made if need be; `ctx` has no open unit.

    The row is reserved first, and only who reserved it asks the provider; all others wait. A reservation whose maker
    died is taken over after a minute, with the same key, so that the provider makes nobody twice.
    """
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                found = await queries.of_holder(ctx.reading().db, ctx.holder.id, provider.name)
                if found is not None and found.external_id is not None:
                    return found.external_id
                reserved = await _reserve(ctx, provider, buyer)
                if reserved is not None:
                    break
                await asyncio.sleep(PAUSE_SECONDS)
    except TimeoutError:
        raise ProviderAway(internal=f"{provider.name}: somebody else is making this customer") from None
    return await to_the_end(_make(ctx, provider, reserved, buyer))


async def _reserve(ctx: Context, provider: BillingProvider, buyer: Buyer) -> Customer | None:
    async with ctx.service() as working:
        return await queries.reserve(
            working.db, new_id(), holder_id=ctx.holder.id, provider=provider.name, email=buyer.email
        )


async def _make(ctx: Context, provider: BillingProvider, reserved: Customer, buyer: Buyer) -> ExternalId:
    holder_id = reserved.holder_id
    wanted = NewCustomer(holder_id=holder_id, email=buyer.email, name=buyer.name, key=f"customer-{holder_id}")
    try:
        made = await provider.customer(wanted)
        return await _complete(ctx, reserved, made.external_id, buyer)
    except UniqueViolation:
        # Whoever that is: not by an address, and not by what a provider says, does one become another's customer.
        await _release(ctx, reserved)
        detail = "The payment provider knows you as somebody else already."
        raise ChangeRefused(detail, internal=f"{provider.name}: {holder_id} is another holder's customer") from None
    except Exception:
        await _release(ctx, reserved)
        raise


async def _complete(ctx: Context, reserved: Customer, external_id: ExternalId, buyer: Buyer) -> ExternalId:
    async with ctx.service() as working:
        done = await queries.complete(working.db, reserved.id, external_id=external_id, email=buyer.email)
        if done is not None:
            detail = {"provider": reserved.provider}
            await audit(working, "billing.customer_made", subject=("customer", done.id), detail=detail)
            return external_id
        known = await queries.of_holder(working.db, reserved.holder_id, reserved.provider)
    # An event told of it first, or who took the reservation over was faster.
    return known.external_id or external_id if known else external_id


async def _release(ctx: Context, reserved: Customer) -> None:
    async with ctx.service() as working:
        await queries.release(working.db, reserved.id)
