"""Who asked, for which host, and which headers an answer carries."""

from collections.abc import Mapping, Sequence
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Message, Scope

from tenantry.kernel.frame import FrameOptions, is_near
from tenantry.kernel.health import Metrics
from tenantry.kernel.http import Frame
from tenantry.kernel.problem_handlers import install_problem_handlers

DEVELOPMENT = FrameOptions(production=False, public_url="http://localhost:8000")
PRODUCTION = FrameOptions(production=True, public_url="https://app.example.com", trusted_proxies=1)
FIXED = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


def framed(options: FrameOptions) -> Frame:
    app = FastAPI()
    install_problem_handlers(app, page=None)

    @app.get("/seen")
    async def seen(request: Request) -> dict[str, Any]:
        state = request.scope["state"]
        return {"id": state["request_id"], "address": state["client_address"], "url": str(request.url)}

    @app.get("/cookie")
    async def cookie(response: Response) -> str:
        response.set_cookie("a", "b")
        return "x"

    @app.get("/own")
    async def own() -> Response:
        headers = {"Content-Security-Policy": "sandbox", "Cache-Control": "public, max-age=60"}
        return PlainTextResponse("x", headers=headers)

    @app.get("/crash")
    async def crash() -> None:
        raise RuntimeError

    return Frame(app, options, metrics=Metrics(), access=None)


Headers = Mapping[str, str] | Sequence[tuple[str, str]]


async def get(path: str, options: FrameOptions = DEVELOPMENT, headers: Headers = ()) -> httpx2.Response:
    transport = httpx2.ASGITransport(app=framed(options), client=("10.0.0.9", 1))
    async with httpx2.AsyncClient(transport=transport, base_url=options.public_url) as client:
        return await client.get(path, headers=headers)


async def test_every_answer_has_the_security_headers() -> None:
    for path in ("/seen", "/nowhere", "/crash", "/seen?x=%00"):
        headers = (await get(path, PRODUCTION)).headers
        assert {name: headers[name] for name in FIXED} == FIXED
        assert headers["strict-transport-security"] == "max-age=31536000"
        assert "'unsafe" not in headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in headers["content-security-policy"]


async def test_development_promises_no_https() -> None:
    assert "strict-transport-security" not in (await get("/seen")).headers


async def test_further_origins_join_the_policy() -> None:
    options = FrameOptions(
        production=False,
        public_url="http://localhost",
        form_targets=["https://accounts.example.com"],
        image_sources=["https://pictures.example.com"],
    )
    policy = (await get("/seen", options)).headers["content-security-policy"]
    assert "form-action 'self' https://accounts.example.com;" in policy
    assert "img-src 'self' data: https://pictures.example.com;" in policy


async def test_an_answer_that_brings_its_own_policy_keeps_it() -> None:
    own = await get("/own", headers={"cookie": "s=1"})
    assert own.headers.get_list("content-security-policy") == ["sandbox"]
    assert own.headers["cache-control"] == "public, max-age=60"
    assert own.headers["x-frame-options"] == "DENY"


async def test_what_may_be_personal_is_not_stored() -> None:
    assert "cache-control" not in (await get("/seen")).headers
    for headers in ({"cookie": "s=1"}, {"authorization": "Bearer x"}, {"x-api-key": "x"}):
        assert (await get("/seen", headers=headers)).headers["cache-control"] == "no-store"
    assert (await get("/cookie")).headers["cache-control"] == "no-store"


async def test_the_request_id_is_made_here_unless_a_proxy_brings_one() -> None:
    given = {"x-request-id": "from-the-proxy_1"}
    answer = await get("/seen", PRODUCTION, given)
    assert answer.json()["id"] == answer.headers["x-request-id"] == "from-the-proxy_1"
    assert (await get("/seen", DEVELOPMENT, given)).headers["x-request-id"] != "from-the-proxy_1"


