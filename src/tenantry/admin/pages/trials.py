"""`/admin/trials`: the trial workspaces of everybody."""

from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse

from tenantry.kernel.problems import NotFound
from tenantry.web import page

from ..operator import Operator
from ..paging import ROWS, Turned, Word, known, shown_at, turns
from ..queries.trials import STATES, TRIALS

PATH = "/admin/trials"

router = APIRouter()


class Asked(NamedTuple):
    """Which trials are shown."""

    state: str
    owner: str


async def _asked(state: Word = "", owner: Word = "") -> Asked:
    return Asked(known(state, STATES), owner.strip())


@shown_at(router, PATH)
async def show_trials(
    ctx: Operator, request: Request, place: Turned, asked: Annotated[Asked, Depends(_asked)]
) -> HTMLResponse:
    """List the trials, newest first."""
    if ctx.product.trials is None:
        raise NotFound
    wanted: dict[str, Any] = {asked.state: {}} if asked.state else {}
    async with ctx.service(writes=False) as reading:
        found = await TRIALS.page(reading.db, place, limit=ROWS, owner=asked.owner or None, **wanted)
    return page(
        request,
        "admin/trials.html",
        trials=found.rows,
        states=STATES,
        asked=asked,
        turns=turns(PATH, found, **asked._asdict()),
    )
