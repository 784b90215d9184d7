"""A body that msgspec reads, refused in the words in which all bodies are refused: by field, never by value."""

import re
from typing import TypeVar

import msgspec

from tenantry.kernel.problems import Invalid, Malformed
from tenantry.kernel.validation import printable

Read = TypeVar("Read", bound=msgspec.Struct)

_LONGEST_NAME = 100
_WHERE = re.compile(r" - at `(?P<key>key in )?\$(?P<path>[^`]*)`$")
_NAMED = re.compile(r"^Object (?P<what>missing required|contains unknown) field `(?P<name>.*?)`", re.DOTALL)
_SENTENCES = {
    "missing": "This field is required.",
    "extra_forbidden": "This field is not known here.",
    "invalid": "This value is not accepted.",
}


def decoded(body: bytes, kind: type[Read]) -> Read:
    """The body as a struct. Raises `Malformed` (400) for what is not JSON, `Invalid` (422) with the field's name."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise _refusal(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        entry = {"field": "body", "message": "The body could not be read.", "code": "json_invalid"}
        raise Malformed("The body is not valid JSON.", errors=[entry]) from None


def invalid(field: str, message: str, code: str) -> Invalid:
    """The refusal of one field of the body; "" is the body itself."""
    path = ".".join(one for one in ("body", printable(field[:_LONGEST_NAME])) if one)
    return Invalid(errors=[{"field": path, "message": message, "code": code}])


def _refusal(text: str) -> Invalid:
    where = _WHERE.search(text)
    path = where["path"].strip(".").replace("[...]", "") if where else ""
    named = _NAMED.match(text)
    if named is None:
        # What msgspec expected is in the text, and never what it was sent.
        expected = text[: where.start()] if where else text
        return invalid(path, _sentence(expected), "invalid")
    code = "missing" if named["what"].startswith("missing") else "extra_forbidden"
    return invalid(".".join(one for one in (path, named["name"]) if one), _SENTENCES[code], code)


def _sentence(expected: str) -> str:
    return f"{expected}." if expected.startswith("Expected ") else _SENTENCES["invalid"]
