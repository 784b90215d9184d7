"""`/keys/{key_id}`: what one key is used for: charts of its calls, errors and times, and the calls themselves."""

from datetime import date, datetime
from typing import Annotated, NamedTuple
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, Response

from tenantry.kernel import SignedIn
from tenantry.kernel.permissions import member_may, require_of_member
from tenantry.kernel.spreadsheets import utc_text
from tenantry.web import page

from .. import queries
from ..actions import KEYS_READ, KEYS_WRITE
from ..errors import KeyNotFound
from ..tiers import effective_tier
from .api import Filter, place_of
from .queries import reading
from .stats import Stats, stats_of

SPANS = (1, 7, 30, 90)
"""Days that a chart may show."""
ROWS_MAX = 25
STATUSES = ("", "2xx", "3xx", "4xx", "5xx")

router = APIRouter(include_in_schema=False)


class Asked(NamedTuple):
    """What the page shows: the last days, and which calls of them."""

    days: int
    status: str
    endpoint: str
    before: str

    def address(self, **more: str) -> str:
        """The page with the same choice, at its calls."""
        return f"?{urlencode(self._asdict() | {'before': ''} | more)}#calls"


async def _asked(
    days: int = 7,
    status: str = "",
    endpoint: Annotated[str, Query(max_length=1000)] = "",
    before: Annotated[str, Query(max_length=80)] = "",
) -> Asked:
    return Asked(days if days in SPANS else 7, status if status in STATUSES else "", endpoint, before)


@router.api_route("/keys/{key_id}", methods=["GET", "HEAD"], response_class=HTMLResponse)
async def show_key(ctx: SignedIn, request: Request, key_id: UUID, asked: Annotated[Asked, Depends(_asked)]) -> Response:
    """Show how a key was used in the last days, and its calls, newest first."""
    require_of_member(ctx, KEYS_READ)
    db, holder = ctx.reading().db, ctx.holder.id
    key = await queries.one(db, holder, key_id)
    if key is None:
        raise KeyNotFound
    stats = await stats_of(db, holder, key_id, days=asked.days, now=ctx.clock.now())
    wanted = Filter(asked.status or None, asked.endpoint or None, None, stats.since, None)
    more = {"before": place_of(asked.before)} if asked.before else {}
    calls = await reading.page(db, holder, key_id, wanted.wanted(limit=ROWS_MAX + 1, **more))
    last = calls[ROWS_MAX - 1] if len(calls) > ROWS_MAX else None
    return page(
        request,
        "keys/key.html",
        key=key,
        tier=ctx.product.plan(effective_tier(ctx.product, key.tier, ctx.holder.plan)),
        may_change=member_may(ctx, KEYS_WRITE),
        stats=stats,
        charts=points_of(stats),
        spans=SPANS,
        asked=asked,
        calls=calls[:ROWS_MAX],
        older=asked.address(before=f"{utc_text(last.at)}_{last.id}") if last else "",
        newest=asked.address() if asked.before else "",
        file=_file(key_id, status=asked.status, endpoint=asked.endpoint, since=utc_text(stats.since)),
    )


def points_of(stats: Stats) -> dict[str, list[tuple[date | str, float]]]:
    """The bars of the charts: calls, errors, and how long 95 of 100 calls took at most."""
    hourly = stats.step_seconds < 86_400
    named = [(_name(at, hourly=hourly), one) for at, one in stats.steps.items()]
    return {
        "calls": [(name, one.calls) for name, one in named],
        "errors": [(name, one.errors) for name, one in named],
        "p95": [(name, one.p95_ms or 0) for name, one in named],
    }


def _name(at: datetime, *, hourly: bool) -> date | str:
    return f"{at:%H:%M}" if hourly else at.date()


def _file(key_id: UUID, **given: str) -> str:
    """Where the same calls are to be had as a file."""
    return f"/v1/keys/{key_id}/calls.csv?{urlencode({name: value for name, value in given.items() if value})}"
