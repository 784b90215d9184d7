"""Windows as a CSV file, for spreadsheets and for programs."""

import csv
from collections.abc import Iterable
from io import StringIO
from uuid import UUID

from tenantry.kernel.database import Unit
from tenantry.kernel.spreadsheets import plain, utc_text

from .queries.history import PastWindow, history
from .spans import Span

COLUMNS = ("meter", "window_start", "window_end", "used", "limit")


async def usage_file(db: Unit, holder_id: UUID, meters: list[str], span: Span) -> tuple[str, str]:
    """The used windows that reach into a span, as a file: its name and its text. The reading unit is the caller's."""
    windows = await history(db, holder_id, meters, span)
    about = meters[0] if len(meters) == 1 else "all"
    return f"usage-{about}-{span.first}-to-{span.last}.csv", csv_of(windows)


def csv_of(windows: Iterable[PastWindow]) -> str:
    """A header and a line for each window, as RFC 4180 has it; times are UTC, an empty limit means that there is none.

    A spreadsheet takes a text that begins like a formula for one, whoever wrote it: such a text gets an apostrophe.
    """
    text = StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for one in windows:
        limit = "" if one.limit is None else one.limit
        writer.writerow([plain(one.meter), utc_text(one.window_start), utc_text(one.window_end), one.used, limit])
    return text.getvalue()
