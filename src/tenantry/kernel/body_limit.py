"""The limit of a body's size, for the requests that can have a body."""

from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

_SAYS_BODIES = frozenset({"1.0", "1.1"})
_BODY_FIELDS = frozenset({b"content-length", b"transfer-encoding"})


class BodyLimit:
    """Starlette's limit, passed by where it could not find anything.

    `FastAPI(max_body_size=...)` stands in the way of every request, twice. A route's own `max_body_size` goes before
    this limit, as it goes before that one.

    HTTP/1 has a body only where one of two fields says so (RFC 9112, section 6.3), and the server's parser holds a
    request to them. In later versions a body may come without any, so there the limit always stands.
    """

    def __init__(self, app: ASGIApp, max_body_size: int) -> None:
        self._app = app
        self._limited = RequestBodyLimitMiddleware(app, max_body_size)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self._app if _has_no_body(scope) else self._limited)(scope, receive, send)


def _has_no_body(scope: Scope) -> bool:
    if scope["type"] != "http" or scope.get("http_version") not in _SAYS_BODIES:
        return False
    for name, _ in scope["headers"]:  # noqa: SIM110 - `all` makes a generator, which costs more than the loop
        if name in _BODY_FIELDS:
            return False
    return True
