"""Whoever calls with a key is noted when the answer has ended: asked for where the key is found out."""

from typing import Any

from starlette.routing import Mount
from starlette.types import Scope

from tenantry.kernel.context import resolved_context
from tenantry.kernel.http import route_template

from .bodies import bodies_of
from .log import CallLog

_NO_ROUTE = "(none)"


def note_call(scope: Scope, status: int, seconds: float) -> None:
    """Note the call that was answered, whatever came of it."""
    ctx = resolved_context(scope)
    if ctx is None:
        return
    ctx.port(CallLog).add(
        ctx,
        # A websocket's handshake has none in its scope; it is a GET.
        method=scope.get("method", "GET"),
        endpoint=endpoint_of(scope),
        status=status,
        seconds=seconds,
        bodies=bodies_of(scope),
    )


def endpoint_of(scope: Scope) -> str:
    """The template of the route that answered, never the path, which may hold ids and secrets.

    For an application under a path it is that path, with the template inside where there is one. `(none)`: a layer in
    front of the routes answered.
    """
    template = route_template(scope)
    if "app_root_path" not in scope:
        return template
    mount = _mount_of(scope)
    if mount is None:
        return template
    return mount.path if template == _NO_ROUTE else mount.path + template


def _mount_of(scope: Scope) -> Mount | None:
    """The first mount that has the path; FastAPI does not say in the scope which one it took."""
    path: str = scope["path"].removeprefix(scope["app_root_path"])
    routes: list[Any] = getattr(scope.get("router"), "routes", [])
    return next((one for one in routes if isinstance(one, Mount) and one.path_regex.match(path)), None)
