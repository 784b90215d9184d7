"""`Metered` as a dependency, and as middleware, in somebody's own application: what it counts, refuses and tells."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import APIRouter, FastAPI, HTTPException, Request, Response, WebSocket
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from tenantry import Meter, Module, Read
from tenantry.fastapi import CurrentUser, Metered
from tenantry.testing import PUBLIC_URL
from tenantry.usage import Decision, QuotaExceeded, consume, limit_headers
from tenantry.usage import Metered as MeteredApp

requests, jobs = Meter("requests", per="day"), Meter("jobs", per="month")
LIMITS = {"ratelimit-policy", "ratelimit", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"}
HTML = {"Accept": "text/html"}
UPGRADE: dict[str, Any] = {"websocket.http.response": {}}


class Body(BaseModel):
    number: int


def weight(request: Any) -> int:
    return int(request.query_params.get("units", 0))


def application(**options: Any) -> FastAPI:
    """Their routes; every one but the first is metered."""
    app = FastAPI(**options)

    @app.get("/hello")
    async def hello() -> dict[str, str]:
        return {"hello": "world"}

    @app.get("/plain", dependencies=[Metered(requests)])
    async def plain() -> dict[str, str]:
        return {"plain": "yes"}

    @app.get("/report", dependencies=[Metered(requests, cost=5)])
    async def report(user: CurrentUser) -> dict[str, str | None]:
        return {"for": user.name}

    @app.get("/weighed", dependencies=[Metered(requests, cost=weight)])
    async def weighed() -> None: ...

    @app.get("/decision")
    async def decision(found: Annotated[Decision, Metered(requests)]) -> int | None:
        return found.remaining

    _add_awkward_routes(app)
    return app


def _add_awkward_routes(app: FastAPI) -> None:
    """Those whose answers are not made of what the endpoint returns."""

    @app.get("/missing", dependencies=[Metered(requests)])
    async def missing() -> None:
        raise HTTPException(404, "no such report", headers={"X-Own": "1"})

    @app.post("/body", dependencies=[Metered(requests)])
    async def body(given: Body) -> None: ...

    @app.get("/crash", dependencies=[Metered(requests)])
    async def crash() -> None:
        raise ZeroDivisionError

    @app.get("/response", dependencies=[Metered(requests)])
    async def response() -> Response:
        return Response("raw")

    @app.get("/stream", dependencies=[Metered(requests)])
    async def stream() -> StreamingResponse:
        async def parts() -> AsyncIterator[str]:
            yield "one"
            yield "two"

        return StreamingResponse(parts())

    @app.get("/own", dependencies=[Metered(requests)])
    async def own(ctx: Read, response: Response) -> None:
        found = await consume(ctx, jobs, 3)
        response.headers.update(limit_headers(found, ctx.clock.now()))


@pytest.fixture
async def running(own: Any) -> Any:
    return await own(application())


@pytest.fixture
async def ada(running: Any) -> httpx2.AsyncClient:
    client: httpx2.AsyncClient = await running.sign_in("ada")
    return client


async def test_a_call_is_counted_and_the_answer_says_how_one_stands(running: Any, ada: Any) -> None:
    answer = await ada.get("/report")
    assert (answer.status_code, answer.json()) == (200, {"for": "Ada Lovelace"})
    assert answer.headers["RateLimit-Policy"] == '"requests";q=10;w=86400, "burst";q=1000;w=1'
    assert answer.headers["RateLimit"] == '"requests";r=5;t=43200'
    assert answer.headers["X-RateLimit-Remaining"] == "5"
    assert answer.headers["Cache-Control"] == "no-store"
    assert await running.used(ada) == 5


async def test_what_is_not_metered_is_as_it_was(running: Any, ada: Any) -> None:
    assert set((await ada.get("/hello")).headers) == {"content-length", "content-type"}
    assert (await (await running.client()).get("/hello")).status_code == 200


async def test_401_and_429_as_problems_and_as_pages(running: Any, ada: Any) -> None:
    stranger = await (await running.client()).get("/plain")
    assert (stranger.status_code, stranger.json()["code"]) == (401, "request.unauthenticated")
    assert (await ada.get("/weighed?units=7")).status_code == 200
    refused = await ada.get("/report")
    body = refused.json()
    assert (refused.status_code, body["code"]) == (429, "usage.quota_exceeded")
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert (body["limit"], body["used"], body["remaining"], body["meter"]) == (10, 7, 3, "requests")
    assert refused.headers["RateLimit"] == '"requests";r=3;t=43200'
    assert int(refused.headers["Retry-After"]) >= 43_200
    page = await ada.get("/report", headers=HTML)
    assert (page.status_code, page.headers["X-RateLimit-Remaining"]) == (429, "3")
    assert "Ada Lovelace" in page.text
    assert await running.used(ada) == 7


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/missing", 404),
        ("POST", "/body", 422),
        ("GET", "/crash", 500),
        ("GET", "/response", 200),
        ("GET", "/stream", 200),
    ],
)
async def test_every_answer_of_theirs_is_told_and_counted(
    running: Any, ada: Any, method: str, path: str, status: int
) -> None:
    answer = await browser(running, ada).request(method, path, json={} if method == "POST" else None)
    assert (answer.status_code, answer.headers["X-RateLimit-Remaining"]) == (status, "9")
    assert set(answer.headers) >= LIMITS
    if path == "/missing":
        assert (answer.json(), answer.headers["X-Own"]) == ({"detail": "no such report"}, "1")
    assert await running.used(ada) == 1


def browser(running: Any, ada: httpx2.AsyncClient) -> httpx2.AsyncClient:
    """Ada's, which sees the answer to a crash as a server would send it."""
    transport = httpx2.ASGITransport(app=running.app, client=("127.0.0.1", 1), raise_app_exceptions=False)
    return httpx2.AsyncClient(transport=transport, base_url=PUBLIC_URL, cookies=ada.cookies, headers=ada.headers)


