"""Text that no field can hold is refused where it comes in, with the name of the field.

PostgreSQL stores no NUL in text, and the server replaces invalid UTF-8 without a word; both would end as an error of
ours, or as a value the caller did not send. Of a parameter that is sent twice FastAPI takes the last one.
"""

import json
import re
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin
from urllib.parse import unquote_to_bytes

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel
from starlette.types import Message, Receive, Scope

from .problems import Invalid, Malformed, Problem, UnsupportedMediaType
from .validation import printable

_MANY = (list, set, frozenset, tuple, Sequence)
_LONGEST_NAME = 100
_CHARSET = re.compile(rb'charset\s*=\s*"?([^;"\s]*)')
_SENTENCES = {
    "nul": "Text may not contain the NUL character.",
    "unicode": "Use text that is valid UTF-8.",
    "number": "NaN and Infinity are not numbers in JSON.",
    "repeated": "Send this parameter once.",
}


def query_refusal(scope: Scope, repeatable: AbstractSet[str]) -> Problem | None:
    """Return why the path or the query is refused, or None."""
    path, query = scope["path"], scope["query_string"]
    if ("\x00" in path or "\ufffd" in path) and (code := _path_fault(scope)):
        return _invalid("path", code)
    if query and (b"%" in query or b"&" in query or not query.isascii()):
        return _query_fault(query, repeatable)
    return None


def charset_refusal(content_type: bytes) -> Problem | None:
    """Return why a form's encoding (a content type in small letters) is refused, or None.

    The parser of multipart forms decodes with whatever codec of Python's is named, which may bring half a surrogate.
    """
    if b"multipart/" not in content_type or b"charset" not in content_type:
        return None
    found = _CHARSET.search(content_type)
    return None if found and found[1] in {b"utf-8", b"utf8"} else UnsupportedMediaType("Send forms as UTF-8.")


def repeatable_queries(app: FastAPI) -> frozenset[str]:
    """Return the names of all query parameters of an application that are declared as lists."""
    found: set[str] = set()
    for context in iter_route_contexts(app.routes):
        dependant = getattr(context, "dependant", None)
        if dependant is not None:
            found.update(_list_parameters(dependant))
    return frozenset(found)


class BodyWatch:
    """Reads a JSON or form body on its way in.

    Raises Invalid for a NUL in a text, naming the field, and Malformed for `NaN` and `Infinity`, which Python reads
    as numbers although they are not JSON (RFC 8259, section 6). What is not JSON at all is left to the endpoint.
    The body is kept only while it comes in pieces; its size is bounded by the limit around the application.
    """

    def __init__(self, receive: Receive, *, form: bool) -> None:
        self._receive = receive
        self._form = form
        self._pieces: list[bytes] = []

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] != "http.request":
            return message
        body = message.get("body", b"")
        if message.get("more_body", False):
            self._pieces.append(body)
            return message
        if self._pieces:
            body, self._pieces = b"".join((*self._pieces, body)), []
        problem = _form_fault(body) if self._form else _json_fault(body)
        if problem is not None:
            raise problem
        return message


def _form_fault(body: bytes) -> Problem | None:
    if b"%00" not in body and b"\x00" not in body:
        return None
    for name, value in _pairs(body):
        if b"\x00" in name or b"\x00" in value:
            return _invalid(f"body.{_shown(name)}", "nul")
    return None


def _json_fault(body: bytes) -> Problem | None:
    # Hardly any body has one of these, so hardly any is parsed twice. They may still be part of an innocent text.
    if b"\\u0000" not in body and b"NaN" not in body and b"Infinity" not in body:
        return None
    constants: list[str] = []
    try:
        value = json.loads(body, parse_constant=constants.append)
    except (ValueError, RecursionError):
        return None
    if constants:
        return Malformed("The body is not valid JSON.", errors=[_entry("body", "number")])
    try:
        field = next(_with_nul(value, "body"), None)
    except RecursionError:
        # Deeper than can be looked into; the escape is somewhere in it.
        field = "body"
    return _invalid(field, "nul") if field else None


def _path_fault(scope: Scope) -> str | None:
    if "\x00" in scope["path"]:
        return "nul"
    try:
        unquote_to_bytes(scope.get("raw_path") or b"").decode()
    except UnicodeDecodeError:
        return "unicode"
    return None


def _query_fault(query: bytes, repeatable: AbstractSet[str]) -> Problem | None:
    seen: set[bytes] = set()
    for name, value in _pairs(query):
        try:
            text = name.decode()
            value.decode()
        except UnicodeDecodeError:
            return _invalid(f"query.{_shown(name)}", "unicode")
        if b"\x00" in name or b"\x00" in value:
            return _invalid(f"query.{_shown(name)}", "nul")
        if name in seen and text not in repeatable:
            return _invalid(f"query.{_shown(name)}", "repeated")
        seen.add(name)
    return None


def _pairs(encoded: bytes) -> Iterator[tuple[bytes, bytes]]:
    for pair in encoded.split(b"&"):
        if pair:
            name, _, value = pair.replace(b"+", b" ").partition(b"=")
            yield unquote_to_bytes(name), unquote_to_bytes(value)


def _with_nul(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, str):
        if "\x00" in value:
            yield path
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _with_nul(item, f"{path}.{place}")
    elif isinstance(value, dict):
        for name, item in value.items():
            here = f"{path}.{printable(name[:_LONGEST_NAME])}"
            if "\x00" in name:
                yield here
            yield from _with_nul(item, here)


def _list_parameters(dependant: Any) -> Iterator[str]:
    for parameter in dependant.query_params:
        annotation = parameter.field_info.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            for name, member in annotation.model_fields.items():
                if _is_many(member.annotation):
                    yield member.alias or name
        elif _is_many(annotation):
            yield parameter.alias
    for inner in dependant.dependencies:
        yield from _list_parameters(inner)


def _is_many(annotation: Any) -> bool:
    origin = get_origin(annotation)
    if origin in (Union, UnionType, Annotated):
        return any(_is_many(argument) for argument in get_args(annotation))
    return (origin or annotation) in _MANY


def _shown(name: bytes) -> str:
    return printable(name.decode("utf-8", "replace")[:_LONGEST_NAME])


def _entry(field: str, code: str) -> dict[str, str]:
    return {"field": field, "message": _SENTENCES[code], "code": code}


def _invalid(field: str, code: str) -> Problem:
    return Invalid(errors=[_entry(field, code)])
