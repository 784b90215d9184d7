"""Who may be here. Everything below `/admin` asks for `Operator`; a house test sees to it."""

from typing import Annotated

from fastapi import Depends

from tenantry.identity.operating import ADMINISTER
from tenantry.kernel import Context, SignedIn
from tenantry.kernel.context import asking
from tenantry.kernel.problems import NotFound


@asking("people")
async def operator(ctx: SignedIn) -> Context:
    """Whoever has the right; for all others there is nothing here. No unit is open.

    Nor for who looks through another operator's eyes: what is done here is done in one's own name.
    """
    if ADMINISTER.name not in ctx.actor.permissions or ctx.actor.impersonator_id is not None:
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


@asking("people")
async def organizer(ctx: Operator) -> Context:
    """The same, where the product has organizations."""
    if ctx.product.organizations is None:
        raise NotFound
    return ctx


Organizer = Annotated[Context, Depends(organizer, scope="function")]


@asking("people")
async def crediting(ctx: Operator) -> Context:
    """The same, where the product has credits."""
    if ctx.product.credits is None:
        raise NotFound
    return ctx


Crediting = Annotated[Context, Depends(crediting, scope="function")]