async def test_a_crash_that_they_answer_themselves_is_told_too(own: Any) -> None:
    app = application()

    @app.exception_handler(Exception)
    async def crashed(_request: Request, _error: Exception) -> Response:
        return Response("sorry", status_code=500)

    running = await own(app)
    answer = await browser(running, await running.sign_in("ada")).get("/crash")
    assert (answer.text, answer.headers["X-RateLimit-Remaining"]) == ("sorry", "9")


async def test_an_answer_with_limits_of_its_own_keeps_them(running: Any, ada: Any) -> None:
    answer = await ada.get("/own")
    assert answer.headers.get_list("RateLimit") == ['"jobs";r=97;t=1512000']
    assert (await running.used(ada), await running.used(ada, "jobs")) == (1, 3)


async def test_a_cost_by_the_request_and_a_free_one_for_everybody(running: Any, ada: Any) -> None:
    assert (await ada.get("/weighed?units=4")).headers["X-RateLimit-Remaining"] == "6"
    stranger = await running.client()
    free = await stranger.get("/weighed")
    assert (free.status_code, LIMITS.isdisjoint(free.headers)) == (200, True)
    assert (await stranger.get("/weighed?units=1")).status_code == 401


async def test_the_endpoint_may_have_the_decision(ada: Any) -> None:
    assert (await ada.get("/decision")).json() == 9


@pytest.mark.parametrize("cost", [0, -1, 10**12 + 1])
def test_a_cost_that_is_none_is_refused_where_it_is_written(cost: int) -> None:
    with pytest.raises(ValueError, match="1 to 1000000000000 units"):
        Metered(requests, cost=cost)


async def test_a_router_and_its_route_both_count_and_the_nearer_is_told(own: Any) -> None:
    router, app = APIRouter(prefix="/jobs", dependencies=[Metered(jobs)]), application()

    @router.get("/one", dependencies=[Metered(requests, cost=2)])
    async def one() -> None: ...

    @router.get("/two")
    async def two() -> None: ...

    app.include_router(router)
    running = await own(app)
    ada = await running.sign_in("ada")
    assert (await ada.get("/jobs/one")).headers["RateLimit"] == '"requests";r=8;t=43200'
    assert (await ada.get("/jobs/two")).headers["RateLimit"] == '"jobs";r=98;t=1512000'
    assert (await running.used(ada), await running.used(ada, "jobs")) == (2, 2)


async def test_many_at_once_get_exactly_the_quota(ada: Any) -> None:
    answers = await asyncio.gather(*(ada.get("/plain") for _ in range(40)))
    assert sorted(one.status_code for one in answers) == [200] * 10 + [429] * 30


async def test_403_a_change_that_another_site_sent_is_not_counted(running: Any, ada: Any) -> None:
    refused = await ada.post("/body", json={"number": 1}, headers={"Origin": "https://evil.example"})
    assert (refused.status_code, refused.json()["code"]) == (403, "web.cross_site")
    assert await running.used(ada) == 0


