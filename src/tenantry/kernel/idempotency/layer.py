"""Repeating a POST that creates: in front of the routes that do, and of nothing else."""

from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any, TypeVar

from fastapi import Request
from fastapi.routing import APIRoute, request_response
from msgspec.structs import replace
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from ..context import Context, open_context
from ..ids import new_id
from ..retention import forget
from . import queries
from .asking import Asked, asked, has_key
from .claims import Answer, Claim, hold
from .errors import IdempotencyKeyMalformed, IdempotencyKeyReused, Interrupted, StillInProgress

KEPT = timedelta(hours=24)
LEASE = timedelta(minutes=2)
"""After it nobody waits for the first request any more. It decides what is told, never whether something is done."""

PROBLEMS = (IdempotencyKeyMalformed, IdempotencyKeyReused, Interrupted, StillInProgress)

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def creates(endpoint: Endpoint) -> Endpoint:
    """Mark the endpoint of a POST that creates although it does not answer 201: it takes an `Idempotency-Key` too."""
    vars(endpoint)["creates"] = True
    return endpoint


def is_creating(route: APIRoute) -> bool:
    """Whether a route takes an `Idempotency-Key`: a POST that answers 201, or is marked with `creates`."""
    return "POST" in (route.methods or ()) and (route.status_code == 201 or getattr(route.endpoint, "creates", False))


def remember_answers(route: APIRoute) -> None:
    """Let a creating route take the header, and describe it. To be called once or more, before the first request."""
    if not isinstance(route.app, _Remembering):
        route.app = _Remembering(route)
        route.openapi_extra = {**(route.openapi_extra or {}), **_described(route)}


async def forget_keys(ctx: Context, _payload: dict[str, Any]) -> None:
    """Delete keys whose time is over, with their answers."""
    await forget(ctx, queries.EXPIRED, before=ctx.clock.now())


class _Remembering:
    """A route, and beside it the same route for requests with a key."""

    def __init__(self, route: APIRoute) -> None:
        self._plain: ASGIApp = route.app
        self._keyed: ASGIApp = request_response(_once(route))
        if (most := getattr(route, "max_body_size", None)) is not None:
            self._keyed = RequestBodyLimitMiddleware(self._keyed, max_body_size=most)

    # No coroutine of its own: a request without a key is handed on as if nothing stood here.
    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        return (self._keyed if has_key(scope) else self._plain)(scope, receive, send)


def _once(route: APIRoute) -> Handler:
    handler: Handler = route.get_route_handler()
    is_settled_inside = _settles(route.dependant)

    async def answer(request: Request) -> Response:
        ctx = await open_context(request)
        wanted = await asked(request, ctx, f"{request.method} {route.path_format}")
        if wanted is None:
            return await handler(request)
        found = await _reserved(ctx, wanted, again=is_settled_inside)
        if isinstance(found, Answer):
            return found.response()
        hold(request.scope, found)
        # FastAPI's own stack of what ends before the answer is sent: what is put on it first ends last, so that the
        # endpoint's unit has been committed or rolled back by then.
        stack: AsyncExitStack = request.scope["fastapi_function_astack"]
        stack.push_async_exit(found.end)
        response = await handler(request)
        found.hear(response)
        return response

    return answer


async def _reserved(ctx: Context, wanted: Asked, *, again: bool) -> Claim | Answer:
    """The key for this request, in a unit of its own, or the answer of the request that had it before."""
    lease = new_id()
    # What is written here is not the endpoint's.
    apart = replace(ctx, once=None)
    async with apart.service(single=True) as working:
        key = await queries.reserve(
            working.db,
            again=again,
            id=lease,
            **wanted.owner,
            route=wanted.route,
            request_hash=wanted.request_hash,
            lease=lease,
            lease_seconds=int(LEASE.total_seconds()),
            kept_seconds=int(KEPT.total_seconds()),
        )
    if key is not None:
        return Claim(ctx, wanted, key, lease, once=again)
    async with ctx.service(writes=False) as reading:
        kept = await queries.kept(reading.db, **wanted.owner)
    if kept is None:
        raise StillInProgress  # It was given free this moment.
    if kept.request_hash != wanted.request_hash:
        raise IdempotencyKeyReused
    if kept.answer is None and kept.leased_until > ctx.clock.now():
        raise StillInProgress
    answer = None if kept.answer is None else Answer.opened(ctx.runtime.vault, kept.answer, wanted)
    if answer is None or answer.is_lost:
        raise Interrupted
    return answer


def _settles(dependant: Any) -> bool:
    return any(getattr(one.call, "settles", False) or _settles(one) for one in dependant.dependencies)


def _described(route: APIRoute) -> dict[str, Any]:
    header = {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": "A key of your own for this request, such as a UUID. A repetition with it within 24 hours is "
        "answered as the first time, and nothing is created twice.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 512},
        "example": "8e03978e-40d5-43e8-bc93-6894a57f9324",
    }
    replayed = {
        "description": "The answer of an earlier request with the same `Idempotency-Key`.",
        "schema": {"type": "string", "enum": ["true"]},
    }
    status = str(route.status_code or 200)
    return {"parameters": [header], "responses": {status: {"headers": {"Idempotent-Replayed": replayed}}}}
