"""Headers for an answer that somebody else makes: an endpoint, an error's handler, a crash.

Whoever knows something that callers should read, while the answer is not there yet, tells it here; the outermost layer
(the frame, or `Telling` around somebody's own application) puts it on the answer.
"""

from collections.abc import Awaitable, Sequence
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .ended import ended, ending_handshake

Header = tuple[bytes, bytes]

STARTS = frozenset({"http.response.start", "websocket.accept", "websocket.http.response.start"})
"""The messages that carry an answer's headers."""
_TOLD = "tenantry.told"


def tell(scope: Scope, *groups: Sequence[Header]) -> None:
    """Ask for headers, names in lower case, on the answer to a request.

    Those of a group belong together: an answer that has one of their names by itself gets none of them. Of two groups
    that share a name the one told last is sent.
    """
    scope.setdefault("state", {}).setdefault(_TOLD, []).extend(groups)


def listen(scope: Scope) -> None:
    """Say that what is told about this request is put on its answer; for the outermost layer, before all others."""
    scope.setdefault("state", {}).setdefault(_TOLD, [])


def is_heard(scope: Scope) -> bool:
    """Whether what is told is put on the answer, so that no layer between has to look at it."""
    return scope["type"] == "http" and _TOLD in scope.get("state", ())


def told(scope: Scope, given: Sequence[Header]) -> list[Header]:
    """The headers to add to an answer that has the `given` ones."""
    groups = scope.get("state", {}).get(_TOLD)
    if not groups:
        return []
    added: list[Header] = []
    taken = {name for name, _ in given}
    for headers in reversed(groups):
        names = [name for name, _ in headers]
        if taken.isdisjoint(names):
            added += headers
            taken.update(names)
    return added


class Telling:
    """Puts what was told onto each answer of an ASGI application, also of a websocket's handshake.

    And does what was to be done when the answer has ended (`ended.py`).
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        # Made here, so that it is the same one for every layer inside, whatever copies of the scope they make.
        listen(scope)
        started, status = perf_counter(), 0
        if scope["type"] == "websocket":
            send = ending_handshake(scope, send)

        # Not a coroutine of its own: every chunk of every stream comes by here.
        def telling(message: Message) -> Awaitable[None]:
            nonlocal status
            if message["type"] in STARTS:
                status = message.get("status", status)
                given = list(message.get("headers", ()))
                if added := told(scope, given):
                    message = {**message, "headers": [*given, *added]}
            return send(message)

        try:
            await self._app(scope, receive, telling)
        finally:
            ended(scope, status, perf_counter() - started)
