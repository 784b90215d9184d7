"""How the stand-in exchange misbehaves on demand."""

import asyncio
import contextlib
import gzip
import json
import time
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse

from .faults import Fault

MODES = frozenset(
    {
        *("slow", "drip", "hang", "drop", "halted", "lying", "redirect", "odd_weight", "no_weight"),
        *("400", "403", "418", "429", "451", "500"),
    }
)
_HANG_SECONDS_MAX = 30.0

# The exchange's own words, shortened where they only send the reader elsewhere.
_ERRORS = {
    "400": (-1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed."),
    "418": (-1003, "Way too much request weight used; IP banned until {until_ms}."),
    "429": (-1003, "Too much request weight used; current limit is 6000 request weight per 1 MINUTE."),
    "451": (0, "Service unavailable from a restricted location."),
    "500": (-1000, "An unknown error occurred while processing the request."),
}


async def spoil(fault: Fault, request: Request, body: object, headers: dict[str, str]) -> Response:
    """What the fault makes of a good answer."""
    if fault.mode in _ERRORS:
        return _refusal(fault, headers)
    match fault.mode:
        case "403":
            return Response("<html><title>403 Forbidden</title></html>", 403, headers, "text/html")
        case "redirect":
            return RedirectResponse(str(request.url), 302, headers)
        case "no_weight":
            return JSONResponse(body)
        case "odd_weight":
            return JSONResponse(body, headers=dict.fromkeys(headers, "-1"))
        case "drip":
            return StreamingResponse(_drip(json.dumps(body), fault.seconds), headers=headers)
        case "drop":
            # Promises more than it sends; the server then closes the connection.
            return Response("{", headers=headers | {"content-length": "2"})
        case "lying":
            return _lie(fault.kind, body, headers)
        case "hang":
            await _hang(request)
        case _:
            await asyncio.sleep(fault.seconds)
    return JSONResponse(body, headers=headers)


def _refusal(fault: Fault, headers: dict[str, str]) -> Response:
    code, text = _ERRORS[fault.mode]
    if fault.retry_after:
        headers = headers | {"retry-after": fault.retry_after}
    until_ms = fault.until_ms or int((time.time() + 120) * 1000)
    body = {"code": code, "msg": text.format(until_ms=until_ms)}
    if fault.kind == "drip":
        return StreamingResponse(_drip(json.dumps(body), fault.seconds), int(fault.mode), headers)
    return JSONResponse(body, int(fault.mode), headers)


def _lie(kind: str, body: object, headers: dict[str, str]) -> Response:
    """Status 200 and JSON's content type, but not a quote for the symbol that was asked for."""
    good = body if isinstance(body, dict) else {}
    bodies: dict[str, str | bytes] = {
        "html": "<html>Welcome to the hotel's network</html>",
        "shape": json.dumps([good]),
        "number": json.dumps(good | {"lastPrice": 1.5}),
        "nan": json.dumps(good | {"lastPrice": "NaN"}),
        "infinity": json.dumps(good | {"lastPrice": "Infinity"}),
        "exponent": json.dumps(good | {"volume": "1e999999"}),
        "negative": json.dumps(good | {"lastPrice": "-1.00000000"}),
        "symbol": json.dumps(good | {"symbol": "SOMEOTHER"}),
        "missing": json.dumps({key: value for key, value in good.items() if key != "lastPrice"}),
        "huge": json.dumps(good) + " " * (1024 * 1024),  # sound JSON, and still too much of it
        "deep": '{"a":' + "[" * 200_000,
        "gzip": gzip.compress(json.dumps(good).encode()),
    }
    if kind == "gzip":
        headers = headers | {"content-encoding": "gzip"}
    return Response(bodies.get(kind, bodies["html"]), headers=headers, media_type="application/json")


async def _drip(text: str, seconds: float) -> AsyncIterator[str]:
    for character in text:
        yield character
        await asyncio.sleep(seconds)


async def _hang(request: Request) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_HANG_SECONDS_MAX):
            while (await request.receive())["type"] != "http.disconnect":
                pass
