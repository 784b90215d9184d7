"""An index over the routes of the finished application.

FastAPI tries its routes one after another; with a few hundred routes that costs more than the answer. The index narrows
a path to the few routes that could match it and leaves everything else to FastAPI: declared order, methods, 405,
parameters, mounts, websockets. `decisions/0003-route-index.md` has the figures.
"""

import copy
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute, APIWebSocketRoute, iter_route_contexts
from starlette._utils import get_route_path  # the very function the routes match with; it has no public name
from starlette.convertors import FloatConvertor, IntegerConvertor, StringConvertor, UUIDConvertor
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.types import Receive, Scope, Send

_PARAMETER = re.compile(r"{([a-zA-Z_][a-zA-Z0-9_]*)}")
_ONE_SEGMENT = (StringConvertor, IntegerConvertor, FloatConvertor, UUIDConvertor)
# A class with a `matches` of its own may match anything: such routes are tried for every path.
_BY_PATH = {kind.matches for kind in (Route, APIRoute, WebSocketRoute, APIWebSocketRoute, Mount)}

# FastAPI(max_body_size=...) puts these two in front of the router's dispatch; they stay there.
_BODY_LIMITS = frozenset({"starlette.middleware.body_limit", "fastapi._body_limit"})


def index_routes(app: FastAPI) -> None:
    """Let `app` find its routes through an index. To be called once, when all routes are there.

    Answers stay what they are without it, also their faults. A later change in the number of routes is noticed and the
    index made anew. Refused with ValueError: routers added by `include_router` (append their routes to
    `app.router.routes`), `redirect_slashes`, and middleware of the router itself (give it to the app).
    """
    router = app.router
    if router.redirect_slashes:
        raise ValueError("The route index needs FastAPI(redirect_slashes=False).")
    holder, name = _innermost(router)
    inner = getattr(holder, name)
    if inner != router.app and not isinstance(inner, _RouteIndex):
        raise ValueError("The route index would pass by the router's own middleware. Add it to the application.")
    setattr(holder, name, _RouteIndex(router))


def _innermost(router: APIRouter) -> tuple[object, str]:
    """What calls the router's own dispatch, and in which attribute: the router, or FastAPI's limit of body sizes."""
    holder: object = router
    name = "middleware_stack"
    while type(inner := getattr(holder, name)).__module__ in _BODY_LIMITS:
        holder, name = inner, "app"
    return holder, name


@dataclass(slots=True)
class _Node:
    """A place in the tree of path segments. Routes are positions in the list: the first declared wins."""

    here: list[int] = field(default_factory=list)  # routes that end here
    below: list[int] = field(default_factory=list)  # routes that may go on from here in any way
    literal: dict[str, "_Node"] = field(default_factory=dict)
    parameter: "_Node | None" = None

    def child(self, segment: str) -> "_Node":
        if not _PARAMETER.search(segment):
            return self.literal.setdefault(segment, _Node())
        self.parameter = self.parameter or _Node()
        return self.parameter


class _RouteIndex:
    """Stands where the router's own dispatch stood, and hands each request to a copy that knows few routes."""

    def __init__(self, router: APIRouter) -> None:
        self._router = router
        self._build()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._router.app(scope, receive, send)
            return
        if len(self._router.routes) != self._size:
            self._build()
        scope.setdefault("router", self._router)  # the whole one, for url_for
        path = get_route_path(scope)
        narrow = self._literal.get(path) or self._narrow(self._candidates(path))
        await narrow.app(scope, receive, send)

    def _build(self) -> None:
        routes = self._router.routes
        self._size = len(routes)
        self._root = _Node()
        self._narrowed: dict[tuple[int, ...], APIRouter] = {}
        for position, route in enumerate(routes):
            _require_flat(route)
            _plant(self._root, route, position)
        paths = {getattr(route, "path_format", "{") for route in routes}
        self._literal = {path: self._narrow(self._candidates(path)) for path in paths if "{" not in path}

    def _candidates(self, path: str) -> Iterable[int]:
        """Positions of all routes that could match, perhaps more, never fewer."""
        nodes = [self._root]
        found: list[int] = []
        # The routes' patterns end in `$`, which also lets one final line feed through.
        for segment in path.removesuffix("\n").split("/")[1:]:
            reached = []
            for node in nodes:
                found += node.below
                if literal := node.literal.get(segment):
                    reached.append(literal)
                if node.parameter:
                    reached.append(node.parameter)
            nodes = reached
        for node in nodes:
            found += node.here + node.below
        return found

    def _narrow(self, positions: Iterable[int]) -> APIRouter:
        """The router with these routes only, made once for each set of routes."""
        key = tuple(sorted(positions))
        if (narrow := self._narrowed.get(key)) is None:
            narrow = self._narrowed[key] = copy.copy(self._router)
            narrow.routes = [self._router.routes[position] for position in key]
        return narrow


def _plant(root: _Node, route: BaseRoute, position: int) -> None:
    """Put a route where its path leads, or as deep as can be told from its path."""
    path, node = getattr(route, "path_format", ""), root
    if type(route).matches not in _BY_PATH or not path.startswith("/"):
        root.below.append(position)
        return
    convertors = getattr(route, "param_convertors", {})
    for segment in path.split("/")[1:]:
        names = _PARAMETER.findall(segment)
        if any(type(convertors.get(name)) not in _ONE_SEGMENT for name in names):
            node.below.append(position)
            return
        node = node.child(segment)
    node.here.append(position)


def _require_flat(route: BaseRoute) -> None:
    contexts = list(iter_route_contexts([route]))
    if len(contexts) != 1 or contexts[0].original_route is not route:
        raise ValueError("The route index needs a flat table: append router.routes instead of calling include_router.")
