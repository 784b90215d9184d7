"""Errors for callers: one class says the code, the status and the public sentence (RFC 9457)."""

import inspect
import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Self

_CODE = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
_MEMBERS = frozenset({"type", "title", "status", "detail", "code", "request_id", "instance"})
MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """An error that the caller may read.

    A subclass has a docstring, whose first paragraph is the public sentence, and `code` ("room.what") of its own, and
    a `status` from 400 to 599, of its own or from a concrete parent. There are no defaults: whoever forgets one gets
    a TypeError when the class is made. `class X(Problem, abstract=True)` is only a parent.

    `detail` is told to the caller, `internal` only to the log; further keywords become members of the document.
    """

    code: ClassVar[str]
    status: ClassVar[int]
    title: ClassVar[str]
    answer_headers: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls, *, abstract: bool = False, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if abstract:
            return
        code, status = cls.__dict__.get("code"), getattr(cls, "status", None)
        if not isinstance(code, str) or not _CODE.fullmatch(code):
            raise TypeError(f'{cls.__name__}: a problem has a code of its own, like "keys.limit_reached"')
        if not isinstance(status, int) or not 400 <= status <= 599:
            raise TypeError(f"{cls.__name__}: a problem has a status from 400 to 599")
        if not (cls.__dict__.get("__doc__") or "").strip():
            raise TypeError(f"{cls.__name__}: a problem has a docstring; its first paragraph is the public sentence")
        cls.title = " ".join(inspect.cleandoc(cls.__doc__ or "").split("\n\n")[0].split())

    def __init__(
        self,
        detail: str | None = None,
        *,
        internal: str | None = None,
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        if type(self).__dict__.get("code") is None:
            raise TypeError(f"{type(self).__name__} is abstract; raise one of its subclasses")
        if taken := _MEMBERS & extra.keys():
            raise TypeError(f"a problem's own members cannot be replaced: {', '.join(sorted(taken))}")
        super().__init__(internal or detail or self.title)
        self.detail = detail
        self.internal = internal
        self.headers: dict[str, str] = {**self.answer_headers, **(headers or {})}
        self.extra: dict[str, Any] = extra

    def __str__(self) -> str:
        return f"{self.code}: {self.args[0]}"

    def body(self, request_id: str | None) -> dict[str, Any]:
        """Return the members of the problem document."""
        return {
            "type": problem_type(self.code),
            "title": self.title,
            "status": self.status,
            "detail": self.detail or self.title,
            "code": self.code,
            "request_id": request_id,
            **self.extra,
        }


def problem_type(code: str) -> str:
    """Return the address of the problem's documentation, relative to the site."""
    return f"/problems#{code}"


def problems(*classes: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """Return what FastAPI's `responses=` takes: every problem as an example, those of one status together."""
    by_status: dict[int, dict[str, type[Problem]]] = {}
    for cls in classes:
        by_status.setdefault(cls.status, {})[cls.code] = cls
    return {status: _documented(list(found.values())) for status, found in sorted(by_status.items())}


def with_common(
    responses: Mapping[int | str, dict[str, Any]], common: Iterable[type[Problem]], known: Mapping[str, type[Problem]]
) -> dict[int | str, dict[str, Any]]:
    """What a route answers by its own word, and what any route may answer; those of one status together.

    `known` are all problems by their code.
    """
    by_status: dict[int, list[type[Problem]]] = {}
    for cls in common:
        by_status.setdefault(cls.status, []).append(cls)
    found: dict[int | str, dict[str, Any]] = {
        status: _joined(responses.get(status), classes, known) for status, classes in sorted(by_status.items())
    }
    return found | {status: own for status, own in responses.items() if status not in found}


def all_problems(package: str | None = None) -> list[type[Problem]]:
    """Return every concrete problem that is loaded, or those of one package, in the order of the codes."""
    # Python lists a class that was refused among the subclasses until it is collected; it has no title.
    found = {cls for cls in _below(Problem) if "title" in cls.__dict__}
    if package is not None:
        found = {cls for cls in found if f"{cls.__module__}.".startswith(f"{package}.")}
    return sorted(found, key=lambda cls: (cls.code, cls.__qualname__))


def _below(parent: type[Problem]) -> Iterable[type[Problem]]:
    for cls in parent.__subclasses__():
        yield cls
        yield from _below(cls)


def _joined(
    own: dict[str, Any] | None, classes: list[type[Problem]], known: Mapping[str, type[Problem]]
) -> dict[str, Any]:
    if own is None:
        return _documented(classes)
    content = own.get("content", {}).get(MEDIA_TYPE)
    codes = [] if content is None else content["schema"]["properties"]["code"]["enum"]
    missing = [cls for cls in classes if cls.code not in codes]
    # Modules keep their routes: what one application has added, the next one of the process finds there.
    return own if content is None or not missing else _documented([*(known[code] for code in codes), *missing])


def _documented(classes: list[type[Problem]]) -> dict[str, Any]:
    return {
        "description": " ".join(cls.title for cls in classes),
        "content": {
            MEDIA_TYPE: {
                "schema": _schema(classes),
                "examples": {cls.code: {"summary": cls.title, "value": _example(cls)} for cls in classes},
            }
        },
    }


def _schema(classes: list[type[Problem]]) -> dict[str, Any]:
    text = {"type": "string"}
    return {
        "title": "Problem",
        "type": "object",
        "required": ["type", "title", "status", "detail", "code", "request_id"],
        "properties": {
            "type": {"type": "string", "format": "uri-reference"},
            "title": text,
            "status": {"type": "integer", "const": classes[0].status},
            "detail": text,
            "code": {"type": "string", "enum": [cls.code for cls in classes]},
            "request_id": {"type": ["string", "null"]},
        },
        "additionalProperties": True,
    }


def _example(cls: type[Problem]) -> dict[str, Any]:
    return {
        "type": problem_type(cls.code),
        "title": cls.title,
        "status": cls.status,
        "detail": cls.title,
        "code": cls.code,
        "request_id": "0198c2f0a1b27c3d8e4f5a6b7c8d9e0f",
    }


class NotFound(Problem):
    """There is nothing here, or nothing that you may see."""

    code, status = "request.not_found", 404


class MethodNotAllowed(Problem):
    """This address does not answer to this method."""

    code, status = "request.method_not_allowed", 405


class Unauthenticated(Problem):
    """Sign in first."""

    code, status = "request.unauthenticated", 401
    # RFC 9110, section 11.6.1: a 401 names at least one scheme.
    answer_headers: ClassVar[Mapping[str, str]] = {"WWW-Authenticate": "Bearer"}


class Forbidden(Problem):
    """You may not do this."""

    code, status = "request.forbidden", 403


class RoleRefused(Forbidden):
    """Your role in this organization does not allow this."""

    code = "request.role_refused"


class PersonNeeded(Problem):
    """This is for people who are signed in; an API key may not do it."""

    code, status = "request.person_needed", 403


class Malformed(Problem):
    """The request could not be read."""

    code, status = "request.malformed", 400


class Invalid(Problem):
    """Some of what was sent is not accepted.

    `errors` lists each: `{"field": "body.email", "message": "...", "code": "..."}`.
    """

    code, status = "request.invalid", 422


class TooLarge(Problem):
    """The request is larger than this address accepts."""

    code, status = "request.too_large", 413


class UnsupportedMediaType(Problem):
    """This address does not read this content type."""

    code, status = "request.unsupported_media_type", 415


class WrongHost(Problem):
    """This server does not answer for the host that was asked for."""

    code, status = "request.wrong_host", 421


class DatabaseConflict(Problem):
    """Somebody changed the same thing at the same time. Try again."""

    code, status = "database.conflict", 503
    answer_headers: ClassVar[Mapping[str, str]] = {"Retry-After": "1"}


class DatabaseUnavailable(Problem):
    """The database cannot be reached at the moment. Try again shortly."""

    code, status = "database.unavailable", 503
    answer_headers: ClassVar[Mapping[str, str]] = {"Retry-After": "5"}
    nothing_happened = False
    """Whether it is certain that nothing was done: the statement was not sent, or taken back."""

    @classmethod
    def before_sending(cls, why: object) -> Self:
        """No connection was to be had, so nothing was asked of the database."""
        error = cls(internal=f"{type(why).__name__}: {why}" if isinstance(why, Exception) else str(why))
        error.nothing_happened = True
        return error


class Internal(Problem):
    """Something broke on our side. Tell us the request id if it happens again."""

    code, status = "internal.error", 500
