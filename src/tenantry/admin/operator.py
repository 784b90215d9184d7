"""Who may be here. Everything below `/admin` asks for `Operator`; a house test sees to it."""

from collections.abc import Awaitable, Callable
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


def _where(room: str) -> Callable[[Context], Awaitable[Context]]:
    @asking("people")
    async def operator_where(ctx: Operator) -> Context:
        if getattr(ctx.product, room) is None:
            raise NotFound
        return ctx

    return operator_where


Seller = Annotated[Context, Depends(_where("billing"), scope="function")]
"""The same, where the product sells something; where it has organizations; where it has credits."""
Organizer = Annotated[Context, Depends(_where("organizations"), scope="function")]
Crediting = Annotated[Context, Depends(_where("credits"), scope="function")]
