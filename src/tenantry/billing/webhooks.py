"""`POST /webhooks/{provider}`: where providers tell what happened."""

from typing import Annotated

from fastapi import APIRouter, Path, Request

from tenantry.kernel import Open, problems
from tenantry.kernel.problems import DatabaseConflict, DatabaseUnavailable

from .errors import EventMalformed, SecretUnset, SignatureRefused, TestModeRefused
from .inbox import receive

router = APIRouter(prefix="/webhooks", tags=["webhooks"])

Name = Annotated[str, Path(pattern="^(stripe|polar|lemonsqueezy|fake)$", description="Who tells.")]


@router.post(
    "/{provider}",
    status_code=204,
    responses=problems(
        SecretUnset, SignatureRefused, EventMalformed, TestModeRefused, DatabaseConflict, DatabaseUnavailable
    ),
)
async def receive_event(provider: Name, request: Request, ctx: Open) -> None:
    """Take an event of a payment provider. Answered as soon as it is stored; what follows from it comes after.

    A repeated event is answered like the first. The body is what the provider signed, byte by byte.
    """
    await receive(ctx, provider, await request.body(), dict(request.headers))
