"""`/admin/credits`: who has some, what expires, and somebody's ledger, where balance and expiry are set at once."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from tenantry.kernel import Context, Problem
from tenantry.kernel.problems import NotFound
from tenantry.organizations.answering import owned_holder
from tenantry.usage.credits import balance
from tenantry.web import page

from .. import people
from ..operator import Crediting
from ..paging import Reason, Word, done, refusal_of, sentence, shown_at
from ..queries import holdings
from ..queries import people as addresses
from ..queries.holdings import SHOWN_MAX, SOON, Held

PATH = "/admin/credits"
_LAST = 2**62

router = APIRouter()


@shown_at(router, PATH)
async def show_credits(ctx: Crediting, request: Request, owner: Word = "") -> Response:
    """Show the largest balances and what expires soon; or lead to the credits of who has an address."""
    async with ctx.service(writes=False) as reading:
        wanted = await _wanted(reading, owner.strip()) if owner else None
        if wanted is not None:
            return RedirectResponse(f"{PATH}/{wanted}", status_code=303)
        largest, expiring = await holdings.largest_balances(reading.db), await holdings.expiring(reading.db)
    return page(
        request,
        "admin/credits.html",
        largest=largest,
        expiring=expiring,
        name=_name(ctx),
        owner=owner,
        is_unknown=bool(owner),
        days=SOON.days,
    )


@shown_at(router, PATH + "/{holder_id}")
async def show_holder(
    ctx: Crediting,
    request: Request,
    holder_id: UUID,
    before: Annotated[int, Query(ge=1, le=_LAST)] = _LAST,
    done: str = "",
) -> Response:
    """Show a holder's credits and a page of the ledger, newest first: what came before an entry's number."""
    return await _holder_page(ctx, request, await _held(ctx, holder_id), before=before, done=done)


async def _typed(
    amount: Annotated[str, Form(max_length=100)] = "",
    expires: Annotated[str, Form(max_length=20)] = "",
    reason: Reason = "",
) -> dict[str, Any]:
    return {"amount": amount, "expires": expires, "reason": reason}


@router.post(PATH + "/{holder_id}")
async def set_credits(
    ctx: Crediting, request: Request, holder_id: UUID, typed: Annotated[dict[str, Any], Depends(_typed)]
) -> Response:
    """Set balance and expiry at once."""
    held = await _held(ctx, holder_id)
    problem = await refusal_of(people.set_credits(ctx, held.id, **typed))
    if problem is not None:
        return await _holder_page(ctx, request, held, problem=problem, **typed)
    return done(f"{PATH}/{holder_id}", "set")


async def _wanted(ctx: Context, owner: str) -> UUID | None:
    """The holder that is meant by an address: where organizations are billed, of the first that the person owns."""
    if ctx.product.billed == "organization" and (found := await owned_holder(ctx, owner)) is not None:
        return found.holder.id
    return await addresses.holder_of(ctx.db, owner)


async def _held(ctx: Context, holder_id: UUID) -> Held:
    async with ctx.service(writes=False) as reading:
        found = await holdings.holder(reading.db, holder_id)
    if found is None:
        raise NotFound
    return found


async def _holder_page(
    ctx: Context, request: Request, held: Held, *, before: int = _LAST, problem: Problem | None = None, **typed: Any
) -> Response:
    async with ctx.service(writes=False) as reading:
        found = await holdings.ledger(reading.db, held.id, before=before)
    shown, path = found[:SHOWN_MAX], f"{PATH}/{held.id}"
    return page(
        request,
        "admin/holder_credits.html",
        status=problem.status if problem else 200,
        holder=held,
        balance=await balance(ctx, holder_id=held.id),
        name=_name(ctx),
        entries=shown,
        older=f"{path}?before={shown[-1].number}" if len(found) > SHOWN_MAX else "",
        newest=path if before != _LAST else "",
        home=f"/admin/organizations/{held.organization_id}" if held.organization_id else f"/admin/users/{held.user_id}",
        refusal=sentence(request, problem),
        **({"amount": "", "expires": "", "reason": "", "done": ""} | typed),
    )


def _name(ctx: Context) -> str:
    return ctx.product.credits.name if ctx.product.credits else "credits"
