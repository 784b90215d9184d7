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
        *("slow", "drip", "hang", "drop", "halted", "unlisted", "lying", "redirect", "odd_weight", "no_weight"),
        *("400", "403", "418", "429", "451", "500", "away"),
    }
)
_HANG_SECONDS_MAX = 30.0
_CHANGES: dict[str, dict[str, str | float]] = {
    "number": {"lastPrice": 1.5},
    "nan": {"lastPrice": "NaN"},
    "infinity": {"lastPrice": "Infinity"},
    "exponent": {"volume": "1e999999"},
    "negative": {"lastPrice": "-1.00000000"},
    "symbol": {"symbol": "SOMEOTHER"},
    "future": {"closeTime": 32_503_680_000_000},  # the year 3000
}

# The exchange's own words, shortened where they only send the reader elsewhere.
_ERRORS = {
    "400": (-1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed."),
    "418": (-1003, "Way too much request weight used; IP banned until {until_ms}."),
    "429": (-1003, "Too much request weight used; current limit is 6000 request weight per 1 MINUTE."),
    "451": (0, "Service unavailable from a restricted location."),
    "500": (-1000, "An unknown error occurred while processing the request."),
    "away": (-1000, "An unknown error occurred while processing the request."),
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
            return JSONResponse(body, headers=dict.fromkeys(headers, fault.kind or "-1"))
        case "drip":
            return StreamingResponse(_drip(json.dumps(body), fault.seconds), headers=headers)
        case "drop":
            # Promises more than it sends; the server then closes the connection.
            return Response("{", headers=headers | {"content-length": "2"})
        case "lying":
            return _lie(fault, body, headers)
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
    status = 500 if fault.mode == "away" else int(fault.mode)
    if fault.kind == "drip":
        return StreamingResponse(_drip(json.dumps(body), fault.seconds), status, headers)
    return JSONResponse(body, status, headers)


def _lie(fault: Fault, body: object, headers: dict[str, str]) -> Response:
    """Status 200 and JSON's content type, but not quotes for the symbols that were asked for."""
    kind = fault.kind
    if kind == "gzip":
        compressed = gzip.compress(json.dumps(body).encode())
        return Response(compressed, headers=headers | {"content-encoding": "gzip"}, media_type="application/json")
    if kind in _CHANGES or kind in ("missing", "time"):
        text = json.dumps([_changed(one, fault) for one in body] if isinstance(body, list) else _changed(body, fault))
    else:
        whole = {
            "shape": json.dumps([body]),
            "huge": json.dumps(body) + " " * (1024 * 1024),  # sound JSON, and still too much of it
            "deep": '{"a":' + "[" * 200_000,
        }
        text = whole.get(kind, "<html>Welcome to the hotel's network</html>")
    return Response(text, headers=headers, media_type="application/json")


def _changed(ticker: object, fault: Fault) -> object:
    good = ticker if isinstance(ticker, dict) else {}
    if fault.kind == "missing":
        return {key: value for key, value in good.items() if key != "lastPrice"}
    return good | _CHANGES.get(fault.kind, {"closeTime": fault.until_ms})


async def _drip(text: str, seconds: float) -> AsyncIterator[str]:
    for character in text:
        yield character
        await asyncio.sleep(seconds)


async def _hang(request: Request) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_HANG_SECONDS_MAX):
            while (await request.receive())["type"] != "http.disconnect":
                pass
