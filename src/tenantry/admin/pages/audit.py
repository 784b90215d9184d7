"""`/admin/audit`: who did what, to whom and why; and the same as a file."""

from collections.abc import AsyncIterator, Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, Response, StreamingResponse

from tenantry.kernel.audit import audit
from tenantry.web import page

from ..operator import Operator
from ..paging import ROWS, Turned, Word, address, shown_at, turns
from ..queries import people
from ..queries.audit import ENTRIES, Entry
from ..reading_audit import Asked, csv_lines, filters_of

PATH = "/admin/audit"

router = APIRouter()


async def _asked(action: Word = "", actor: Word = "", subject: Word = "", since: Word = "", until: Word = "") -> Asked:
    return Asked(action.strip(), actor.strip(), subject.strip(), since, until)


Filtered = Annotated[Asked, Depends(_asked)]


@shown_at(router, PATH)
async def show_audit(ctx: Operator, request: Request, place: Turned, asked: Filtered) -> HTMLResponse:
    """List the entries of the audit log, newest first."""
    async with ctx.service(writes=False) as reading:
        found = await ENTRIES.page(reading.db, place, limit=ROWS, **await filters_of(reading, asked))
        named = await people.addresses(reading.db, _people_in(found.rows))
    typed = asked._asdict()
    return page(
        request,
        "admin/audit.html",
        entries=found.rows,
        named={str(one): email for one, email in named.items()},
        asked=asked,
        file=address("/admin/audit.csv", **typed),
        turns=turns(PATH, found, **typed),
        narrowed=lambda **more: address(PATH, **(typed | more)),
    )


@router.get("/admin/audit.csv")
async def export_audit(ctx: Operator, asked: Filtered) -> Response:
    """Answer the entries as a CSV file (RFC 4180, UTF-8, times in UTC), however many there are. It is audited too."""
    async with ctx.service() as working:
        wanted = await filters_of(working, asked)
        await audit(working, "audit.exported", detail={name: one for name, one in asked._asdict().items() if one})
    headers = {
        "Content-Disposition": f'attachment; filename="audit-{ctx.clock.now():%Y-%m-%d}.csv"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return StreamingResponse(_encoded(csv_lines(ctx, wanted)), media_type="text/csv; charset=utf-8", headers=headers)


async def _encoded(lines: AsyncIterator[str]) -> AsyncIterator[bytes]:
    async for one in lines:
        yield one.encode()


def _people_in(entries: Sequence[Entry]) -> list[UUID | None]:
    subjects = [UUID(one.subject_id) for one in entries if one.subject_kind == "user" and _is_id(one.subject_id)]
    acting = [one for entry in entries for one in (entry.actor_id, entry.impersonator_id)]
    return [*acting, *subjects]


def _is_id(text: str | None) -> bool:
    try:
        return bool(UUID(text or ""))
    except ValueError:
        return False
