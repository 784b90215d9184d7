"""Turns every error of a request into one answer: a problem document, or a page for people."""

import asyncio
import http
import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from .context import open_context
from .logs import logger_of
from .negotiation import is_json, prefers_html
from .problems import (
    MEDIA_TYPE,
    Forbidden,
    Internal,
    Invalid,
    Malformed,
    MethodNotAllowed,
    NotFound,
    Problem,
    TooLarge,
    Unauthenticated,
    UnsupportedMediaType,
    problem_type,
)
from .validation import field_errors

ProblemPage = Callable[[Request, dict[str, Any]], Response]

_log = logger_of("tenantry.problems")
_BY_STATUS: dict[int, type[Problem]] = {
    cls.status: cls
    for cls in (
        NotFound,
        MethodNotAllowed,
        Unauthenticated,
        Forbidden,
        Malformed,
        Invalid,
        TooLarge,
        UnsupportedMediaType,
        Internal,
    )
}
# What Starlette and FastAPI say by themselves and our own sentence says better.
_STOCK = frozenset({phrase.phrase for phrase in http.HTTPStatus} | {"There was an error parsing the body"})
_RECOGNISED_WITHIN_SECONDS = 2.0
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def install_problem_handlers(app: FastAPI, *, page: ProblemPage | None) -> None:
    """Answer every error of `app` as `application/problem+json`, or through `page` when the client prefers HTML.

    `page` gets the request and the members of the problem document. When it fails, the document is sent.
    """

    async def answer(request: Request, error: Exception) -> Response:
        if isinstance(error, HTTPException):
            if page is not None and prefers_html(request.headers.get("accept", "")):
                await _recognise(request)
            return _http_answer(request, error, page)
        return problem_answer(request, _as_problem(request, error), page)

    for cls in (Problem, HTTPException, RequestValidationError, json.JSONDecodeError, UnicodeDecodeError, Exception):
        app.add_exception_handler(cls, answer)


def problem_answer(request: Request, problem: Problem, page: ProblemPage | None) -> Response:
    """Answer with a problem as `install_problem_handlers` does: a document, or through `page` for who prefers HTML."""
    if problem.internal is not None:
        log = _log.error if problem.status >= 500 else _log.info
        log("problem", code=problem.code, status=problem.status, internal=problem.internal)
    return _send(request, problem.body(_request_id(request)), problem.status, problem.headers, page)


def problem_response(problem: Problem, request_id: str | None) -> Response:
    """Return the problem document as a response. Never raises: what cannot be encoded is left out."""
    return _document(problem.body(request_id), problem.status, problem.headers)


async def _recognise(request: Request) -> None:
    """Find out who asks, for the frame around the page: where no route matched, nobody has done so yet.

    Whatever is in the way, the page is shown as to a stranger.
    """
    with suppress(Exception):
        async with asyncio.timeout(_RECOGNISED_WITHIN_SECONDS):
            await open_context(request)


def _as_problem(request: Request, error: Exception) -> Problem:
    if isinstance(error, Problem):
        return error
    if isinstance(error, RequestValidationError):
        return _refused_input(request, error)
    if isinstance(error, (json.JSONDecodeError, UnicodeDecodeError)) and _was_sent(request, error):
        return Malformed("The body is not valid JSON in UTF-8.", errors=[_body_error("encoding_invalid")])
    if isinstance(error, (json.JSONDecodeError, UnicodeDecodeError)):
        # These stop here and would otherwise never reach the log of crashes.
        _log.error("request.crashed", exc_info=error)
    return Internal()


def _was_sent(request: Request, error: json.JSONDecodeError | UnicodeDecodeError) -> bool:
    """Tell the caller's bad bytes from bad bytes that our own code met elsewhere, which are our fault."""
    body = getattr(request, "_body", None)
    if not isinstance(body, bytes):
        return False
    if isinstance(error, UnicodeDecodeError):
        return bytes(error.object) in body
    return error.doc == body.decode(json.detect_encoding(body), "surrogatepass")