async def test_their_description_names_the_problems(own: Any) -> None:
    router, app = APIRouter(dependencies=[Metered(jobs)]), application()

    @router.put("/inside/{number}", responses={429: {"description": "ours"}})
    async def inside(number: int) -> None: ...

    app.include_router(router, prefix="/more")
    running = await own(app)
    described = (await (await running.client()).get("/openapi.json")).json()
    paths = described["paths"]
    assert set(paths["/hello"]["get"]["responses"]) == {"200"}
    metered = paths["/report"]["get"]["responses"]
    assert set(metered) == {"200", "401", "429", "503"}
    assert set(metered["429"]["content"]["application/problem+json"]["examples"]) == {
        "usage.burst_exceeded", "usage.quota_exceeded",
    }  # fmt: skip
    included = paths["/more/inside/{number}"]["put"]["responses"]
    assert set(included) == {"200", "401", "422", "429", "503"}
    assert included["429"] == {"description": "ours"}
    assert app.openapi() == described


async def test_as_middleware_for_a_part_of_their_application(own: Any) -> None:
    app = FastAPI()

    @app.get("/api/tile")
    async def tile() -> dict[str, str]:
        return {"tile": "yes"}

    def of_the_api(scope: Any) -> int:
        return 2 if scope["path"].startswith("/api/") else 0

    app.add_middleware(MeteredApp, meter=requests, cost=of_the_api)
    running = await own(app)
    ada = await running.sign_in("ada")
    assert (await ada.get("/api/tile")).headers.get_list("X-RateLimit-Remaining") == ["8"]
    stranger = await running.client()
    assert (await stranger.get("/api/tile")).json()["code"] == "request.unauthenticated"
    assert (await stranger.get("/api/tile", headers=HTML)).headers["Content-Type"].startswith("text/html")
    assert (await stranger.get("/pricing", headers=HTML)).status_code == 200
    assert await running.used(ada) == 2


async def test_in_front_of_an_application_mounted_in_theirs(own: Any) -> None:
    app, sub = FastAPI(), FastAPI()

    @sub.get("/tile")
    async def tile() -> dict[str, str]:
        return {"tile": "yes"}

    app.mount("/sub", MeteredApp(sub, requests))
    running = await own(app)
    ada = await running.sign_in("ada")
    assert (await ada.get("/sub/tile")).headers["X-RateLimit-Remaining"] == "9"
    assert (await (await running.client()).get("/sub/tile")).status_code == 401


async def test_a_websocket_of_theirs(own: Any) -> None:
    app = FastAPI()

    @app.websocket("/live")
    async def live(socket: WebSocket, user: CurrentUser, found: Annotated[Decision, Metered(requests)]) -> None:
        await socket.accept()
        await socket.send_text(f"{user.name} {found.remaining}")
        await socket.close()

    running = await own(app)
    ada = await running.sign_in("ada")
    cookie = f"session={ada.cookies['session']}"
    accepted, said, _ = await shake_hands(app, {"cookie": cookie, "origin": PUBLIC_URL})
    assert dict(accepted["headers"])[b"x-ratelimit-remaining"] == b"9"
    assert said["text"] == "Ada Lovelace 9"
    for headers, status in (({"origin": PUBLIC_URL}, 401), ({"cookie": cookie, "origin": "https://evil.example"}, 403)):
        begun, body = await shake_hands(app, headers)
        assert (begun["type"], begun["status"]) == ("websocket.http.response.start", status)
        assert b"application/problem+json" in dict(begun["headers"]).values()
        assert body["body"]
    # A server that cannot send an answer to a handshake closes it.
    [closed] = await shake_hands(app, {"origin": PUBLIC_URL}, extensions={})
    assert closed == {"type": "websocket.close", "code": 1008, "reason": "request.unauthenticated"}
    assert await running.used(ada) == 1


async def shake_hands(app: FastAPI, headers: dict[str, str], extensions: Any = UPGRADE) -> list[Any]:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    given = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "websocket", "path": "/live", "headers": given, "query_string": b"", "subprotocols": []}
    await app({**scope, "extensions": extensions, "client": None}, receive, send)
    return sent


async def test_in_a_modules_routes_its_answers_are_told_too(own: Any) -> None:
    router = APIRouter()

    @router.get("/v1/metered", dependencies=[Metered(requests)])
    async def metered(kind: str = "") -> dict[str, str]:
        if kind == "crash":
            raise ZeroDivisionError
        return {}

    running = await own(FastAPI(), modules=[Module("metered", routers=[router])])
    ada = await running.sign_in("ada")
    assert (await ada.get("/v1/metered")).headers["X-RateLimit-Remaining"] == "9"
    crashed = await ada.get("/v1/metered?kind=crash")
    assert (crashed.status_code, crashed.headers["X-RateLimit-Remaining"]) == (500, "8")
    described = running.product_app.openapi()["paths"]["/v1/metered"]["get"]["responses"]
    assert QuotaExceeded.code in described["429"]["content"]["application/problem+json"]["examples"]
