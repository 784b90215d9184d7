"""Every error becomes one answer: a document, or a page for people."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI, HTTPException, Request
from starlette.responses import HTMLResponse

from tenantry.kernel.problem_handlers import install_problem_handlers
from tenantry.kernel.problems import NotFound, Problem


class Full(Problem):
    """The shelf is full."""

    code, status = "shelf.full_again", 409


def page(request: Request, body: dict[str, Any]) -> HTMLResponse:
    if "broken" in request.url.path:
        raise RuntimeError("the page is broken")
    return HTMLResponse(f"<h1>{body['title']}</h1>{body['request_id']}")


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError


RAISED: dict[str, Callable[[], Exception]] = {
    "full": lambda: Full("Take one out.", internal="shelf 7", limit=10, headers={"Retry-After": "9"}),
    "broken": Full,
    "surrogate": lambda: NotFound("\ud800 \udfff"),
    "object": lambda: Full(thing=object()),
    "unprintable": lambda: Full(thing=Unprintable()),
    "crash": lambda: RuntimeError("the password is hunter2"),
    "provider": lambda: json.JSONDecodeError("Expecting value", "<html>a provider's answer", 0),
    "decode": lambda: UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"),
    "conflict": lambda: HTTPException(409, "Already there."),
    "data": lambda: HTTPException(409, {"reason": "there"}),
    "teapot": lambda: HTTPException(599),
    "redirect": lambda: HTTPException(303, headers={"Location": "/elsewhere"}),
    "unauthenticated": lambda: HTTPException(401, headers={"WWW-Authenticate": "Basic", "X-Bad": "a\r\nb"}),
    "internal": lambda: HTTPException(500, "the database password is hunter2"),
}


def build() -> FastAPI:
    app = FastAPI()
    install_problem_handlers(app, page=page)

    @app.get("/raise/{what}")
    async def fail(what: str) -> None:
        error = RAISED[what]()
        raise error

    @app.post("/books")
    async def add() -> None:
        """Answer to POST only."""

    return app


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=build(), raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as opened:
        yield opened


async def test_a_problem_is_a_document(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/raise/full")
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"] == "9"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["limit"] == 10
    assert "shelf 7" not in answer.text


async def test_people_get_a_page(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/raise/full", headers={"accept": "text/html,*/*;q=0.8"})
    assert (answer.status_code, answer.text) == (409, "<h1>The shelf is full.</h1>None")
    assert answer.headers["retry-after"] == "9"
    assert answer.headers["vary"] == "Accept"
    missing = await client.get("/nowhere", headers={"accept": "text/html"})
    assert (missing.status_code, missing.text[:4]) == (404, "<h1>")


async def test_a_broken_page_falls_back_to_the_document(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/raise/broken", headers={"accept": "text/html"})
    assert (answer.status_code, answer.json()["code"]) == (409, "shelf.full_again")


@pytest.mark.parametrize("what", ["surrogate", "object", "unprintable"])
async def test_what_cannot_be_encoded_is_left_out(client: httpx2.AsyncClient, what: str) -> None:
    answer = await client.get(f"/raise/{what}")
    assert answer.status_code in (404, 409)
    assert answer.json()["code"] in ("request.not_found", "shelf.full_again")


@pytest.mark.parametrize("what", ["crash", "provider", "decode", "internal"])
async def test_a_crash_tells_nothing(client: httpx2.AsyncClient, what: str) -> None:
    answer = await client.get(f"/raise/{what}")
    assert answer.status_code == 500
    assert answer.json()["code"] == "internal.error"
    assert "hunter2" not in answer.text
    assert "provider" not in answer.text


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/nowhere", 404, "request.not_found"),
        ("/raise/conflict", 409, "http.status_409"),
        ("/raise/data", 409, "http.status_409"),
        ("/raise/teapot", 599, "http.status_599"),
        ("/raise/unauthenticated", 401, "request.unauthenticated"),
    ],
)
async def test_http_exceptions_are_documents_too(client: httpx2.AsyncClient, path: str, status: int, code: str) -> None:
    answer = await client.get(path)
    assert (answer.status_code, answer.json()["status"], answer.json()["code"]) == (status, status, code)


async def test_headers_of_http_exceptions_are_kept_if_they_are_headers(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/raise/unauthenticated")
    assert answer.headers["www-authenticate"] == "Basic"
    assert "x-bad" not in answer.headers
    assert (await client.get("/raise/data")).json()["data"] == {"reason": "there"}


async def test_a_redirect_stays_a_redirect(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/raise/redirect")
    assert (answer.status_code, answer.headers["location"], answer.text) == (303, "/elsewhere", "")


async def test_405_names_the_methods(client: httpx2.AsyncClient) -> None:
    answer = await client.delete("/books")
    assert (answer.status_code, answer.json()["code"]) == (405, "request.method_not_allowed")
    assert answer.headers["allow"] == "POST"
