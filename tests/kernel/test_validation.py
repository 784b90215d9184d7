"""What FastAPI itself makes of broken requests, and what the caller is told of it."""

import asyncio
import json
from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import httpx2
import pytest
from fastapi import FastAPI, Form, Header, Query, Request, UploadFile
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, EmailStr, Field, field_validator

from tenantry.kernel.problem_handlers import install_problem_handlers
from tenantry.kernel.validation import field_errors

JSON = {"content-type": "application/json"}
BOOK = "0198c2f0-a1b2-7c3d-8e4f-5a6b7c8d9e0f"


class Colour(StrEnum):
    RED = "red"


class Part(BaseModel):
    size: int = Field(ge=1, le=5)


class Book(BaseModel):
    model_config = ConfigDict(extra="forbid")
    title: str = Field(min_length=2, max_length=5)
    email: EmailStr | None = None
    password: str | None = Field(None, max_length=100)
    parts: list[Part] = []
    colour: Colour | None = None
    weight: float = 1.0

    @field_validator("password")
    @classmethod
    def strong(cls, value: str | None) -> str | None:
        if value and "1" not in value:
            raise ValueError(f"{value} is weak")
        return value


def build() -> FastAPI:
    app = FastAPI()
    install_problem_handlers(app, page=None)

    @app.post("/books")
    async def add(book: Book) -> str:
        return book.title

    @app.post("/pairs")
    async def pairs(one: Part, two: Part) -> int:
        return one.size + two.size

    @app.get("/books/{book_id}")
    async def get(
        book_id: UUID, limit: Annotated[int, Query(le=100)] = 10, x_depth: Annotated[int, Header()] = 1
    ) -> int:
        return limit

    @app.post("/form")
    async def form(code: Annotated[int, Form()], name: Annotated[str, Form()]) -> str:
        return name

    @app.post("/upload")
    async def upload(file: UploadFile) -> str | None:
        return file.filename

    @app.post("/raw")
    async def raw(request: Request) -> Any:
        return await request.json()

    @app.post("/bytes")
    async def text(request: Request) -> str:
        return (await request.body()).decode()

    return app


APP = build()


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=APP, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as opened:
        yield opened


def fields(answer: httpx2.Response) -> dict[str, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return {error["field"]: error["message"] for error in answer.json()["errors"]}


async def sent(
    client: httpx2.AsyncClient, content: bytes, path: str = "/books", headers: dict[str, str] = JSON
) -> httpx2.Response:
    return await client.post(path, content=content, headers=headers)


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"nonsense",
        b'{"title": "abc",}',
        b'{"title": "a\x00b"}',
        b'{"title": "\xff"}',
        b"\xff\xfe\xfd",
        b"[" * 200_000,
        b'{"a":' * 100_000,
        b'{"weight": ' + b"9" * 5_000 + b"}",
    ],
    ids=["open", "word", "comma", "raw-nul", "latin-1", "no-text", "deep-list", "deep-object", "huge-number"],
)
async def test_400_a_body_that_is_not_json_names_the_body(client: httpx2.AsyncClient, content: bytes) -> None:
    for path in ("/books", "/pairs"):
        answer = await sent(client, content, path)
        assert answer.status_code == 400, answer.text
        assert answer.json()["code"] == "request.malformed"
        assert list(fields(answer)) == ["body"]


async def test_400_json_says_where_it_breaks(client: httpx2.AsyncClient) -> None:
    message = fields(await sent(client, b'{"title": }'))["body"]
    assert message == "Not valid JSON at character 10: Expecting value."


@pytest.mark.parametrize("content", [b"{", b'"\xff"', b"\xff"])
async def test_400_when_the_endpoint_reads_the_body_itself(client: httpx2.AsyncClient, content: bytes) -> None:
    answer = await sent(client, content, "/raw")
    assert (answer.status_code, answer.json()["code"]) == (400, "request.malformed")


async def test_400_when_the_endpoint_decodes_the_body_itself(client: httpx2.AsyncClient) -> None:
    assert (await sent(client, b"\xff", "/bytes")).status_code == 400


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded", "nonsense"])
@pytest.mark.parametrize("path", ["/books", "/pairs"])
async def test_415_another_content_type(client: httpx2.AsyncClient, content_type: str | None, path: str) -> None:
    headers = {"content-type": content_type} if content_type else {}
    answer = await sent(client, b'{"title": "abc"}', path, headers)
    assert (answer.status_code, answer.json()["code"]) == (415, "request.unsupported_media_type")
    assert fields(answer) == {"body": "Send the body as application/json."}


