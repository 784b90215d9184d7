"""Providers by themselves: a server that says what the test wants, over real HTTP on loopback."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tenantry.identity.providers.base import Pending
from tenantry.testing.standins import StandIn

Answers = dict[str, Callable[[Request], Awaitable[Response]] | Response | object]


class Scripted:
    """A server whose answers a test writes down by path; `asked` is what came, with the form or query."""

    def __init__(self) -> None:
        self.answers: Answers = {}
        self.asked: list[tuple[str, dict[str, str], dict[str, str]]] = []
        self.url = ""

    def app(self, url: str) -> Starlette:
        self.url = url
        return Starlette(routes=[Route("/{path:path}", self._answer, methods=["GET", "POST", "DELETE"])])

    def paths(self) -> list[str]:
        return [path for path, _, _ in self.asked]

    async def _answer(self, request: Request) -> Response:
        given = dict(await request.form()) if request.method == "POST" else dict(request.query_params)
        self.asked.append((request.url.path, {str(k): str(v) for k, v in given.items()}, dict(request.headers)))
        answer = self.answers.get(request.url.path)
        if answer is None:
            return JSONResponse({"error": "not scripted"}, 404)
        if isinstance(answer, Response):
            return answer
        if callable(answer):
            return await answer(request)
        return Response(json.dumps(answer), media_type="application/json")


@pytest.fixture(scope="session")
def _server() -> Iterator[Scripted]:
    script = Scripted()
    with StandIn(script.app):
        yield script


@pytest.fixture
def scripted(_server: Scripted) -> Scripted:
    _server.answers, _server.asked = {}, []
    return _server


@pytest.fixture
def pending() -> Pending:
    return Pending("x", "state-1", "nonce-1", "v" * 43, "http://127.0.0.1:8000/auth/x/callback", "/dashboard")


@pytest.fixture
async def opened() -> AsyncIterator[Callable[[Any], Awaitable[Any]]]:
    """Open a provider, or whatever has `open` and `aclose`, for the length of the test."""
    living: list[Any] = []

    async def open_one(one: Any) -> Any:
        await one.open()
        living.append(one)
        return one

    yield open_one
    for one in living:
        await one.aclose()
