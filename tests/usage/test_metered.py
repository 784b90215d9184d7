"""`Metered`: an ASGI application whose calls are counted before it runs, whoever wrote it and whatever it answers."""

import asyncio
from typing import Any

import httpx2
import pytest
from fastapi import APIRouter, FastAPI
from starlette.types import Message, Receive, Scope, Send

from tenantry import Burst, Google, Meter, Module, Plan, Product
from tenantry.kernel import SignedIn
from tenantry.testing import PUBLIC_URL, AppKit
from tenantry.usage import Leases, Metered

requests, jobs = Meter("requests", per="day"), Meter("jobs", per="month")
HTML = {"Accept": "text/html"}
LIMITS = {"ratelimit-policy", "ratelimit", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"}
UPGRADE = {"websocket.http.response": {}}


class Tiles:
    """Somebody's ASGI application: notes what it was called with, and answers every method alike."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        self.calls.append(f"{scope['type']} {scope.get('method', '')} {path}")
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept", "headers": [(b"x-own", b"1")]})
            await send({"type": "websocket.send", "text": "tile"})
            await send({"type": "websocket.close", "code": 1000})
            return
        if path == "/crash":
            raise ZeroDivisionError
        own = [(b"ratelimit", b'"own";r=1;t=1')] if path == "/own" else []
        status = 404 if path == "/missing" else 200
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"10"), *own]})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        await send({"type": "http.response.body", "body": b"other"})


def inner_application() -> FastAPI:
    """A FastAPI application that knows no product: what it is told of who asks, it has from `Metered`."""
    app = FastAPI()

    @app.get("/me")
    async def me(ctx: SignedIn) -> dict[str, Any]:
        return {"email": ctx.actor.email, "plan": ctx.holder.plan}

    return app


@pytest.fixture
def tiles() -> Tiles:
    return Tiles()


@pytest.fixture
async def kit(start: Any, tiles: Tiles) -> AppKit:
    """A product, a module of which has other applications under some paths."""

    def weight(scope: Scope) -> int:
        return int(scope["query_string"] or 0)

    router = APIRouter()
    router.mount("/tiles", Metered(tiles, requests))
    router.mount("/weighed", Metered(tiles, requests, cost=weight))
    router.mount("/heavy", Metered(tiles, requests, cost=4))
    router.mount("/some", Metered(tiles, requests, cost=lambda scope: "/api/" in scope["path"]))
    router.mount("/inner", Metered(inner_application(), requests))
    router.mount("/twice", Metered(Metered(tiles, jobs), requests))
    plans = [Plan("free", price=0, limits={requests: 5, jobs: 100}, burst=Burst(1000))]
    module = Module("tiles", routers=[router])
    started: AppKit = await start(Product("Acme", sign_in=[Google()], plans=plans, modules=[module]))
    return started


@pytest.fixture
async def ada(kit: AppKit) -> httpx2.AsyncClient:
    return await kit.sign_in("ada")


async def used(ada: httpx2.AsyncClient, meter: str = "requests") -> int:
    items = (await ada.get("/v1/me/usage")).json()["items"]
    (found,) = [item["used"] for item in items if item["meter"] == meter]
    return int(found)


async def exchange(app: Any, scope: dict[str, Any], *incoming: Message) -> list[Message]:
    """One ASGI exchange by hand; answers what was sent."""
    sent: list[Message] = []
    waiting = [*incoming]

    async def receive() -> Message:
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    given = scope.pop("headers", {})
    headers = [(name.lower().encode(), value.encode()) for name, value in given.items()]
    base = {"path": "/tiles/1", "root_path": "", "query_string": b"", "client": ("127.0.0.1", 5), "scheme": "http"}
    await app(
        {"server": ("127.0.0.1", 8000), "http_version": "1.1", **base, "headers": headers, **scope}, receive, send
    )
    return sent


def of_browser(ada: httpx2.AsyncClient, **more: str) -> dict[str, str]:
    cookie = "; ".join(f"{name}={value}" for name, value in ada.cookies.items())
    return {"Host": "127.0.0.1:8000", "Cookie": cookie, **more}


async def test_a_call_is_counted_and_the_answer_says_how_one_stands(kit: AppKit, ada, tiles) -> None:
    answer = await ada.get("/tiles/1")
    assert (answer.status_code, answer.text, tiles.calls) == (200, "firstother", ["http GET /1"])
    assert answer.headers["RateLimit-Policy"] == '"requests";q=5;w=86400, "burst";q=1000;w=1'
    assert answer.headers["RateLimit"] == '"requests";r=4;t=43200'
    assert (answer.headers["X-RateLimit-Limit"], answer.headers["X-RateLimit-Remaining"]) == ("5", "4")
    assert int(answer.headers["X-RateLimit-Reset"]) == int(kit.clock.now().timestamp()) + 43_200
    assert await used(ada) == 1


async def test_401_a_stranger(kit: AppKit, tiles) -> None:
    stranger = await kit.client()
    answer = await stranger.get("/tiles/1")
    assert (answer.status_code, answer.json()["code"]) == (401, "request.unauthenticated")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert LIMITS.isdisjoint(answer.headers)
    page = await stranger.get("/tiles/1", headers=HTML)
    assert page.status_code == 401
    assert "<main" in page.text
    assert tiles.calls == []


async def test_429_a_refused_call_costs_nothing_and_reaches_nobody(ada, tiles) -> None:
    assert (await ada.get("/heavy/1")).headers["X-RateLimit-Remaining"] == "1"
    refused = await ada.get("/heavy/1")
    body = refused.json()
    assert (refused.status_code, body["code"]) == (429, "usage.quota_exceeded")
    assert (body["meter"], body["limit"], body["used"], body["remaining"]) == ("requests", 5, 4, 1)
    assert body["violated-policies"] == ["requests"]
    assert body["reset_at"] == "2026-03-15T00:00:00Z"
    assert refused.headers["RateLimit"] == '"requests";r=1;t=43200'
    assert int(refused.headers["Retry-After"]) >= 43_200
    page = await ada.get("/heavy/1", headers=HTML)
    assert (page.status_code, page.headers["X-RateLimit-Remaining"]) == (429, "1")
    assert page.headers["Content-Type"].startswith("text/html")
    assert await used(ada) == 4
    assert len(tiles.calls) == 1
    assert (await ada.get("/tiles/1")).status_code == 200


async def test_a_function_says_what_a_call_costs_and_nothing_is_for_everybody(kit: AppKit, ada, tiles) -> None:
    assert (await ada.get("/weighed/1?3")).headers["X-RateLimit-Remaining"] == "2"
    stranger = await kit.client()
    free = await stranger.get("/weighed/1?0")
    assert (free.status_code, LIMITS.isdisjoint(free.headers)) == (200, True)
    assert (await stranger.get("/weighed/1?1")).status_code == 401
    assert await used(ada) == 3
    assert len(tiles.calls) == 2


async def test_429_a_condition_is_a_cost_of_one(ada) -> None:
    for _ in range(5):
        assert (await ada.get("/some/api/1")).status_code == 200
    assert (await ada.get("/some/else")).status_code == 200
    refused = (await ada.get("/some/api/1")).json()
    assert (refused["cost"], type(refused["cost"])) == (1, int)


@pytest.mark.parametrize("cost", [0, -1, 10**12 + 1])
def test_a_cost_that_is_none_is_refused_where_it_is_written(cost: int) -> None:
    with pytest.raises(ValueError, match="1 to 1000000000000 units"):
        Metered(Tiles(), requests, cost=cost)


async def test_what_the_application_answers_is_counted_all_the_same(ada, tiles) -> None:
    missing = await ada.get("/tiles/missing")
    assert (missing.status_code, missing.headers["X-RateLimit-Remaining"]) == (404, "4")
    assert (await ada.get("/tiles/crash")).status_code == 500
    assert await used(ada) == 2
    assert len(tiles.calls) == 2


async def test_an_answer_with_limits_of_its_own_keeps_them(ada) -> None:
    answer = await ada.get("/tiles/own")
    assert answer.headers["RateLimit"] == '"own";r=1;t=1'
    assert LIMITS & set(answer.headers) == {"ratelimit"}
    assert await used(ada) == 1


async def test_429_of_two_both_count_and_the_call_is_one_for_the_pace(start, tiles) -> None:
    router = APIRouter()
    router.mount("/twice", Metered(Metered(tiles, jobs), requests))
    plans = [Plan("free", price=0, limits={requests: 5, jobs: 100}, burst=Burst(2, seconds=3600))]
    kit = await start(Product("Acme", sign_in=[Google()], plans=plans, modules=[Module("tiles", routers=[router])]))
    ada = await kit.sign_in("ada")
    answers = [await ada.get("/twice/1") for _ in range(3)]
    assert [one.status_code for one in answers] == [200, 200, 429]
    assert answers[2].json()["code"] == "usage.burst_exceeded"
    assert (await used(ada), await used(ada, "jobs")) == (2, 2)


async def test_of_two_the_inner_one_is_told_and_both_count(ada) -> None:
    answer = await ada.get("/twice/1")
    assert answer.headers.get_list("RateLimit") == ['"jobs";r=99;t=1512000']
    assert (await used(ada), await used(ada, "jobs")) == (1, 1)


async def test_the_application_inside_need_not_ask_again_who_asks(kit: AppKit, ada) -> None:
    assert (await ada.get("/inner/me")).json() == {"email": "ada@example.com", "plan": "free"}
    assert (await (await kit.client()).get("/inner/me")).status_code == 401


async def test_a_bearer_is_as_good_as_a_cookie(kit: AppKit, ada) -> None:
    program = await kit.client(Authorization=f"Bearer {ada.cookies['session']}")
    assert (await program.post("/tiles/1")).headers["X-RateLimit-Remaining"] == "4"


async def test_403_what_another_site_makes_a_browser_send(ada, tiles) -> None:
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        refused = await ada.post("/tiles/1", headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (403, "web.cross_site")
    assert (await used(ada), tiles.calls) == (0, [])
    assert (await ada.post("/tiles/1")).status_code == 200


async def test_head_costs_what_get_does(ada) -> None:
    assert (await ada.head("/tiles/1")).headers["X-RateLimit-Remaining"] == "4"


async def test_a_preflight_is_free_and_gives_nothing_away(kit: AppKit, ada, tiles) -> None:
    asks = {"Origin": "https://app.example", "Access-Control-Request-Method": "GET"}
    for client in (ada, await kit.client()):
        answer = await client.options("/tiles/1", headers=asks)
        assert (answer.status_code, answer.content) == (200, b"")
        assert "content-length" not in answer.headers
    assert (await used(ada), len(tiles.calls)) == (0, 2)


async def test_another_options_is_a_call(kit: AppKit, ada) -> None:
    assert (await ada.options("/tiles/1")).headers["X-RateLimit-Remaining"] == "4"
    assert (await (await kit.client()).options("/tiles/1")).status_code == 401


async def test_streams_and_unknown_messages_pass_as_they_come(kit: AppKit, ada) -> None:
    messages: list[Message] = [
        {"type": "http.response.debug", "info": {}},
        {"type": "http.response.start", "status": 200, "headers": [(b"etag", b'"1"')], "trailers": True},
        {"type": "http.response.body", "body": b"one", "more_body": True},
        {"type": "http.response.body", "body": b"two", "more_body": False},
        {"type": "http.response.trailers", "headers": []},
    ]
    got: list[Message] = []

    async def streaming(scope: Scope, receive: Receive, send: Send) -> None:
        got.append(await receive())
        for message in messages:
            await send(message)

    scope = {"type": "http", "method": "GET", "app": kit.app, "state": {}, "headers": of_browser(ada)}
    asked = {"type": "http.request", "body": b"question", "more_body": False}
    sent = await exchange(Metered(streaming, requests), scope, asked)
    assert got == [asked]
    assert [one["type"] for one in sent] == [one["type"] for one in messages]
    assert sent[1]["trailers"] is True
    assert sent[1]["headers"][0] == (b"etag", b'"1"')
    assert {name.decode() for name, _ in sent[1]["headers"][1:]} == LIMITS
    assert sent[2:] == messages[2:]
    # What the application keeps for its next answer is not written into.
    assert messages[1]["headers"] == [(b"etag", b'"1"')]


async def test_a_lifespan_passes() -> None:
    async def started(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": f"{scope['type']}.startup.complete"})

    assert await exchange(Metered(started, requests), {"type": "lifespan"}) == [{"type": "lifespan.startup.complete"}]


def handshake(**more: Any) -> dict[str, Any]:
    return {"type": "websocket", "scheme": "ws", "subprotocols": [], "extensions": {}, **more}


async def test_a_websockets_handshake_is_one_call(kit: AppKit, ada, tiles) -> None:
    scope = handshake(headers=of_browser(ada, Origin=PUBLIC_URL))
    accepted, *rest = await exchange(kit.app, scope, {"type": "websocket.connect"})
    assert [one["type"] for one in rest] == ["websocket.send", "websocket.close"]
    assert dict(accepted["headers"])[b"x-own"] == b"1"
    assert dict(accepted["headers"])[b"x-ratelimit-remaining"] == b"4"
    assert (await used(ada), tiles.calls) == (1, ["websocket  /1"])


async def test_401_a_strangers_handshake(kit: AppKit, tiles) -> None:
    headers = {"Host": "127.0.0.1:8000", "Origin": PUBLIC_URL}
    [closed] = await exchange(kit.app, handshake(headers=headers))
    assert closed == {"type": "websocket.close", "code": 1008, "reason": "request.unauthenticated"}
    begun, body = await exchange(kit.app, handshake(headers=headers, extensions=UPGRADE))
    assert (begun["type"], begun["status"]) == ("websocket.http.response.start", 401)
    assert b"request.unauthenticated" in body["body"]
    assert tiles.calls == []


@pytest.mark.parametrize("origin", ["https://evil.example", "null", ""])
async def test_403_a_handshake_of_another_site(kit: AppKit, ada, tiles, origin: str) -> None:
    # Browsers send cookies along, and no CORS hides from the site what comes back.
    headers = of_browser(ada, **({"Origin": origin} if origin else {}))
    begun, body = await exchange(kit.app, handshake(headers=headers, extensions=UPGRADE))
    assert (begun["status"], b"web.cross_site" in body["body"]) == (403, True)
    assert (await used(ada), tiles.calls) == (0, [])


async def test_429_a_handshake_without_quota(kit: AppKit, ada) -> None:
    for _ in range(5):
        await ada.get("/tiles/1")
    scope = handshake(headers=of_browser(ada, Origin=PUBLIC_URL), extensions=UPGRADE)
    begun, _ = await exchange(kit.app, scope)
    assert (begun["status"], dict(begun["headers"])[b"x-ratelimit-remaining"]) == (429, b"0")


async def test_outside_of_a_product_it_says_what_is_missing() -> None:
    for scope in ({}, {"app": FastAPI()}):
        with pytest.raises(LookupError, match=r"tenantry\.mount"):
            await exchange(Metered(Tiles(), requests), {"type": "http", "method": "GET", **scope})


async def test_many_at_once_get_exactly_the_quota(kit: AppKit, ada) -> None:
    answers = await asyncio.gather(*(ada.get("/tiles/1") for _ in range(40)))
    assert sorted(one.status_code for one in answers) == [200] * 5 + [429] * 35
    left = [int(one.headers["X-RateLimit-Remaining"]) for one in answers if one.status_code == 200]
    assert sorted(left) == [0, 1, 2, 3, 4]
    await kit.runtime.port(Leases).settle()
