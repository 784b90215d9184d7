"""Keys of the operator's own services. A door of the room: the command line issues them."""

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from tenantry.kernel import Context
from tenantry.organizations.answering import owned_holder

from . import queries
from .actions import issue
from .errors import HolderNotFound
from .rows import NewKey


async def issue_for(
    ctx: Context, whom: str, *, label: str, scopes: Sequence[str] = (), expires_at: datetime | None = None
) -> NewKey:
    """A key of the person with this address, made by an operator; it may have the scope `authorize`.

    It is the person's as any other: they see and revoke it, and it stops when they are banned or leave. Where
    organizations are billed it is an organization's: of that id, or the first one that the person owns. Raises
    `HolderNotFound`, and what `issue` raises.
    """
    async with ctx.service(writes=False) as reading:
        if ctx.product.billed == "organization":
            owned = await owned_holder(reading, whom)
            holder = owned.holder if owned else None
        else:
            holder = await queries.holder_of_address(reading.db, whom)
    if holder is None:
        raise HolderNotFound
    return await issue(replace(ctx, current_holder=holder), label=label, scopes=scopes, expires_at=expires_at)
