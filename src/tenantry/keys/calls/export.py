"""Calls as a CSV file, for spreadsheets and for programs."""

import csv
from collections.abc import Iterable
from io import StringIO

from tenantry.kernel.spreadsheets import plain, utc_text

from .rows import Call

COLUMNS = ("at", "method", "endpoint", "status", "latency_ms", "request_id")


def csv_of(calls: Iterable[Call]) -> str:
    """A header and a line for each call, as RFC 4180 has it; times are UTC, bodies are left out."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for one in calls:
        words = plain(one.method), plain(one.endpoint), one.status, one.latency_ms, plain(one.request_id)
        writer.writerow([utc_text(one.at), *words])
    return text.getvalue()
