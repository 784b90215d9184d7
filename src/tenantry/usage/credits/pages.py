"""`/credits`: what the reader has, when it expires, and what became of it; and the dashboard's card."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from tenantry.kernel import Context, Read
from tenantry.kernel.module import Panel
from tenantry.kernel.permissions import require_of_member
from tenantry.web import page

from ..permissions import CREDITS_READ
from . import queries
from .granting import AMOUNT_MAX
from .rows import Balance, Entry, Grant
from .spending import balance_of

ROWS_MAX = 25
"""Entries on one page of the ledger."""
LAST = 5
"""Entries on the dashboard."""

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Shown:
    """A page of the ledger: `older` and `newest` are the addresses of others, "" where there are none."""

    name: str
    balance: Balance
    grants: list[Grant]
    entries: list[Entry]
    older: str = ""
    newest: str = ""


@router.api_route("/credits", methods=["GET", "HEAD"], response_class=HTMLResponse)
async def show_credits(
    ctx: Read, request: Request, before: Annotated[int | None, Query(ge=1, le=AMOUNT_MAX)] = None
) -> HTMLResponse:
    """Show what there is, and a page of the ledger, newest first: what came before an entry's number."""
    require_of_member(ctx, CREDITS_READ)
    return page(request, "usage/credits.html", seen=await _shown(ctx, before=before, rows=ROWS_MAX))


async def credits_values(ctx: Context, _request: Request) -> dict[str, Any]:
    """What there is, and the last entries: two statements."""
    return {"seen": await _shown(ctx, before=None, rows=LAST)}


async def _shown(ctx: Context, *, before: int | None, rows: int) -> Shown:
    reserved, grants = await queries.live(ctx.db, ctx.holder.id)
    found = await queries.page(ctx.db, ctx.holder.id, before=before, limit=rows + 1)
    shown = found[:rows]
    return Shown(
        name=ctx.product.credits.name if ctx.product.credits else "credits",
        balance=balance_of(reserved, grants),
        grants=grants,
        entries=shown,
        older=f"/credits?before={shown[-1].number}#ledger" if len(found) > rows else "",
        newest="/credits#ledger" if before is not None else "",
    )


CREDITS_PANEL = Panel("credits", "usage/credits_panel.html", credits_values, order=15)
