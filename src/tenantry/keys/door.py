"""`POST /v1/authorize`: services in other languages, or of other teams, ask whether somebody's key may do something.

It stands in front of FastAPI, inside the frame: a service asks before each of its own calls. Whoever asks shows a key
with the scope `authorize`. That is the operator's own, and asks about any key of the product, whoever holds it.
"""

from typing import Self

import msgspec
from fastapi import FastAPI
from starlette.requests import Request
from starlette.status import HTTP_200_OK
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tenantry.kernel import Context, Problem
from tenantry.kernel.context import Origin, system_context
from tenantry.kernel.negotiation import is_json
from tenantry.kernel.problem_handlers import problem_answer
from tenantry.kernel.problems import Malformed, MethodNotAllowed, TooLarge, UnsupportedMediaType
from tenantry.kernel.runtime import Runtime
from tenantry.product import AUTHORIZE, Meter
from tenantry.usage import Decision
from tenantry.usage.spending import spend

from .authorize import ask_of, refuse
from .calls import CallLog
from .calls.bodies import keep_no_bodies
from .decoding import decoded, invalid
from .describing import with_authorize
from .errors import KeyMissing, ScopeMissing
from .known import KnownKey, KnownKeys
from .questions import OF_THE_KEY, PATH, AuthorizedKey, AuthorizeKey
from .resolving import resolve_key

BODY_BYTES_MAX = 16 * 1024
_JSON = (b"content-type", b"application/json")


class AuthorizeDoor:
    """An ASGI application that answers `POST /v1/authorize` and hands on everything else."""

    def __init__(self, app: ASGIApp, runtime: Runtime) -> None:
        self._app = app
        self._runtime = runtime
        self._meters = {meter.name: meter for meter in runtime.product.meters}
        keys = runtime.product.keys
        self._scopes = {AUTHORIZE.name, *(scope.name for scope in keys.scopes)} if keys else set()

    @classmethod
    def before(cls, app: FastAPI, inner: ASGIApp, runtime: Runtime) -> Self:
        """The door before `inner`, described among the routes of `app`."""
        app.openapi = with_authorize(app.openapi)  # type: ignore[method-assign] # as FastAPI's documentation does
        return cls(inner, runtime)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != PATH:
            await self._app(scope, receive, send)
            return
        scope["route_template"] = PATH
        keep_no_bodies(scope)
        try:
            body = msgspec.json.encode(await self._answer(scope, receive))
        except Problem as problem:
            await problem_answer(Request(scope), problem, None)(scope, receive, send)
            return
        headers = [_JSON, (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Scope, receive: Receive) -> AuthorizedKey:
        if scope["method"] != "POST":
            raise MethodNotAllowed(headers={"Allow": "POST"})
        # Only a key, never a cookie: no other site can make a browser ask.
        service = await resolve_key(Request(scope), self._runtime)
        if service is None:
            raise KeyMissing
        if AUTHORIZE.name not in service.actor.permissions:
            raise ScopeMissing(f"It needs the scope {AUTHORIZE.name}.", scope=AUTHORIZE.name)
        asked = decoded(await _body(scope, receive), AuthorizeKey)
        meter = self._meter(asked)
        if asked.scope is not None and asked.scope not in self._scopes:
            raise invalid("scope", "The product has no such scope.", "unknown")
        ctx = system_context(self._runtime, Origin(scope["state"].get("request_id", "-")))
        return await _asked(ctx, asked, meter)

    def _meter(self, asked: AuthorizeKey) -> Meter | None:
        if asked.meter is None:
            found = self._runtime.product.meter_of_keys
        elif (found := self._meters.get(asked.meter)) is None:
            raise invalid("meter", "The product has no such meter.", "unknown")
        return found if asked.cost else None


async def _asked(ctx: Context, asked: AuthorizeKey, meter: Meter | None) -> AuthorizedKey:
    key, decision, began = None, None, ctx.clock.monotonic()
    try:
        if not asked.key:
            raise KeyMissing
        known = ctx.port(KnownKeys)
        key = known.remembered(asked.key, began) or await known.ask(ctx, asked.key)
        refuse(key, asked.scope)
        if meter is not None:
            decision = spend(ctx, meter, asked.cost, key.by, began) or await ask_of(ctx, meter, asked.cost, key)
    except OF_THE_KEY as refusal:
        if key is not None and asked.cost:
            _note(ctx, key, refusal.status, began)
        return _refused(key, refusal)
    if asked.cost:
        _note(ctx, key, HTTP_200_OK, began)
    return _allowed(key, decision)


def _note(ctx: Context, key: KnownKey, status: int, began: float) -> None:
    """A call that another program serves stands in the log under this door's name: its own it has not told."""
    caller = Context(ctx.runtime, key.by.actor, ctx.origin, key.holder)
    seconds = ctx.clock.monotonic() - began
    ctx.port(CallLog).add(caller, method="POST", endpoint=PATH, status=status, seconds=seconds)


def _allowed(key: KnownKey, decision: Decision | None) -> AuthorizedKey:
    if decision is None:
        return AuthorizedKey(True, key_id=key.id, holder_id=key.holder.id, plan=key.holder.plan)  # noqa: FBT003
    return AuthorizedKey(
        allowed=True,
        key_id=key.id,
        holder_id=key.holder.id,
        plan=decision.plan,
        meter=decision.meter,
        limit=decision.limit,
        remaining=decision.remaining,
        reset_at=decision.reset_at if decision.counted else None,
    )


def _refused(key: KnownKey | None, refusal: Problem) -> AuthorizedKey:
    figures = {name: refusal.extra.get(name) for name in ("meter", "limit", "remaining", "reset_at")}
    seconds = refusal.headers.get("Retry-After")
    return AuthorizedKey(
        allowed=False,
        code=refusal.code,  # type: ignore[arg-type] # a test holds the two lists together
        detail=refusal.detail or refusal.title,
        key_id=key.id if key else None,
        holder_id=key.holder.id if key else None,
        plan=refusal.extra.get("plan") or (key.holder.plan if key else None),
        retry_after=int(seconds) if seconds else None,
        **figures,
    )


async def _body(scope: Scope, receive: Receive) -> bytes:
    content_type = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    if content_type != _JSON[1] and not is_json(content_type.decode("latin-1")):
        raise UnsupportedMediaType("Send the body as application/json.", headers={"Accept": "application/json"})
    body = b""
    while True:
        message: Message = await receive()
        if message["type"] != "http.request":
            raise Malformed("The request ended before its body did.")
        body += bytes(message.get("body", b""))
        if len(body) > BODY_BYTES_MAX:
            raise TooLarge
        if not message.get("more_body", False):
            return body
