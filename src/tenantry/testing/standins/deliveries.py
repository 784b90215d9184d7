"""Webhooks of a stand-in: as they are signed, and as the network brings them."""

import asyncio
import http.client
import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any
from urllib.parse import urlsplit

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from .faults import Faults
from .server import StandIn

TIMEOUT_SECONDS = 10.0
MODES = frozenset({"busy_429", "broken_500", "garbage", "refused_401", "hang"})
HANG_SECONDS = 60.0
GARBAGE = {"data": [], "items": {"id": []}, "pagination": "none", "meta": 7, "errors": [[]]}


class SignedEvent(msgspec.Struct, frozen=True):
    """An event as it is sent. Header names are lower-case."""

    event: str
    headers: dict[str, str]
    body: bytes


class SellerStandIn(StandIn):
    """A running stand-in for who sells. `events` is what was to be told since the start, in its order.

    `act("pay", checkout=...)` does what a buyer or the time does there; what can be done is said by each `start_…`.
    """

    def __init__(self, world: "Seller", port: int) -> None:
        self._world = world
        super().__init__(world.app, port=port)

    @property
    def events(self) -> list[SignedEvent]:
        return [self._world.signed(number) for number in range(len(self._world.told))]

    def resent(self, number: int) -> SignedEvent:
        """The event of that number once more, as the provider repeats it by hand."""
        return self._world.signed(number, again=True)

    def act(self, what: str, **details: Any) -> dict[str, Any]:
        """Make it happen. What cannot be done is a ValueError."""
        status, answer = _posted(f"{self.url}/standin/act", {}, json.dumps({"what": what, **details}).encode())
        if status != 200:
            raise ValueError(answer.decode())
        found: dict[str, Any] = json.loads(answer)
        return found


class Seller:
    """What such a stand-in is made of: `told` are the bodies of its events by name, `acts` what can be done there."""

    def __init__(self, acts: dict[str, Callable[..., dict[str, Any]]], key: str) -> None:
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.url = ""
        self._acts = acts
        self._key = key
        self._faults = Faults(MODES)

    def signed(self, number: int, *, again: bool = False) -> SignedEvent:
        """The event of that number, as it is sent."""
        raise NotImplementedError

    def routes(self) -> list[Route]:
        """What it answers."""
        raise NotImplementedError

    def app(self, url: str) -> ASGIApp:
        self.url = url
        own = [Route("/", self._about), Route("/standin/act", self._act, methods=["POST"]), *self._faults.routes()]
        answering = Starlette(routes=[*own, *self.routes()])

        async def hanging(scope: Scope, receive: Receive, send: Send) -> None:
            if not scope["path"].startswith("/standin/") and self._faults.take("hang"):
                await asyncio.sleep(HANG_SECONDS)
            await answering(scope, receive, send)

        return hanging

    def refusal(self, request: Request) -> Response | None:
        """The answer to a request that goes wrong before anything is done; None for one that does not."""
        fault = self._faults.take(*MODES - {"hang"})
        if fault is not None and fault.mode == "busy_429":
            return JSONResponse({"error": "busy"}, 429, {"retry-after": fault.retry_after or "3"})
        if fault is not None and fault.mode == "broken_500":
            return PlainTextResponse("oops", 500)
        if fault is not None and fault.mode == "garbage":
            return JSONResponse(GARBAGE)
        if fault is not None or request.headers.get("authorization") != f"Bearer {self._key}":
            return JSONResponse({"error": "invalid_token", "errors": [{"detail": "Unauthenticated."}]}, 401)
        return None

    async def _about(self, request: Request) -> Response:
        return PlainTextResponse("A stand-in for who sells, for tests on this machine. Nobody pays here.")

    async def _act(self, request: Request) -> Response:
        wanted = await request.json()
        try:
            return JSONResponse(self._acts[wanted.pop("what")](**wanted))
        except (KeyError, TypeError, ValueError) as error:
            return PlainTextResponse(f"{type(error).__name__}: {error}", 400)


def disordered(events: Sequence[SignedEvent], random: Random, *, repeats: int = 0, lost: int = 0) -> list[SignedEvent]:
    """The events in some order, `repeats` of them once more, `lost` of them never; never all."""
    kept = list(events)
    for _ in range(min(lost, len(kept) - 1)):
        del kept[random.randrange(len(kept))]
    kept += random.choices(kept, k=repeats)
    random.shuffle(kept)
    return kept


def deliver(events: Sequence[SignedEvent], address: str) -> list[int]:
    """Send events to an address, one after the other; what each was answered."""
    return [_posted(address, one.headers, one.body)[0] for one in events]


def _posted(address: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
    # http.client: no proxy settings of the machine can come between us and loopback.
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("POST", parts.path, body, {"content-type": "application/json", **headers})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
