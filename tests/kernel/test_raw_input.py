"""Text that no field can hold, sent to a framed application."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import Depends, FastAPI, Query, Request
from pydantic import BaseModel

from tenantry.kernel.frame import FrameOptions
from tenantry.kernel.health import Metrics
from tenantry.kernel.http import Frame
from tenantry.kernel.problem_handlers import install_problem_handlers
from tenantry.kernel.raw_input import repeatable_queries

JSON = {"content-type": "application/json"}
FORM = {"content-type": "application/x-www-form-urlencoded"}


class Note(BaseModel):
    text: str
    more: dict[str, Any] = {}


class Filters(BaseModel):
    kind: list[str] | None = None
    sort: str = ""


def tags(tag: Annotated[list[str] | None, Query()] = None) -> int:
    return len(tag or ())


def build() -> FastAPI:
    app = FastAPI()
    install_problem_handlers(app, page=None)

    @app.get("/seen/{name}")
    async def seen(name: str) -> str:
        return name

    @app.post("/notes")
    async def note(body: Note) -> str:
        return body.text

    @app.get("/list")
    async def listed(filters: Annotated[Filters, Query()], count: Annotated[int, Depends(tags)], limit: int = 1) -> int:
        return limit + count + len(filters.kind or ())

    @app.post("/form")
    async def form(request: Request) -> int:
        return len(await request.form())

    return app


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    app = build()
    options = FrameOptions(production=False, public_url="http://localhost", repeatable=repeatable_queries(app))
    framed = Frame(app, options, metrics=Metrics(), access=None)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=framed), base_url="http://localhost") as opened:
        yield opened


def refused(answer: httpx2.Response) -> tuple[int, str, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["request_id"] == answer.headers["x-request-id"]
    return answer.status_code, body["code"], body["errors"][0]["field"] if "errors" in body else ""


async def pieces(content: bytes) -> AsyncIterator[bytes]:
    for place in range(0, len(content), 7):
        yield content[place : place + 7]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("a=%00", "query.a"),
        ("a%00=1", "query.a?"),
        ("a=1&b=%ff", "query.b"),
        ("%ff=1", "query.\ufffd"),
        ("limit=1&limit=2", "query.limit"),
        ("li%6Dit=1&limit=2", "query.limit"),
        ("sort=a&sort=b", "query.sort"),
    ],
)
async def test_422_a_query_no_field_can_hold(client: httpx2.AsyncClient, query: str, field: str) -> None:
    answer = await client.get(f"/list?{query}")
    assert refused(answer) == (422, "request.invalid", field)


async def test_lists_may_repeat(client: httpx2.AsyncClient) -> None:
    assert repeatable_queries(build()) == {"tag", "kind"}
    answer = await client.get("/list?tag=a&tag=b&kind=x&kind=y&limit=3&caf%C3%A9=1&x=a+b")
    assert (answer.status_code, answer.json()) == (200, 7)


@pytest.mark.parametrize("path", ["/seen/%00", "/seen/%ff", "/seen/%c3"])
async def test_422_a_path_no_field_can_hold(client: httpx2.AsyncClient, path: str) -> None:
    assert refused(await client.get(path)) == (422, "request.invalid", "path")


async def test_a_path_may_hold_any_letter(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/seen/%EF%BF%BD%C3%A9")).json() == "\ufffdé"


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (b'{"text": "a\\u0000b"}', "body.text"),
        (b'{"text": "a", "more": {"list": [1, {"x": "\\u0000"}]}}', "body.more.list.1.x"),
        (b'{"text": "a", "more": {"a\\u0000": 1}}', "body.more.a?"),
    ],
)
async def test_422_nul_in_json_names_the_field(client: httpx2.AsyncClient, content: bytes, field: str) -> None:
    for body in (content, pieces(content)):
        answer = await client.post("/notes", content=body, headers=JSON)
        assert refused(answer) == (422, "request.invalid", field)


@pytest.mark.parametrize("content", [b'{"text": "a", "more": {"x": NaN}}', b'{"text": "a", "more": {"x": -Infinity}}'])
async def test_400_numbers_that_are_not_json(client: httpx2.AsyncClient, content: bytes) -> None:
    answer = await client.post("/notes", content=content, headers=JSON)
    assert refused(answer) == (400, "request.malformed", "body")


async def test_the_same_letters_as_text_are_taken(client: httpx2.AsyncClient) -> None:
    text = r"in C a \u0000 ends it; NaN and Infinity are words"
    assert (await client.post("/notes", json={"text": text})).json() == text
    broken = await client.post("/notes", content=b"\\u0000", headers=JSON)
    assert broken.json()["errors"][0]["code"] == "json_invalid"


async def test_422_nul_in_a_form_names_the_field(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/form", content=b"a=1&b=%00", headers=FORM)
    assert refused(answer) == (422, "request.invalid", "body.b")
    assert (await client.post("/form", content=b"a=1&b=%20", headers=FORM)).json() == 2
