"""What an endpoint asks for: `Read`, `Write`, `Service` and `SignedIn` for people, `Caller` for people and API keys.

Whoever may not is answered before the endpoint runs. `Anyone` and `Open` let a stranger in, which a house test lists.
"""

from collections.abc import AsyncGenerator
from typing import Annotated

from fastapi import Depends, Request

from .context import Context, asking, open_context
from .idempotency import claimed, settling
from .problems import PersonNeeded, Unauthenticated

Open = Annotated[Context, Depends(open_context, scope="function")]


# Each is one dependency, and only those that commit are generators: FastAPI takes its time over every further one.
@asking("anyone")
async def _anyone(request: Request) -> Context:
    return (await open_context(request)).reading()


@asking("callers")
async def _called(request: Request) -> Context:
    ctx = await open_context(request)
    if ctx.actor.kind == "anonymous":
        raise Unauthenticated
    return ctx


@asking("people")
async def _signed_in(request: Request) -> Context:
    ctx = await _called(request)
    if ctx.actor.kind == "key":
        raise PersonNeeded
    return ctx


@asking("people")
async def _read(request: Request) -> Context:
    return (await _signed_in(request)).reading()


@settling
@asking("people")
async def _write(request: Request) -> AsyncGenerator[Context]:
    async with (await _signed_in(request)).unit() as working:
        yield working
        if (claim := claimed(request.scope)) is not None:
            await claim.settle(working)


@settling
@asking("people")
async def _service(request: Request) -> AsyncGenerator[Context]:
    async with (await _signed_in(request)).service() as working:
        yield working
        if (claim := claimed(request.scope)) is not None:
            await claim.settle(working)


# scope="function": the unit commits before the answer is sent, and rolls back when it cannot be serialised.
Read = Annotated[Context, Depends(_read, scope="function")]
Write = Annotated[Context, Depends(_write, scope="function")]
Service = Annotated[Context, Depends(_service, scope="function")]
SignedIn = Annotated[Context, Depends(_signed_in, scope="function")]
Caller = Annotated[Context, Depends(_called, scope="function")]
Anyone = Annotated[Context, Depends(_anyone, scope="function")]
