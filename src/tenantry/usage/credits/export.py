"""The ledger as a CSV file, for spreadsheets and for programs."""

import csv
from collections.abc import Iterable
from io import StringIO

from tenantry.kernel.spreadsheets import plain, utc_text

from .rows import Entry

COLUMNS = ("number", "at", "kind", "amount", "balance_after", "label", "reference")
ENTRIES_MAX = 10_000
"""The newest so many are in a file; the API has the older ones."""


def csv_of(ledger: Iterable[Entry]) -> str:
    """A header and a line for each entry, as RFC 4180 has it; times are UTC.

    A spreadsheet takes a text that begins like a formula for one, whoever wrote it: such a text gets an apostrophe.
    """
    text = StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for one in ledger:
        at = utc_text(one.created_at) if one.created_at else ""
        words = (plain(one.label or ""), plain(one.reference or ""))
        writer.writerow([one.number, at, one.kind, one.amount, one.balance_after, *words])
    return text.getvalue()
