"""A product inside somebody's own FastAPI application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send


def mount(app: FastAPI, product_app: FastAPI) -> None:
    """Let `product_app`, which `create_app` made, answer whatever `app` has no route for.

    The routes of `app` go first, also those that are added later. Databases and jobs start before the lifespan of
    `app` and stop after it. To be called once, before `app` starts.

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
