"""What every route keeps: who may call it, what it documents, what it accepts."""

import inspect
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import BaseModel
from starlette.responses import Response
from starlette.routing import Mount

from tenantry.admin.operator import operator
from tenantry.kernel import Caller, Read, Service, SignedIn, Write

from .tree import Finding

NEEDS_AN_ACTOR = frozenset(get_args(kind)[1].dependency for kind in (Caller, Read, Write, Service, SignedIn))
PREFIXES = ("/v1/", "/auth/", "/webhooks/")
PAGES = ("/pricing", "/signin", "/signup", "/dashboard", "/keys", "/prompts", "/chats", "/files", "/team", "/billing")
PAGES += ("/settings", "/usage", "/trials", "/admin", "/docs", "/problems", "/design", "/mailbox", "/preferences")
PAGES += ("/static", "/invitations")
SINGLE = frozenset(
    {"/", "/healthz", "/readyz", "/metrics", "/openapi.json", "/robots.txt", "/favicon.ico", "/sitemap.xml"}
)
UNSAFE = frozenset({"POST", "PUT", "PATCH"})


@dataclass(frozen=True, slots=True)
class Door:
    """One method of one path. `route` is None for what is not FastAPI's: mounts and plain routes."""

    method: str
    path: str
    route: APIRoute | None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def is_json(self) -> bool:
        return self.route is not None and self.route.include_in_schema

    def finding(self, what: str) -> Finding:
        return Finding(str(self), 1, what)


def doors(app: FastAPI) -> list[Door]:
    """Every method of every route, also of included routers; HEAD goes with GET."""
    found = []
    for one in iter_route_contexts(app.router.routes):
        route: Any = one.original_route
        methods = {"GET"} if isinstance(route, Mount) else set(route.methods or ()) - {"HEAD"}
        path = one.path if isinstance(route, APIRoute) else route.path
        found += [Door(method, path, route if isinstance(route, APIRoute) else None) for method in sorted(methods)]
    return found


def undeclared(found: list[Door], public: Mapping[str, str]) -> Iterator[Finding]:
    """Routes that let strangers in without a reason, and reasons for routes that do not, or are not there."""
    open_doors = {str(door) for door in found if not NEEDS_AN_ACTOR.intersection(_dependencies(door))}
    for door in found:
        if str(door) in open_doors and str(door) not in public:
            yield door.finding("lets strangers in, and no module says why")
    for name, reason in public.items():
        if name not in open_doors or not reason:
            yield Finding(name, 1, f"is declared public ({reason}) and is not, or is not there")


def unguarded(found: list[Door]) -> Iterator[Finding]:
    """Routes of the operator's pages that do not ask whether somebody is one."""
    for door in found:
        if door.path.startswith("/admin") and operator not in _dependencies(door):
            yield door.finding("does not ask for Operator")


def blocking(found: list[Door]) -> Iterator[Finding]:
    """Endpoints and dependencies that are not coroutines: they would run in threads, without our unit of work."""
    for door in found:
        for call in _dependencies(door):
            if not inspect.iscoroutinefunction(call) and not inspect.isasyncgenfunction(call):
                yield door.finding(f"{getattr(call, '__name__', call)} is not async")


def undocumented(found: list[Door]) -> Iterator[Finding]:
    """JSON routes without a response model, and those for signed-in callers that do not document 401."""
    for door in found:
        route = door.route
        if route is None or not door.is_json:
            continue
        if NEEDS_AN_ACTOR.intersection(_dependencies(door)) and 401 not in route.responses:
            yield door.finding("does not document 401")
        if route.response_model is None and route.status_code != 204 and not _answers_itself(route):
            yield door.finding("has no response model")
        if not inspect.getdoc(route.endpoint):
            yield door.finding("has no docstring, which is its description")


def misplaced(found: list[Door]) -> Iterator[Finding]:
    """Paths that are neither API, sign-in, webhook, nor one of the site's pages; and the same door twice."""
    for door in found:
        is_page = any(door.path == page or door.path.startswith(f"{page}/") for page in PAGES)
        if not door.path.startswith(PREFIXES) and not is_page and door.path not in SINGLE:
            yield door.finding("is at no known place")
        if door.is_json and is_page:
            yield door.finding("is a page's path, and answers JSON")
    for name, count in Counter(map(str, found)).items():
        if count > 1:
            yield Finding(name, 1, "is there twice")
    names = Counter(door.route.unique_id for door in found if door.route is not None and door.is_json)
    for name, count in names.items():
        if count > 1:
            yield Finding(name, 1, "is the operation id of two routes")


def open_bodies(found: list[Door]) -> Iterator[Finding]:
    """Bodies that accept members nobody knows, which is how `is_admin` gets set."""
    for door in found:
        bodies = door.route.dependant.body_params if door.route is not None and door.method in UNSAFE else []
        for body in bodies:
            for model in _models(body.field_info.annotation, set()):
                if model.model_config.get("extra") != "forbid":
                    yield door.finding(f"{model.__name__} does not forbid unknown members")


def _dependencies(door: Door) -> list[Any]:
    """The endpoint and everything it depends on."""
    waiting = [door.route.dependant] if door.route is not None else []
    calls = []
    while waiting:
        dependant = waiting.pop()
        calls.append(dependant.call)
        waiting += dependant.dependencies
    return calls


def _answers_itself(route: APIRoute) -> bool:
    answer = inspect.signature(route.endpoint).return_annotation
    return inspect.isclass(answer) and issubclass(answer, Response)


def _models(kind: Any, seen: set[type]) -> Iterable[type[BaseModel]]:
    if inspect.isclass(kind) and issubclass(kind, BaseModel) and kind not in seen:
        seen.add(kind)
        yield kind
        for field in kind.model_fields.values():
            yield from _models(field.annotation, seen)
    for part in get_args(kind):
        yield from _models(part, seen)
