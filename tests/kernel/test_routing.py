"""The index must answer exactly as FastAPI's own search in a line does."""

import re
import uuid
from collections.abc import Callable, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, Request, WebSocket
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.responses import PlainTextResponse
from starlette.routing import Host, Mount, Route, Router

from tenantry.kernel.routing import index_routes

Answer = tuple[int, dict[str, str], bytes]


def bare_app(**options: Any) -> FastAPI:
    return FastAPI(redirect_slashes=False, openapi_url=None, **options)


def endpoint_named(name: str) -> Callable[..., Any]:
    async def endpoint(request: Request) -> PlainTextResponse:
        route = request.scope.get("route")  # FastAPI sets it for its own routes only
        known = route is None or request.scope["endpoint"] is route.endpoint
        whole = request.scope["router"] is request.app.router
        return PlainTextResponse(f"{name} {known} {whole} {route and route.path} {request.path_params}")

    return endpoint


async def ask(app: FastAPI, method: str, path: str, **scope: Any) -> Answer:
    """Call the application with exactly this path, as a server would after decoding it."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    base = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": [], "root_path": ""}
    await app(base | {"server": ("test", 80), "scheme": "http"} | scope, receive, send)
    headers = {key.decode(): value.decode() for key, value in sent[0]["headers"]}
    if "allow" in headers:
        headers["allow"] = ", ".join(sorted(headers["allow"].split(", ")))
    return sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent)


def tables(*, indexed: bool, rows: Sequence[tuple[str, list[str]]]) -> FastAPI:
    app = bare_app()
    for number, (path, methods) in enumerate(rows):
        endpoint = endpoint_named(f"e{number}")
        if methods == ["MOUNT"]:
            app.router.routes.append(Mount(path, routes=[Route("/{rest:path}", endpoint)]))
        elif methods == ["STARLETTE"]:
            app.router.routes.append(Route(path, endpoint))
        else:
            app.router.add_api_route(path, endpoint, methods=methods)
    if indexed:
        index_routes(app)
    return app


SEGMENTS = [
    "a",
    "b",
    "a.b",
    "",
    "{x}",
    "{y:int}",
    "{z:uuid}",
    "{f:float}",
    "v{x}",
    "{x}-{y}",
    "{p:path}",
    "a{p:path}",
    "ä b",
]
ASKED = [
    "a",
    "b",
    "a.b",
    "",
    "1",
    "1.5",
    "v1",
    "a-b",
    "ab",
    "x",
    "..",
    "a\n",
    "\n",
    "ä b",
    "{x}",
    str(uuid.UUID(int=7)),
]
VERBS = st.sampled_from(["GET", "POST", "HEAD", "DELETE", "PATCH"])
METHODS = st.sampled_from([["GET"], ["POST"], ["GET", "POST"], ["HEAD"], ["DELETE"], ["MOUNT"], ["STARLETTE"]])


@st.composite
def paths(draw: st.DrawFn) -> str:
    segments = draw(st.lists(st.sampled_from(SEGMENTS), min_size=1, max_size=4))
    unique = [segment.replace("x", f"x{n}").replace("y", f"y{n}") for n, segment in enumerate(segments)]
    for name in ("z", "f", "p"):
        unique = [segment.replace(f"{{{name}:", f"{{{name}{n}:") for n, segment in enumerate(unique)]
    return "/" + "/".join(unique)


asked = st.lists(st.sampled_from(ASKED), max_size=5).map(lambda segments: "/".join(["", *segments])) | st.text(
    max_size=6
)


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[tuple[str, list[str]]], list[tuple[str, str]]]:
    """A route table, and questions of which about half are one of its paths with the parameters filled in."""
    rows = draw(st.lists(st.tuples(paths(), METHODS), min_size=1, max_size=12))
    wanted = draw(st.lists(st.tuples(VERBS, asked), min_size=1, max_size=4))
    for path, methods in draw(st.lists(st.sampled_from(rows), min_size=1, max_size=4)):
        filled = re.sub(r"{[^}]*}", lambda _: draw(st.sampled_from(ASKED)), path)
        wanted.append((draw(VERBS), filled + draw(st.sampled_from(["", "/", "/a"])) * (methods == ["MOUNT"])))
    return rows, wanted


@given(worlds())
@example(([("/a", ["GET"])], [("GET", "/a\n"), ("GET", "/a/"), ("GET", "a"), ("GET", "")]))
@example(([("/{x}", ["POST"]), ("/a", ["GET"]), ("/{p:path}", ["DELETE"])], [("GET", "/a"), ("PATCH", "/a")]))
@example(([("/a", ["MOUNT"]), ("/a/b", ["GET"])], [("GET", "/a/b"), ("GET", "/a"), ("GET", "/a/")]))
async def test_answers_are_those_of_the_search_in_a_line(
    world: tuple[list[tuple[str, list[str]]], list[tuple[str, str]]],
) -> None:
    rows, wanted = world
    plain, indexed = tables(indexed=False, rows=rows), tables(indexed=True, rows=rows)
    for method, path in wanted:
        assert await ask(indexed, method, path) == await ask(plain, method, path)


async def test_the_first_declared_of_overlapping_routes_wins() -> None:
    get = ["GET"]
    app = tables(indexed=True, rows=[("/keys/{id}", get), ("/keys/me", get), ("/users/me", get), ("/users/{id}", get)])

    assert (await ask(app, "GET", "/keys/me"))[2].startswith(b"e0 True True /keys/{id} {'id': 'me'}")
    assert (await ask(app, "GET", "/users/me"))[2].startswith(b"e2 ")
    assert (await ask(app, "GET", "/users/7"))[2].startswith(b"e3 ")


async def test_404_for_an_unknown_path_and_a_trailing_slash() -> None:
    app = tables(indexed=True, rows=[("/keys", ["GET"]), ("/keys/{id}", ["GET"])])

    assert [(await ask(app, "GET", path))[0] for path in ("/nothing", "/keys/", "/", "/keys/1/2")] == [404] * 4


async def test_405_names_the_methods_of_the_first_route_with_this_path() -> None:
    app = tables(indexed=True, rows=[("/keys", ["GET"]), ("/keys", ["POST"]), ("/pages", ["STARLETTE"])])

    status, headers, _ = await ask(app, "DELETE", "/keys")
    assert (status, headers["allow"]) == (405, "GET")
    assert (await ask(app, "POST", "/keys"))[2].startswith(b"e1 ")
    assert (await ask(app, "HEAD", "/keys"))[0] == 405, "FastAPI adds no HEAD to GET"
    assert (await ask(app, "HEAD", "/pages"))[0] == 200, "Starlette does"


@pytest.mark.parametrize(
    ("pattern", "path", "params"),
    [
        ("/files/{bucket}/{path:path}", "/files/b/a/b/c.txt", "{'bucket': 'b', 'path': 'a/b/c.txt'}"),
        ("/files/{bucket}/{path:path}", "/files/b/", "{'bucket': 'b', 'path': ''}"),
        ("/n/{n:int}", "/n/42", "{'n': 42}"),
        ("/n/{n:float}", "/n/4.5", "{'n': 4.5}"),
        ("/k/{id:uuid}", f"/k/{uuid.UUID(int=7)}", f"{{'id': {uuid.UUID(int=7)!r}}}"),
        ("/export/{name}.{kind}", "/export/a.b.csv", "{'name': 'a.b', 'kind': 'csv'}"),
    ],
)
async def test_parameters_are_converted(pattern: str, path: str, params: str) -> None:
    app = tables(indexed=True, rows=[("/files", ["GET"]), (pattern, ["GET"]), ("/{other}", ["GET"])])

    assert (await ask(app, "GET", path))[2].decode().removesuffix(params) == f"e1 True True {pattern} "


async def test_an_encoded_slash_is_a_slash_once_the_server_has_decoded_it() -> None:
    app = tables(indexed=True, rows=[("/files/{name}", ["GET"]), ("/files/{path:path}", ["GET"])])
    with TestClient(app) as client:
        assert client.get("/files/a%2Fb").text.startswith("e1 ")

    assert (await ask(app, "GET", "/files/a%2Fb"))[2].startswith(b"e0 "), "encoded twice: still a name"


async def test_mounted_below_a_prefix() -> None:
    app = tables(indexed=True, rows=[("/keys", ["GET"]), ("/keys/{id}", ["GET"])])

    assert (await ask(app, "GET", "/app/keys/1", root_path="/app"))[2].startswith(b"e1 ")
    assert (await ask(app, "GET", "/keys", root_path="/app"))[2].startswith(b"e0 ")


def test_websockets_lifespan_handlers_overrides_and_urls_keep_working() -> None:
    steps = []

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> Any:
        steps.append("up")
        yield {"started": True}
        steps.append("down")

    app = bare_app(lifespan=lifespan)

    def who() -> str:
        return "somebody"

    @app.websocket("/talk/{room}")
    async def talk(socket: WebSocket, room: str) -> None:
        await socket.accept()
        await socket.send_text(f"{room} {socket.state.started}")
        await socket.close()

    @app.get("/talk/{room}", name="room")
    async def read_room(request: Request, room: str, name: Annotated[str, Depends(who)]) -> str:
        if room == "broken":
            raise LookupError(room)
        return f"{name} {request.url_for('room', room='x')}"

    @app.exception_handler(LookupError)
    async def handle(_: Request, error: LookupError) -> PlainTextResponse:
        return PlainTextResponse(f"handled {error}", status_code=418)

    index_routes(app)
    app.dependency_overrides[who] = lambda: "override"
    with TestClient(app) as client:
        with client.websocket_connect("/talk/hall") as socket:
            assert socket.receive_text() == "hall True"
        assert client.get("/talk/hall").json() == "override http://testserver/talk/x"
        assert client.get("/talk/broken").text == "handled broken"
        assert client.get("/talk/broken").status_code == 418
    assert steps == ["up", "down"]


async def test_routes_that_do_not_match_by_path_are_always_tried() -> None:
    class Everything(APIRoute):
        def matches(self, scope: Any) -> Any:
            return super().matches(dict(scope, path="/secret"))

    app = bare_app()
    app.router.routes.append(Host("files.test", Router([Route("/x", endpoint_named("host"))])))
    app.router.routes.append(Everything("/secret", endpoint_named("any")))
    index_routes(app)

    assert (await ask(app, "GET", "/anything/at/all"))[2].startswith(b"any ")
    assert (await ask(app, "GET", "/x", headers=[(b"host", b"files.test")]))[0] == 200


async def test_routes_added_later_are_found_and_indexing_twice_is_harmless() -> None:
    app = tables(indexed=True, rows=[("/a", ["GET"])])
    app.router.add_api_route("/b", endpoint_named("later"))
    assert (await ask(app, "GET", "/b"))[2].startswith(b"later ")

    index_routes(app)
    assert (await ask(app, "GET", "/a"))[2].startswith(b"e0 ")


def test_what_the_index_cannot_keep_is_refused() -> None:
    with pytest.raises(ValueError, match="redirect_slashes"):
        index_routes(FastAPI())

    with_router = bare_app()
    with_router.include_router(APIRouter())
    with pytest.raises(ValueError, match="include_router"):
        index_routes(with_router)

    with_middleware = bare_app()
    with_middleware.router.middleware_stack = PlainTextResponse("stands before the router")
    with pytest.raises(ValueError, match="middleware"):
        index_routes(with_middleware)
