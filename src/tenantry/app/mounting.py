"""A product inside somebody's own FastAPI application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.requests import HTTPConnection
from starlette.status import WS_1008_POLICY_VIOLATION as POLICY_VIOLATION
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from tenantry.kernel import Problem
from tenantry.kernel.mounted import product_request
from tenantry.kernel.problem_handlers import problem_answer
from tenantry.kernel.told import Telling
from tenantry.keys import Bodies
from tenantry.product import Keys
from tenantry.web import problem_page

from .describing import describe_problems


def mount(app: FastAPI, product_app: FastAPI) -> None:
    """Let `product_app`, which `create_app` made, answer whatever `app` has no route for.

    The routes of `app` go first, also those that are added later. Databases and jobs start before the lifespan of
    `app` and stop after it. To be called once, before `app` starts.

    The routes of `app` may ask who is signed in: `tenantry.fastapi` has dependencies for them, and `tenantry.Read` and
    `Write` work too. Our problems are answered there as everywhere, unless `app` has a handler for `Problem`; its other
    errors stay its own, and so do its headers: the frame stands around the product's own routes only. A cookie counts
    for a change (POST, PUT, PATCH, DELETE) only when it comes from our own pages or an allowed origin. An application
    mounted under a path of `app` does not know the product; an included router does.

    It stands at the root of the site: its links, redirects, cookies and sign-in callbacks begin with `/`. Under a path
    (`app.mount("/x", product_app)`) they would lead out of it, and nothing would start its databases.
    """
    theirs, ours = app.router.lifespan_context, product_app.router.lifespan_context

    @asynccontextmanager
    async def both(started: FastAPI) -> AsyncIterator[Any]:
        async with ours(product_app), theirs(started) as state:
            yield state

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        # Without the router of `app`: the names of routes that are looked up from here on are the product's own.
        await product_app({name: value for name, value in scope.items() if name != "router"}, receive, send)

    app.router.lifespan_context = both
    app.router.default = answer
    app.state.tenantry = product_app
    _answer_problems(app, product_app.state.runtime.product.keys)
    describe_problems(app, product_app.state.runtime.resolvers)


def _answer_problems(app: FastAPI, keys: Keys | None) -> None:
    """Let `app` answer our problems, and put what our dependencies tell on its answers, whoever makes them."""
    build = app.build_middleware_stack

    async def answered(connection: HTTPConnection, problem: Any) -> Any:
        if isinstance(connection, WebSocket) and "websocket.http.response" not in connection.get("extensions", {}):
            await connection.close(POLICY_VIOLATION, problem.code)
            return None
        return problem_answer(product_request(connection.scope), problem, problem_page)

    def build_with_telling() -> ASGIApp:
        # In front of their middleware too, and of what answers a crash, which no `add_middleware` comes before.
        inner: ASGIApp = build()
        if keys is not None and keys.log_bodies:
            inner = Bodies(inner, bytes_max=keys.body_bytes_max)
        return Telling(inner)

    app.exception_handlers.setdefault(Problem, answered)
    app.build_middleware_stack = build_with_telling  # type: ignore[method-assign]
