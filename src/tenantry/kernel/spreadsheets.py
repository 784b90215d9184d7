"""Words and times in files that people open in a spreadsheet."""

from datetime import UTC, datetime

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def plain(text: str) -> str:
    """A text that no spreadsheet takes for a formula, whoever wrote it: one that begins like one gets an apostrophe."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def utc_text(at: datetime) -> str:
    """A time in UTC, as RFC 3339 has it."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
