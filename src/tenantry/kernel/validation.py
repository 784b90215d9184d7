"""Says in plain words which field was refused and why, without repeating what was sent."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

_SECRET = re.compile(
    r"pass(word|wd|phrase)?|secret|token|(^|[_.-])key|api_?key|code|otp|pin$|authorization|cookie|credential|signature",
    re.IGNORECASE,
)
_MOST_ERRORS = 50
_LONGEST_NAME = 100

_SENTENCES: Mapping[str, str] = {
    "missing": "This field is required.",
    "extra_forbidden": "This field is not known here.",
    "string_type": "Use text.",
    "string_unicode": "Use text that is valid Unicode.",
    "string_too_short": "Use at least {min_length} characters.",
    "string_too_long": "Use at most {max_length} characters.",
    "string_pattern_mismatch": "This does not have the expected form.",
    "int_type": "Use a whole number.",
    "int_parsing": "Use a whole number.",
    "int_parsing_size": "This number is too large.",
    "int_from_float": "Use a whole number.",
    "float_type": "Use a number.",
    "float_parsing": "Use a number.",
    "finite_number": "Use a finite number.",
    "bool_type": "Use true or false.",
    "bool_parsing": "Use true or false.",
    "greater_than": "Use more than {gt}.",
    "greater_than_equal": "Use {ge} or more.",
    "less_than": "Use less than {lt}.",
    "less_than_equal": "Use {le} or less.",
    "too_short": "Give at least {min_length} entries.",
    "too_long": "Give at most {max_length} entries.",
    "list_type": "Use a list.",
    "dict_type": "Use an object.",
    "model_type": "Use an object.",
    "model_attributes_type": "Use an object.",
    "literal_error": "Use one of: {expected}.",
    "enum": "Use one of: {expected}.",
    "uuid_type": "Use an id (UUID).",
    "uuid_parsing": "Use an id (UUID).",
    "datetime_type": "Use a time as RFC 3339, for example 2030-01-31T12:00:00Z.",
    "datetime_parsing": "Use a time as RFC 3339, for example 2030-01-31T12:00:00Z.",
    "datetime_from_date_parsing": "Use a time as RFC 3339, for example 2030-01-31T12:00:00Z.",
    "timezone_aware": "Give the time a zone, for example a Z at the end.",
    "date_parsing": "Use a date, for example 2030-01-31.",
    "date_from_datetime_parsing": "Use a date, for example 2030-01-31.",
    "url_parsing": "Use a full address, for example https://example.com.",
    "url_scheme": "Use an address that starts with {expected_schemes}.",
}


def field_errors(errors: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Return `{field, message, code}` for each error of pydantic, at most 50.

    `field` is a path such as `body.email`, `query.limit`, `path.symbol`, `header.x-api-key`. The value that was sent
    is never repeated. Where the field's name looks like a secret, only sentences that cannot hold it are used.
    """
    found = []
    for _, error in zip(range(_MOST_ERRORS), errors, strict=False):
        field = _path(error.get("loc", ()))
        found.append({"field": field, "message": _message(error, field), "code": str(error.get("type", "invalid"))})
    return found


def looks_secret(name: str) -> bool:
    """Say whether a field's name suggests that its value must not be shown."""
    return _SECRET.search(name) is not None


def _path(location: Iterable[Any]) -> str:
    return ".".join(printable(str(part)[:_LONGEST_NAME]) for part in location) or "body"


def printable(text: str) -> str:
    """Return text that can be encoded and printed: lone surrogates and control characters become `?`."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _message(error: Mapping[str, Any], field: str) -> str:
    sentence = _SENTENCES.get(str(error.get("type")))
    if error.get("type") == "string_too_short" and (error.get("ctx") or {}).get("min_length") == 1:
        return "This must not be empty."
    if sentence is not None:
        try:
            return sentence.format_map(error.get("ctx") or {})
        except (KeyError, IndexError, ValueError):
            return "This value is not accepted."
    if looks_secret(field):
        return "This value is not accepted."
    # What a validator of ours or pydantic says for the rarer kinds. It may quote a part of the value.
    text = printable(str(error.get("msg", ""))).removeprefix("Value error, ").removeprefix("Assertion failed, ").strip()
    text = text[:1].upper() + text[1:300]
    return text if text.endswith((".", "!", "?")) else f"{text or 'This value is not accepted'}."
