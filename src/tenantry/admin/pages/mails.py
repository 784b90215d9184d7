"""`/admin/mails`: which mails were written and whether they went out. What they say stays sealed, like its links."""

from typing import Annotated, NamedTuple

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse

from tenantry.kernel.mail import operating as mails
from tenantry.kernel.redaction import scrubbed
from tenantry.web import page

from ..operator import Operator
from ..paging import ROWS, Turned, Word, known, shown_at, turns

PATH = "/admin/mails"

router = APIRouter()


class Asked(NamedTuple):
    """Which mails are shown."""

    status: str
    recipient: str


async def _asked(status: Word = "", recipient: Word = "") -> Asked:
    return Asked(known(status, mails.STATUSES), recipient.strip())


@shown_at(router, PATH)
async def show_mails(
    ctx: Operator, request: Request, place: Turned, asked: Annotated[Asked, Depends(_asked)]
) -> HTMLResponse:
    """List the mails, newest first."""
    async with ctx.service(writes=False) as reading:
        found = await mails.page(
            reading.db, place, limit=ROWS, status=asked.status or None, recipient=asked.recipient or None
        )
        late = await mails.late(reading.db)
    return page(
        request,
        "admin/mails.html",
        mails=found.rows,
        late=late,
        statuses=mails.STATUSES,
        # In development mails are read in the mailbox, which has its own lock.
        has_mailbox=not ctx.settings.is_production,
        asked=asked,
        turns=turns(PATH, found, **asked._asdict()),
        scrubbed=scrubbed,
    )
