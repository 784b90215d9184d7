"""What organizations hold where they are billed, also those that were made before they were."""

from tenantry.holders.organizations import open_for_organizations
from tenantry.kernel import Context
from tenantry.kernel.database import Unit
from tenantry.kernel.logs import logger_of
from tenantry.product import Product

from . import queries
from .standing import is_billed

BATCH = 500
"""Organizations whose holders are made in one unit."""

log = logger_of("tenantry.organizations")


async def open_missing_holders(ctx: Context) -> int:
    """Give every organization its holder, on the default plan, where organizations are billed; how many had none.

    Each start does, for a product may have billed people before. `ctx` has no open unit.
    """
    opened = 0
    while is_billed(ctx):
        async with ctx.service(writes=False) as reading:
            found = await queries.organizations.without_holder(reading.db, limit=BATCH)
        if not found:
            break
        async with ctx.service() as working:
            opened += await open_for_organizations(working, found)
    if opened:
        log.info("organizations.holders_opened", organizations=opened)
    return opened


async def count_without_holder(db: Unit, product: Product) -> int:
    """How many organizations have none and should; one statement, on the service login."""
    return await queries.organizations.count_without_holder(db) if product.billed == "organization" else 0
