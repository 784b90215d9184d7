"""Headers told to an answer that somebody else makes."""

from typing import Any

import pytest

from tenantry.kernel.told import Telling, is_heard, listen, tell, told

LIMITS = [(b"ratelimit", b"one"), (b"x-left", b"1")]
OTHERS = [(b"ratelimit", b"two"), (b"x-left", b"2")]
STORED = [(b"cache-control", b"no-store")]
START = {"type": "http.response.start", "status": 200}


def test_nothing_told_is_nothing_added() -> None:
    assert told({}, []) == told({"state": {}}, [(b"etag", b"1")]) == []


def test_of_groups_that_share_a_name_the_last_one_is_sent_whole() -> None:
    scope: dict[str, Any] = {}
    for headers in (LIMITS, STORED, OTHERS):
        tell(scope, headers)
    assert sorted(told(scope, [])) == sorted([*OTHERS, *STORED])


@pytest.mark.parametrize("own", [b"ratelimit", b"x-left"])
def test_an_answer_that_says_one_of_them_itself_gets_none_of_these(own: bytes) -> None:
    scope: dict[str, Any] = {}
    tell(scope, LIMITS)
    tell(scope, STORED)
    assert told(scope, [(own, b"its own")]) == STORED


async def exchange(app: Any, scope: dict[str, Any]) -> list[Any]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await Telling(app)(scope, None, send)  # type: ignore[arg-type] # nobody receives
    return sent


@pytest.mark.parametrize("kind", ["http.response.start", "websocket.accept", "websocket.http.response.start"])
async def test_what_is_told_inside_stands_on_the_answer(kind: str) -> None:
    begun = {"type": kind, "headers": [(b"etag", b"1")]}

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        # A layer may have made a copy of the scope, as sub-applications get one.
        tell({**scope}, LIMITS)
        await send(begun)
        await send({"type": "http.response.body", "body": b"x"})

    assert await exchange(app, {"type": kind.partition(".")[0]}) == [
        {"type": kind, "headers": [(b"etag", b"1"), *LIMITS]},
        {"type": "http.response.body", "body": b"x"},
    ]
    assert begun["headers"] == [(b"etag", b"1")]


async def test_an_answer_without_headers_gets_some() -> None:
    async def app(scope: Any, _receive: Any, send: Any) -> None:
        tell(scope, STORED)
        await send(START)

    assert await exchange(app, {"type": "http"}) == [{**START, "headers": STORED}]


async def test_where_nothing_is_told_messages_and_lifespans_pass_untouched() -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send(START)

    [sent] = await exchange(app, {"type": "http"})
    assert sent is START
    scope = {"type": "lifespan"}
    await exchange(app, scope)
    assert scope == {"type": "lifespan"}


def test_a_layer_between_knows_whether_somebody_listens() -> None:
    scope: dict[str, Any] = {"type": "http"}
    assert not is_heard(scope)
    listen(scope)
    assert is_heard(scope)
    # Nobody puts headers on the answer to a handshake for certain.
    assert not is_heard({**scope, "type": "websocket"})