@pytest.mark.parametrize("content", [b"", b"null", b"[]", b'"text"', b"1"])
async def test_422_a_body_of_another_shape(client: httpx2.AsyncClient, content: bytes) -> None:
    answer = await sent(client, content)
    assert answer.status_code == 422
    assert list(fields(answer)) == ["body"]
    assert set(fields(await sent(client, content, "/pairs"))) == {"body.one", "body.two"}


async def test_422_names_every_field_in_plain_words(client: httpx2.AsyncClient) -> None:
    content = {"email": "nobody", "parts": [{"size": 1}, {"size": 9}], "colour": "blue", "extra": 1, "title": "a"}
    answer = await client.post("/books", json=content)
    assert answer.status_code == 422
    assert answer.json()["code"] == "request.invalid"
    found = fields(answer)
    assert found.pop("body.email").startswith("Value is not a valid email address")
    assert found == {
        "body.title": "Use at least 2 characters.",
        "body.parts.1.size": "Use 5 or less.",
        "body.colour": "Use one of: 'red'.",
        "body.extra": "This field is not known here.",
    }
    assert answer.json()["errors"][0]["code"] == "string_too_short"


def test_an_empty_text_is_called_empty() -> None:
    error = {"type": "string_too_short", "loc": ("body", "name"), "ctx": {"min_length": 1}}
    assert field_errors([error])[0]["message"] == "This must not be empty."


async def test_422_never_repeats_a_secret(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/books", json={"title": "abc", "password": "hunter"})
    assert answer.status_code == 422
    assert fields(answer) == {"body.password": "This value is not accepted."}
    assert "hunter" not in answer.text


async def test_422_lone_surrogates_and_strange_names(client: httpx2.AsyncClient) -> None:
    answer = await sent(client, b'{"title": "\\ud800"}')
    assert (answer.status_code, fields(answer)) == (422, {"body.title": "Use text that is valid Unicode."})
    answer = await sent(client, b'{"title": "abc", "\\ud800": 1}')
    assert (answer.status_code, list(fields(answer))) == (422, ["body"])
    answer = await sent(client, b'{"title": "abc", "a\\n": 1, "' + b"x" * 1_000 + b'": 2}')
    assert set(fields(answer)) == {"body.a?", f"body.{'x' * 100}"}


async def test_422_path_query_and_header(client: httpx2.AsyncClient) -> None:
    answer = await client.get(f"/books/{BOOK[:-1]}?limit=ten", headers={"x-depth": "deep"})
    assert answer.status_code == 422
    assert fields(answer) == {
        "path.book_id": "Use an id (UUID).",
        "query.limit": "Use a whole number.",
        "header.x-depth": "Use a whole number.",
    }


async def test_422_huge_numbers(client: httpx2.AsyncClient) -> None:
    answer = await client.get(f"/books/{BOOK}?limit={'9' * 5_000}")
    assert (answer.status_code, fields(answer)) == (422, {"query.limit": "This number is too large."})


async def test_422_forms(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/form", data={"code": "123x"})
    assert answer.status_code == 422
    assert fields(answer) == {"body.code": "Use a whole number.", "body.name": "This field is required."}
    answer = await sent(client, b"{}", "/form")
    assert set(fields(answer)) == {"body.code", "body.name"}


async def test_400_broken_multipart(client: httpx2.AsyncClient) -> None:
    for content_type in ("multipart/form-data", "multipart/form-data; boundary=x"):
        answer = await sent(client, b"--x\r\nnonsense", "/upload", {"content-type": content_type})
        assert 400 <= answer.status_code < 500
        assert next(iter(fields(answer))).startswith("body")


async def test_400_too_many_form_fields(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/form", data={f"f{n}": "1" for n in range(1_100)})
    assert answer.status_code == 400
    assert "Too many fields" in answer.json()["detail"]


async def test_a_hundred_errors_are_cut_to_fifty(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/books", json={"title": "abc", "parts": [{"size": 9}] * 100})
    assert len(answer.json()["errors"]) == 50


plain_json = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=8,
)
bodies = st.one_of(
    st.binary(max_size=200),
    plain_json.map(lambda value: json.dumps(value).encode()),
    st.dictionaries(st.sampled_from(list(Book.model_fields)), plain_json).map(lambda value: json.dumps(value).encode()),
)


@settings(deadline=None)
@given(
    bodies,
    st.sampled_from(["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]),
)
def test_no_body_is_a_crash(content: bytes, content_type: str) -> None:
    async def answers() -> list[httpx2.Response]:
        transport = httpx2.ASGITransport(app=APP, raise_app_exceptions=True)
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            paths = ("/books", "/pairs", "/form", "/upload")
            return [await sent(client, content, path, {"content-type": content_type}) for path in paths]

    for answer in asyncio.run(answers()):
        assert answer.status_code == 200 or (answer.status_code < 500 and all(fields(answer)))
