"""`Metered`: an ASGI application whose calls are counted before it runs."""

from collections.abc import Awaitable, Callable

from starlette.status import WS_1008_POLICY_VIOLATION as POLICY_VIOLATION
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tenantry.kernel import Problem
from tenantry.kernel.mounted import product_request
from tenantry.kernel.problem_handlers import problem_answer
from tenantry.kernel.told import STARTS, is_heard, tell
from tenantry.product import Meter
from tenantry.web import problem_page

from .charging import Charge
from .headers import NAMES


class Metered:
    """Counts each call of an ASGI application, or of a part of one, on a meter of whoever asks.

        app.mount("/tiles", Metered(tiles, requests))
        app.add_middleware(Metered, meter=requests, cost=lambda scope: scope["path"].startswith("/api/"))

    It stands inside the product's application (a `Mount` in a module's router), or inside one that `tenantry.mount`
    was given. `cost` is a number of units, or a function of the ASGI scope; where that answers 0 nobody is asked who
    they are and nothing is counted.

    Who asks is found out as everywhere, once: the application inside finds the context in `scope["state"]`. Without a
    credential it answers 401, without quota 429, while the database is away 503, as problem documents, or as pages
    for people. None of these is counted. What is admitted is counted, whatever the application answers, and also when
    it crashes. Its answer is passed on as it comes, with the headers of `limit_headers`; one that has any of these
    headers by itself keeps its own and gets none.

    HEAD costs what GET does. A CORS preflight carries no credential and is free; its answer is passed on without the
    body, which browsers never read, so that an application that answers every method alike gives nothing away.
    A websocket's handshake is one call, whatever is said afterwards; with a cookie it must come from our own pages or
    an allowed origin. It is refused with the same answer where the server can send one, else with close code 1008.
    """

    def __init__(self, app: ASGIApp, meter: Meter, *, cost: int | Callable[[Scope], int] = 1) -> None:
        self._app = app
        self._charge = Charge(meter, cost)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            if scope["method"] == "OPTIONS" and _is_preflight(scope):
                # Without extensions: it cannot hand over a file, or trailers, past the function that drops the body.
                await self._app({**scope, "extensions": {}}, receive, _without_body(send))
                return
        elif scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        try:
            counted = await self._charge.count(scope, scope)
        except Problem as problem:
            await _refuse(problem, scope, receive, send)
            return
        if counted is None:
            await self._app(scope, receive, send)
            return
        headers = counted[1]
        if is_heard(scope):
            tell(scope, headers)
            await self._app(scope, receive, send)
            return

        # Not a coroutine of its own: every chunk of every stream comes by here.
        def stating(message: Message) -> Awaitable[None]:
            if message["type"] in STARTS:
                given = list(message.get("headers", ()))
                if NAMES.isdisjoint([name for name, _ in given]):
                    message = {**message, "headers": [*given, *headers]}
            return send(message)

        await self._app(scope, receive, stating)


async def _refuse(problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket" and "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": problem.code})
        return
    answer = problem_answer(product_request(scope), problem, problem_page)
    await answer(scope, receive, send)


def _is_preflight(scope: Scope) -> bool:
    names = {name for name, _ in scope["headers"]}
    return b"origin" in names and b"access-control-request-method" in names


def _without_body(send: Send) -> Send:
    async def bodiless(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [one for one in message.get("headers", ()) if one[0] != b"content-length"]
            await send({**message, "headers": headers})
        elif message["type"] == "http.response.body" and not message.get("more_body", False):
            await send({"type": "http.response.body"})

    return bodiless
