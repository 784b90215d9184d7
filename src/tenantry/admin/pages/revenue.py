"""`/admin/revenue`: what comes in, how it moves, who leaves, what becomes of trials; and the same as a file."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response

from tenantry.billing.revenue import MONTHS_MAX, revenue
from tenantry.web import Rate, gettext, page

from ..operator import Seller
from ..paging import Word, address, names_of, shown_at
from ..revenue import OTHER, csv_of, currencies_of, money_of, month_name, months_of, parts_of, recurring

PATH = "/admin/revenue"
LENGTHS = (3, 6, 12, 24, 36)

router = APIRouter()

Months = Annotated[int, Query(ge=1, le=MONTHS_MAX)]


@shown_at(router, PATH)
async def show_revenue(
    ctx: Seller, request: Request, months: Months = 12, part: Word = "", currency: Word = ""
) -> HTMLResponse:
    """Show the figures of so many months, of everything or of one provider or plan, in one currency."""
    words = gettext(request)
    parts = parts_of(await revenue(ctx, months=months))
    chosen = next((one for one in parts if one.key == part), parts[0])
    currencies = currencies_of(chosen.figures)
    shown = currency if currency in currencies else next(iter(currencies), "")
    return page(
        request,
        "admin/revenue.html",
        parts=parts,
        chosen=chosen,
        currencies=currencies,
        currency=shown,
        months=[(month_name(one, words.locale), one, money_of(one, shown)) for one in months_of(chosen.figures)],
        length=months,
        lengths=sorted({*LENGTHS, months}),
        chart=recurring(chosen.figures, shown, words.locale) if shown else [],
        unit=Rate(words("%(currency)s a month", currency=shown)),
        names={**names_of(ctx), OTHER: words("No declared plan")},
        file=address("/admin/revenue.csv", months=str(months)),
    )


@router.get("/admin/revenue.csv")
async def export_revenue(ctx: Seller, months: Months = 12) -> Response:
    """Answer the same of all parts and currencies as a CSV file (RFC 4180, UTF-8); amounts in minor units."""
    return Response(
        csv_of(await revenue(ctx, months=months)),
        media_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="revenue-{ctx.clock.now():%Y-%m-%d}.csv"',
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        },
    )
