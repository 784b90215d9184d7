"""Reading the audit log: what is asked for, and the file of it."""

import csv
import json
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from typing import Any, NamedTuple
from uuid import UUID

from tenantry.kernel import Context
from tenantry.kernel.listing import Page, Place
from tenantry.kernel.problems import Invalid
from tenantry.kernel.spreadsheets import plain, utc_text

from .queries import people
from .queries.audit import ENTRIES, Entry

BATCH = 500
"""Entries that the file reads at a time, each batch in a unit of its own."""
COLUMNS = (
    "id", "created_at", "actor_kind", "actor_id", "action", "subject_kind", "subject_id", "reason", "detail",
    "request_id", "address", "impersonator_id",
)  # fmt: skip
NOBODY = UUID(int=0)


class Asked(NamedTuple):
    """Which entries somebody asked for, as they were typed: people by address or id, days in UTC, both inclusive."""

    action: str = ""
    actor: str = ""
    subject: str = ""
    since: str = ""
    until: str = ""


async def filters_of(ctx: Context, asked: Asked) -> dict[str, Any]:
    """The same for the statement, in an open service unit. Raises `Invalid` for what is no day."""
    day = timedelta(days=1)
    return {
        "action": asked.action or None,
        "actor": await _actor(ctx, asked.actor) if asked.actor else None,
        "subject": await _subject(ctx, asked.subject) if asked.subject else None,
        "since": _day("since", asked.since) if asked.since else None,
        "until": _day("until", asked.until, day) if asked.until else None,
    }


async def csv_lines(ctx: Context, wanted: dict[str, Any]) -> AsyncIterator[str]:
    """A header and a line for each entry, newest first, as RFC 4180 has it. No unit is open."""
    yield _lines([COLUMNS])
    place: Place | None = None
    while True:
        async with ctx.service(writes=False) as reading:
            found: Page[Entry] = await ENTRIES.page(reading.db, place, limit=BATCH, **wanted)
        yield _lines(_line(one) for one in found.rows)
        if not found.older:
            return
        place = Place.of(found.older)


def _lines(rows: Iterable[Iterable[str]]) -> str:
    text = StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue()


def _line(entry: Entry) -> list[str]:
    values = {
        name: "" if (value := getattr(entry, name)) is None else plain(str(value)) for name in entry.__struct_fields__
    }
    values["created_at"] = utc_text(entry.created_at)
    values["detail"] = plain(json.dumps(entry.detail, ensure_ascii=False)) if entry.detail else ""
    return [values[name] for name in COLUMNS]


async def _actor(ctx: Context, typed: str) -> UUID:
    if "@" in typed:
        return await people.by_email(ctx.db, typed) or NOBODY
    try:
        return UUID(typed)
    except ValueError:
        return NOBODY


async def _subject(ctx: Context, typed: str) -> str:
    found = await people.by_email(ctx.db, typed) if "@" in typed else None
    return typed if found is None else str(found)


def _day(field: str, typed: str, more: timedelta = timedelta()) -> datetime:
    try:
        return datetime.combine(date.fromisoformat(typed) + more, datetime.min.time(), UTC)
    except (ValueError, OverflowError):
        told = {"field": f"query.{field}", "message": "Write a day as 2026-03-14.", "code": "day"}
        raise Invalid(errors=[told]) from None
