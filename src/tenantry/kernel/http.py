"""The frame around the application: what every request and every answer goes through, in one pure ASGI layer."""

import asyncio
import random
import re
from collections.abc import MutableMapping
from time import perf_counter
from typing import Any

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .ended import ended, ending_handshake
from .frame import AnswerHeaders, FrameOptions, answer_headers, client_address, host_refusal
from .health import Metrics
from .logs import AccessLog, logger_of, request_id_of_logs
from .problem_handlers import problem_response
from .problems import Internal, Problem, TooLarge
from .raw_input import BodyWatch, charset_refusal, query_refusal
from .told import listen, told

_REQUEST_ID = re.compile(rb"[A-Za-z0-9_-]{8,64}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BODY_TYPES = (b"application/json", b"application/x-www-form-urlencoded", b"+json")
_CLIENT_LEFT = 499
_log = logger_of("tenantry.http")


class Frame:
    """Wraps the application and does for each request what every request needs.

    - It makes or accepts the request id, finds the client's address, and puts `request_id` and `client_address` into
      `scope["state"]`.
    - It refuses a foreign Host (421), and text that no field can hold: NUL, invalid UTF-8, a query parameter sent
      twice (422).
    - It adds the security headers, `X-Request-Id`, and `Cache-Control: no-store` where the answer may be personal:
      the request came with a cookie or a key, or the answer sets a cookie. What may be stored says so itself.
    - It writes one access line and the metrics, by route template.
    - It answers 500 when the application crashes before its answer has started, and logs the crash once.

    The limit of a body's size is `BodyLimit`'s, and per route FastAPI's own; the frame gives the library's plain 413
    the form of a problem.
    Run uvicorn with `proxy_headers=False`: the frame counts proxies itself.
    """

    def __init__(self, app: ASGIApp, options: FrameOptions, *, metrics: Metrics, access: AccessLog | None) -> None:
        self._app = app
        self._options = options
        self._metrics = metrics
        self._access = access
        self._answer_headers = answer_headers(options)
        self._https = options.production and options.public_url.startswith("https://")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, ending_handshake(scope, send) if scope["type"] == "websocket" else send)
            return
        exchange = _Exchange(self._options, self._answer_headers, scope, send)
        bound = request_id_of_logs.set(exchange.request_id)
        try:
            await self._serve(exchange, scope, receive)
        except asyncio.CancelledError:
            ended(scope, exchange.status, perf_counter() - exchange.started)
            exchange.status = exchange.status or _CLIENT_LEFT
            raise
        finally:
            self._record(exchange, scope)
            request_id_of_logs.reset(bound)

    async def _serve(self, exchange: "_Exchange", scope: Scope, receive: Receive) -> None:
        headers = exchange.headers
        refusal = host_refusal(self._options, scope, headers) or query_refusal(scope, self._options.repeatable)
        if refusal is not None:
            await exchange.refuse(refusal)
            return
        if self._https:
            # Behind a proxy that ends TLS the socket says http; redirects must not.
            scope["scheme"] = "https"
        content_type = headers.get(b"content-type")
        if content_type is not None and (refusal := charset_refusal(content_type.lower())):
            await exchange.refuse(refusal)
            return
        if content_type is not None and any(kind in content_type.lower() for kind in _BODY_TYPES):
            receive = BodyWatch(receive, form=b"urlencoded" in content_type.lower()).receive
        try:
            await self._app(scope, receive, exchange.send)
        except Problem as problem:
            # From a layer that has no handlers of its own.
            await exchange.refuse(problem)
        except Exception as error:  # noqa: BLE001 - the last place where a crash can be answered.
            _log.error("request.crashed", exc_info=error, method=scope["method"], route=route_template(scope))
            await exchange.refuse(Internal())

    def _record(self, exchange: "_Exchange", scope: Scope) -> None:
        seconds = perf_counter() - exchange.started
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        route = route_template(scope)
        status = exchange.status or 500
        self._metrics.observe(method, route, status, seconds)
        if self._access is not None:
            self._access(method, route, status, seconds, exchange.request_id)
        ended(scope, exchange.status, seconds)


class _Exchange:
    """One request and its answer on the way out."""

    __slots__ = ("_extra", "_replaced", "_scope", "_send", "headers", "personal", "request_id", "started", "status")

    def __init__(self, options: FrameOptions, extra: AnswerHeaders, scope: Scope, send: Send) -> None:
        self.started = perf_counter()
        self.status = 0
        self._extra = extra
        self._replaced = False
        self._scope = scope
        self._send = send
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.request_id = _request_id(self.headers, options)
        self.personal = b"cookie" in self.headers or b"authorization" in self.headers or b"x-api-key" in self.headers
        listen(scope)
        state: MutableMapping[str, Any] = scope["state"]
        state["request_id"] = self.request_id
        state["client_address"] = client_address(scope, self.headers, options.trusted_proxies)

    async def send(self, message: Message) -> None:
        """Send on what the application answers, with the frame's headers in its start."""
        if self._replaced:
            return
        if message["type"] == "http.response.start":
            if message["status"] == 413 and (b"content-type", b"text/plain; charset=utf-8") in message["headers"]:
                # The body limit of the library, for an endpoint that did not read the body.
                await self.refuse(TooLarge())
                self._replaced = True
                return
            self.status = message["status"]
            given = list(message.get("headers", ()))
            given += told(self._scope, given)
            more = self._extra.missing({name for name, _ in given}, personal=self.personal)
            given += more
            given.append((b"x-request-id", self.request_id.encode()))
            message = {**message, "headers": given}
        await self._send(message)

    async def refuse(self, problem: Problem) -> None:
        """Answer with a problem, unless an answer has started; then nothing can be said any more."""
        if self.status:
            return
        response: Response = problem_response(problem, self.request_id)
        await response(self._scope, _nothing, self.send)


def route_template(scope: Scope) -> str:
    """Return the template of the route that answered: `/v1/keys/{key_id}`; `(none)` where there was none.

    A layer in front of FastAPI may say it itself: `scope["route_template"] = "/v1/authorize"`.
    """
    named = scope.get("route_template")
    if named is not None:
        return str(named)
    # Routers that were included keep their routes without the prefix; only this context knows the whole template.
    context = scope.get("fastapi", {}).get("effective_route_context")
    route = context if context is not None else scope.get("route")
    return getattr(route, "path_format", None) or getattr(route, "path", None) or "(none)"


def _request_id(headers: dict[bytes, bytes], options: FrameOptions) -> str:
    if options.trusted_proxies:
        given = headers.get(b"x-request-id")
        if given is not None and _REQUEST_ID.fullmatch(given):
            return given.decode()
    # Only to find lines again: it must be rare, not secret. Python seeds this source anew in a forked process.
    return f"{random.getrandbits(128):032x}"


async def _nothing() -> Message:
    return {"type": "http.disconnect"}
