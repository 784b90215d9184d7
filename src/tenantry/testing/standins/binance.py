"""A stand-in for Binance's public REST API: the 24-hour ticker and exchangeInfo of a handful of pairs."""

import json
import re
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

import httpx2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from .binance_faults import MODES, spoil
from .binance_table import DAY, PAIRS, Pair, listing, ticker
from .faults import Faults
from .server import StandIn

_ABOUT = f"""This is a stand-in for Binance's public market data API, for demos and tests on this machine.
It is not Binance and not for production. Its figures are made up, of the order seen on {DAY:%Y-%m-%d} (UTC).

GET  /api/v3/ping  /api/v3/time  /api/v3/exchangeInfo  /api/v3/ticker/24hr
POST /standin/fault {{"mode": "...", "count": 1}} with one of {", ".join(sorted(MODES))}
"""
_WEIGHT_MAX = 6000
_LEGAL = r"^[A-Z0-9-_.]{1,20}$"


def start_binance(port: int = 0, *, host: str = "127.0.0.1", now: Callable[[], datetime] | None = None) -> StandIn:
    """Start it on loopback; its address goes into `BINANCE_BASE_URL`.

    Modes of `StandIn.fault(mode, ...)`: `slow` (seconds), `drip` (seconds between bytes), `hang`, `drop`, `halted`,
    `lying` (kind: html, shape, number, nan, infinity, exponent, negative, symbol, missing, huge, deep, gzip), `429`
    (retry_after), `418` (retry_after, until_ms), `451`, `403`, `500`, `400`, `redirect`, `odd_weight`, `no_weight`.
    Refusals in JSON take kind `drip` too.
    """
    exchange = _Exchange(now or (lambda: datetime.now(UTC)))
    return StandIn(lambda _: exchange.app(), host=host, port=port)


def is_reachable(base_url: str, timeout: float = 1.5) -> bool:
    """Whether a Binance host answers a ping with 200 within `timeout` seconds, looking its name up included.

    False for every refusal, also for 451 where the place is not served. Blocks: for start-up, not for requests.
    """
    answers: list[bool] = []
    # In a thread, because nothing else bounds the time that looking up a name takes.
    thread = threading.Thread(target=lambda: answers.append(_pings(base_url, timeout)), daemon=True)
    thread.start()
    thread.join(timeout)
    return answers == [True]


def _pings(base_url: str, timeout: float) -> bool:
    try:
        answer = httpx2.get(f"{base_url.rstrip('/')}/api/v3/ping", timeout=timeout)
    except (httpx2.HTTPError, httpx2.InvalidURL, UnicodeError):
        return False
    return answer.status_code == 200 and answer.text.strip() == "{}"


class _Refused(Exception):
    """400 with the exchange's code and text."""


class _Exchange:
    """The endpoints, the weight used in the running minute and the fault in force."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._faults = Faults(MODES)
        self._minute = -1
        self._weight = 0

    def app(self) -> Starlette:
        routes = [
            Route("/", self._about),
            Route("/api/v3/ping", self._ping),
            Route("/api/v3/time", self._time),
            Route("/api/v3/exchangeInfo", self._exchange_info),
            Route("/api/v3/ticker/24hr", self._ticker),
            *self._faults.routes(),
        ]
        return Starlette(routes=routes)

    async def _about(self, request: Request) -> Response:
        return PlainTextResponse(_ABOUT)

    async def _ping(self, request: Request) -> Response:
        return JSONResponse({}, headers=self._weighed(1))

    async def _time(self, request: Request) -> Response:
        return JSONResponse({"serverTime": self._now_ms()}, headers=self._weighed(1))

    async def _exchange_info(self, request: Request) -> Response:
        try:
            pairs = _asked_pairs(request)
        except _Refused as refused:
            return _error(refused, self._weighed(20))
        limit = {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": _WEIGHT_MAX}
        info = {
            "timezone": "UTC",
            "serverTime": self._now_ms(),
            "rateLimits": [limit],
            "exchangeFilters": [],
            "symbols": [listing(pair) for pair in pairs],
        }
        return JSONResponse(info, headers=self._weighed(20))

    async def _ticker(self, request: Request) -> Response:
        query = request.query_params
        headers = self._weighed(2 if "symbol" in query or "symbols" in query else 80)
        try:
            pairs = _asked_pairs(request)
        except _Refused as refused:
            return _error(refused, headers)
        is_mini, is_halted = query.get("type") == "MINI", self._faults.take("halted") is not None
        tickers = [ticker(pair, is_mini=is_mini, is_halted=is_halted or not pair.trades) for pair in pairs]
        body = tickers[0] if "symbol" in query else tickers
        fault = self._faults.take(*MODES - {"halted"})
        return await spoil(fault, request, body, headers) if fault else JSONResponse(body, headers=headers)

    def _now_ms(self) -> int:
        return int(self._now().timestamp() * 1000)

    def _weighed(self, weight: int) -> dict[str, str]:
        minute = int(time.monotonic() // 60)
        self._weight = weight + (self._weight if minute == self._minute else 0)
        self._minute = minute
        return {"x-mbx-used-weight": str(self._weight), "x-mbx-used-weight-1m": str(self._weight)}


def _asked_pairs(request: Request) -> list[Pair]:
    """The pairs of `symbol` or `symbols`; all of them when neither is sent."""
    query = request.query_params
    if "symbol" in query and "symbols" in query:
        raise _Refused(-1128, "Combination of optional parameters invalid.")
    name = "symbol" if "symbol" in query else "symbols"
    if name not in query:
        return list(PAIRS.values())
    symbols = [query[name]] if name == "symbol" else _listed(query[name])
    if not all(symbols) or not symbols:
        raise _Refused(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
    if not all(re.fullmatch(_LEGAL, symbol) for symbol in symbols):
        raise _Refused(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{_LEGAL}'.")
    if not all(symbol in PAIRS for symbol in symbols):
        raise _Refused(-1121, "Invalid symbol.")
    return [PAIRS[symbol] for symbol in symbols]


def _listed(text: str) -> list[str]:
    try:
        symbols = json.loads(text)
    except ValueError:
        return []
    return [str(symbol) for symbol in symbols] if isinstance(symbols, list) else []


def _error(refused: _Refused, headers: dict[str, str]) -> Response:
    code, text = refused.args
    return JSONResponse({"code": code, "msg": text}, 400, headers)