@pytest.mark.parametrize("bad", ["short", "x" * 65, "with space here", 'with"quote"here', "new\x0bline-here"])
async def test_a_strange_request_id_is_replaced(bad: str) -> None:
    made = (await get("/seen", PRODUCTION, {"x-request-id": bad})).headers["x-request-id"]
    assert made != bad
    assert len(made) == 32


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (0, ["1.1.1.1"], "10.0.0.9"),
        (1, [], "10.0.0.9"),
        (1, ["6.6.6.6, 1.1.1.1"], "1.1.1.1"),
        (1, ["6.6.6.6", "1.1.1.1"], "1.1.1.1"),
        (2, ["6.6.6.6, 1.1.1.1, 10.0.0.2"], "1.1.1.1"),
        (2, ["1.1.1.1"], "10.0.0.9"),
        (1, ["2001:db8::1"], "2001:db8::1"),
        (1, ["[2001:db8::1]:443"], "2001:db8::1"),
        (1, ["1.1.1.1:5555"], "1.1.1.1"),
        (1, ["unknown"], "10.0.0.9"),
        (1, ["1.1.1.1, "], "10.0.0.9"),
        (1, ["<script>"], "10.0.0.9"),
    ],
)
async def test_the_address_is_counted_from_the_right(proxies: int, forwarded: list[str], expected: str) -> None:
    options = FrameOptions(production=False, public_url="http://localhost", trusted_proxies=proxies)
    answer = await get("/seen", options, [("x-forwarded-for", value) for value in forwarded])
    assert answer.json()["address"] == expected


@pytest.mark.parametrize(
    "host", ["evil.example", "app.example.com.evil.example", "app.example.com:8443", "localhost", "10.0.0.9"]
)
async def test_421_another_host_in_production(host: str) -> None:
    answer = await get("/seen", PRODUCTION, {"host": host})
    assert (answer.status_code, answer.json()["code"]) == (421, "request.wrong_host")


@pytest.mark.parametrize("host", ["app.example.com", "APP.example.com", "app.example.com:443"])
async def test_the_public_host_in_production(host: str) -> None:
    answer = await get("/seen", PRODUCTION, {"host": host})
    assert answer.status_code == 200
    assert answer.json()["url"].startswith("https://")


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:9", "127.0.0.1:8000", "127.9.9.9", "[::1]:8000", "a.localhost"]
)
async def test_development_answers_to_loopback_names(host: str) -> None:
    assert (await get("/seen", headers={"host": host})).status_code == 200


@pytest.mark.parametrize(
    "host", ["example.com", "localhost.evil.example", "10.0.0.1", "", "[", "localhost@evil.example"]
)
async def test_421_and_to_no_other(host: str) -> None:
    assert (await get("/seen", headers={"host": host})).status_code == 421


@pytest.mark.parametrize("hosts", [[], [(b"host", b"localhost"), (b"host", b"localhost")]])
async def test_400_two_hosts_or_none(hosts: list[tuple[bytes, bytes]]) -> None:
    messages: list[Message] = []

    async def send(message: Message) -> None:
        messages.append(message)

    async def receive() -> Message:
        raise AssertionError

    scope: Scope = {
        "type": "http",
        "method": "GET",
        "path": "/x",
        "query_string": b"",
        "headers": hosts,
        "client": None,
    }
    await framed(DEVELOPMENT)(scope, receive, send)
    assert messages[0]["status"] == 400
    request_id = dict(messages[0]["headers"])[b"x-request-id"].decode()
    assert (scope["state"]["request_id"], scope["state"]["client_address"]) == (request_id, None)


async def test_a_load_balancer_may_ask_by_address() -> None:
    assert (await get("/healthz", PRODUCTION, {"host": "10.0.0.1"})).json()["code"] == "request.not_found"


@pytest.mark.parametrize("url", ["", "localhost", "ftp://a.example", "https://"])
def test_an_unfit_public_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="public address"):
        FrameOptions(production=True, public_url=url)


def test_a_negative_number_of_proxies_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        FrameOptions(production=True, public_url="https://a.example", trusted_proxies=-1)


FROM = b"x-forwarded-for"


@pytest.mark.parametrize(
    ("names", "address", "proxies", "expected"),
    [
        ([], "127.0.0.1", 0, True),
        ([], "8.8.8.8", 0, False),
        ([], None, 0, False),
        ([FROM], "127.0.0.1", 0, False),
        ([b"x-forwarded-proto"], "127.0.0.1", 0, False),
        ([b"cf-connecting-ip"], "10.0.0.1", 0, False),
        ([FROM], "192.168.1.7", 1, True),
        ([FROM, b"via"], "192.168.1.7", 2, True),
        ([FROM], "8.8.8.8", 1, False),
        # Our own proxy would have said for whom: this came from another one.
        ([b"forwarded"], "127.0.0.1", 1, False),
        ([b"x-forwarded"], "127.0.0.1", 0, True),
    ],
)
def test_near_is_who_comes_from_the_same_network_by_nobody_elses_hands(names, address, proxies, expected):
    scope = {"type": "http", "headers": [(name, b"x") for name in names]}
    assert is_near(scope, address, trusted_proxies=proxies) is expected
