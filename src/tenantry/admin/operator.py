"""Who may be here. Everything below `/admin` asks for `Operator`; a house test sees to it."""

from typing import Annotated

from fastapi import Depends

from tenantry.identity.operating import ADMINISTER
from tenantry.kernel import Context, SignedIn
from tenantry.kernel.context import asking
from tenantry.kernel.problems import NotFound


@asking("people")
async def operator(ctx: SignedIn) -> Context:
    """Whoever has the right; for all others there is nothing here. No unit is open."""
    if ADMINISTER.name not in ctx.actor.permissions:
        raise NotFound
    return ctx


Operator = Annotated[Context, Depends(operator, scope="function")]


@asking("people")
async def seller(ctx: Operator) -> Context:
    """The same, where the product sells something."""
    if ctx.product.billing is None:
        raise NotFound
    return ctx


Seller = Annotated[Context, Depends(seller, scope="function")]
