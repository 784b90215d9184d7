"""A stand-in for Binance's public REST API: the 24-hour ticker and exchangeInfo of a handful of pairs."""

import json
import re
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import httpx2
from starlette.applications import Starlette
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from .binance_faults import MODES, spoil
from .binance_table import DAY, PAIRS, Pair, listing, ticker
from .faults import Faults
from .server import StandIn

_ABOUT = f"""This is a stand-in for Binance's public market data API, for demos and tests on this machine.
It is not Binance and not for production. Its figures are made up, of the order seen on {DAY:%Y-%m-%d} (UTC).

GET  /api/v3/ping  /api/v3/time  /api/v3/exchangeInfo  /api/v3/ticker/24hr  /api/v3/ticker/price
POST /standin/fault {{"mode": "...", "count": 1}} with one of {", ".join(sorted(MODES))}
"""
_WEIGHT_MAX = 6000
# The exchange's firewall looks for such words.
_SQL = re.compile("SELECT|UNION|INSERT|DELETE")
_LEGAL = r"^[A-Z0-9-_.]{1,20}$"


def start_binance(
    port: int = 0,
    *,
    host: str = "127.0.0.1",
    now: Callable[[], datetime] | None = None,
    weight_max: int = _WEIGHT_MAX,
) -> StandIn:
    """Start it on loopback; its address goes into `BINANCE_BASE_URL`.

    Above `weight_max` of request weight a minute it answers 429, as the exchange does; `exchangeInfo` tells the limit.

    Modes of `StandIn.fault(mode, ...)`: `slow` (seconds), `drip` (seconds between bytes), `hang`, `drop`, `halted`,
    `unlisted` (kind: a symbol), `429` (retry_after), `418` (retry_after, until_ms), `451`, `403`, `500`, `400`,
    `redirect`, `no_weight`, `odd_weight` (kind: what the header tells, -1 without), `lying` (kind: html, shape, number,
    nan, infinity, exponent, negative, symbol, missing, future, huge, deep, gzip, time with until_ms). They concern the
    24-hour ticker; `away` is 500 for the list of prices and for exchangeInfo. Refusals in JSON take kind `drip` too.
    """
    exchange = _Exchange(now or (lambda: datetime.now(UTC)), weight_max)
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


class _TooMuch(Exception):
    """More weight than a minute has. Its argument is the headers."""


class _Exchange:
    """The endpoints, the weight used in the running minute and the fault in force."""

    def __init__(self, now: Callable[[], datetime], weight_max: int) -> None:
        self._now = now
        self._weight_max = weight_max
        self._faults = Faults(MODES, self._forget_weight)
        self._minute = -1
        self._weight = 0

    def app(self) -> Starlette:
        routes = [
            Route("/", self._about),
            Route("/api/v3/ping", self._ping),
            Route("/api/v3/time", self._time),
            Route("/api/v3/exchangeInfo", self._exchange_info),
            Route("/api/v3/ticker/24hr", self._ticker),
            Route("/api/v3/ticker/price", self._prices),
            *self._faults.routes(),
        ]
        # The exchange counts every request, also those it refuses for their weight.
        return Starlette(routes=routes, exception_handlers={_TooMuch: self._too_much})

    def _forget_weight(self) -> None:
        self._weight = 0

    async def _about(self, request: Request) -> Response:
        return PlainTextResponse(_ABOUT)

    async def _ping(self, request: Request) -> Response:
        return JSONResponse({}, headers=self._weighed(1))

    async def _time(self, request: Request) -> Response:
        return JSONResponse({"serverTime": self._now_ms()}, headers=self._weighed(1))

    async def _exchange_info(self, request: Request) -> Response:
        headers = self._weighed(20)
        if fault := self._faults.take("away"):
            return await spoil(fault, request, {}, headers)
        try:
            pairs = _asked_pairs(request)
        except _Refused as refused:
            return _error(refused, headers)
        limit = {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": self._weight_max}
        raw = {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 61000}
        info = {
            "timezone": "UTC",
            "serverTime": self._now_ms(),
            "rateLimits": [limit, raw],
            "exchangeFilters": [],
            "symbols": [listing(pair) for pair in pairs],
        }
        return JSONResponse(info, headers=headers)

    async def _prices(self, request: Request) -> Response:
        headers = self._weighed(2 if "symbol" in request.query_params else 4)
        if fault := self._faults.take("away"):
            return await spoil(fault, request, {}, headers)
        try:
            pairs = _asked_pairs(request)
        except _Refused as refused:
            return _error(refused, headers)
        prices = [{"symbol": pair.base + pair.quote, "price": f"{Decimal(pair.last):.8f}"} for pair in pairs]
        return JSONResponse(prices[0] if "symbol" in request.query_params else prices, headers=headers)

    async def _ticker(self, request: Request) -> Response:
        query = request.query_params
        headers = self._weighed(_tickers_weight(query))
        if _SQL.search(str(query)):
            return Response("<html><title>403 Forbidden</title></html>", 403, headers, "text/html")
        unlisted = self._faults.take("unlisted")
        try:
            pairs = _asked_pairs(request, without=unlisted.kind if unlisted else "")
        except _Refused as refused:
            return _error(refused, headers)
        is_mini, is_halted = query.get("type") == "MINI", self._faults.take("halted") is not None
        tickers = [ticker(pair, is_mini=is_mini, is_halted=is_halted or not pair.trades) for pair in pairs]
        body = tickers[0] if "symbol" in query else tickers
        fault = self._faults.take(*MODES - {"halted", "unlisted", "away"})
        return await spoil(fault, request, body, headers) if fault else JSONResponse(body, headers=headers)

    def _now_ms(self) -> int:
        return int(self._now().timestamp() * 1000)

    def _weighed(self, weight: int) -> dict[str, str]:
        minute = int(time.monotonic() // 60)
        self._weight = weight + (self._weight if minute == self._minute else 0)
        self._minute = minute
        headers = {"x-mbx-used-weight": str(self._weight), "x-mbx-used-weight-1m": str(self._weight)}
        if self._weight > self._weight_max:
            raise _TooMuch(headers)
        return headers

    async def _too_much(self, _request: Request, error: Exception) -> Response:
        text = f"Too much request weight used; current limit is {self._weight_max} request weight per 1 MINUTE."
        headers = {**error.args[0], "retry-after": str(60 - int(time.monotonic() % 60))}
        return JSONResponse({"code": -1003, "msg": text}, 429, headers)


def _tickers_weight(query: QueryParams) -> int:
    count = len(_listed(query["symbols"])) if "symbols" in query else 1 if "symbol" in query else 101
    return 2 if count <= 20 else 40 if count <= 100 else 80


def _asked_pairs(request: Request, *, without: str = "") -> list[Pair]:
    """The pairs of `symbol` or `symbols`; all of them when neither is sent. `without`: as if that one did not exist."""
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
    if not all(symbol in PAIRS and symbol != without for symbol in symbols):
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
