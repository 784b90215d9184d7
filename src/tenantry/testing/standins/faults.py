"""Faults on demand: `/standin/fault` of every stand-in."""

from collections.abc import Callable, Collection

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What goes wrong, for the next `count` requests it concerns. Which details count depends on the mode."""

    mode: str
    count: int = 1
    kind: str = ""
    seconds: float = 0.1
    retry_after: str = ""
    until_ms: int = 0


class Faults:
    """At most one fault at a time. Used from the server's own thread only; others go through the routes.

    `cleared` is called when the faults are cleared, for what else a stand-in should forget then.
    """

    def __init__(self, modes: Collection[str], cleared: Callable[[], None] = lambda: None) -> None:
        self._modes = modes
        self._cleared = cleared
        self._fault: Fault | None = None
        self._left = 0

    def take(self, *modes: str) -> Fault | None:
        """The fault, if it is one of `modes`; uses it up once."""
        if self._fault is None or self._fault.mode not in modes or self._left < 1:
            return None
        self._left -= 1
        return self._fault

    def routes(self) -> list[Route]:
        """POST sets a fault, GET shows what is left of it, DELETE clears it."""
        return [Route("/standin/fault", self._answer, methods=["GET", "POST", "DELETE"])]

    async def _answer(self, request: Request) -> Response:
        if request.method == "GET":
            return JSONResponse({"mode": self._fault.mode if self._fault else None, "count": self._left})
        if request.method == "DELETE":
            self._fault, self._left = None, 0
            self._cleared()
            return Response(status_code=204)
        # JSON only: a page on another origin cannot send it without asking first, and the answer to that is no.
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return PlainTextResponse("send application/json", status_code=415)
        try:
            fault = msgspec.json.decode(await request.body(), type=Fault)
        except msgspec.MsgspecError as error:
            return PlainTextResponse(str(error), status_code=400)
        if fault.mode not in self._modes:
            return PlainTextResponse(f"mode is one of {', '.join(sorted(self._modes))}", status_code=400)
        self._fault, self._left = fault, fault.count
        return Response(status_code=204)