def _refused_input(request: Request, error: RequestValidationError) -> Problem:
    errors = error.errors()
    if broken := next((item for item in errors if item.get("type") == "json_invalid"), None):
        position, reason = broken["loc"][-1], broken.get("ctx", {}).get("error", "")
        found = {**_body_error("json_invalid"), "message": f"Not valid JSON at character {position}: {reason}."}
        return Malformed("The body is not valid JSON.", errors=[found])
    # Of another content type FastAPI hands on the bytes, and complains about the fields that bytes do not have.
    unread = isinstance(error.body, bytes) and any(item["loc"][:1] == ("body",) for item in errors)
    content_type = request.headers.get("content-type", "")
    if unread and not is_json(content_type):
        found = {**_body_error("media_type"), "message": "Send the body as application/json."}
        return UnsupportedMediaType(
            "Send the body as application/json.", headers={"Accept": "application/json"}, errors=[found]
        )
    return Invalid(errors=field_errors(errors))


def _body_error(code: str) -> dict[str, str]:
    return {"field": "body", "message": "The body could not be read.", "code": code}


def _http_answer(request: Request, error: HTTPException, page: ProblemPage | None) -> Response:
    headers = _clean(error.headers or {})
    if error.status_code < 400:
        # Redirects and "not modified" are raised too; they are answers, not problems.
        return Response(status_code=error.status_code, headers=headers)
    if isinstance(error.__cause__, Problem):
        # FastAPI wraps whatever the reading of a body raised; ours says more.
        return problem_answer(request, error.__cause__, page)
    detail = error.detail if isinstance(error.detail, str) and error.detail not in _STOCK else None
    cls = _BY_STATUS.get(error.status_code)
    if cls is Internal:
        return problem_answer(request, Internal(internal=detail), page)
    if cls is Malformed:
        return problem_answer(request, Malformed(detail, headers=headers, errors=[_body_error("unreadable")]), page)
    if cls is not None:
        return problem_answer(request, cls(detail, headers=headers), page)
    return _send(request, _other(error, detail, _request_id(request)), error.status_code, headers, page)


def _other(error: HTTPException, detail: str | None, request_id: str | None) -> dict[str, Any]:
    """Describe a status that has no problem class here: an author's own `HTTPException(409, ...)`."""
    try:
        title = http.HTTPStatus(error.status_code).phrase
    except ValueError:
        title = "The request was refused"
    code = f"http.status_{error.status_code}"
    body = {"type": problem_type(code), "title": title, "status": error.status_code, "detail": detail or title}
    more: dict[str, Any] = {} if isinstance(error.detail, str) else {"data": error.detail}
    return {**body, "code": code, "request_id": request_id, **more}


def _send(
    request: Request, body: dict[str, Any], status: int, headers: Mapping[str, str], page: ProblemPage | None
) -> Response:
    if page is not None and prefers_html(request.headers.get("accept", "")):
        try:
            answer = page(request, body)
            if not 300 <= answer.status_code < 400:  # a page may send a stranger to where one signs in
                answer.status_code = status
            answer.headers.update({"Vary": "Accept", "Cache-Control": "no-store", **headers})
        except Exception:  # noqa: BLE001 - whatever breaks the page must not break the answer.
            _log.exception("problem.page_failed", code=body["code"])
        else:
            return answer
    return _document(body, status, headers)


def _document(body: dict[str, Any], status: int, headers: Mapping[str, str]) -> Response:
    try:
        content = msgspec.json.encode(body, enc_hook=str)
    except Exception:  # noqa: BLE001 - a lone surrogate, or an object whose __str__ fails: send what is always plain.
        known = {name: body[name] for name in ("type", "title", "status", "code", "request_id")}
        content = msgspec.json.encode(known)
    sent = {"Cache-Control": "no-store", "Vary": "Accept", **headers}
    return Response(content, status_code=status, headers=sent, media_type=MEDIA_TYPE)


def _clean(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if _HEADER_NAME.fullmatch(name) and value.isprintable()}


def _request_id(request: Request) -> str | None:
    found = request.scope.get("state", {}).get("request_id")
    return found if isinstance(found, str) else None
