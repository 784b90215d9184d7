"""One host over HTTP, with what keeps it and us from harm: time, size, circuit, pauses, budget."""

import asyncio
import contextlib
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Container, Mapping
from dataclasses import KW_ONLY, dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, NoReturn, TypeVar
from urllib.parse import urlsplit

import httpx2
import msgspec

from .base import HostFailed, Reason, SourceError, SourceUnavailable
from .budget import Budget
from .gate import Gate

if TYPE_CHECKING:
    from tenantry.kernel.clock import Clock

REQUESTS_MAX = 8
"""Requests under way at once."""
BODY_BYTES_MAX = 1024 * 1024
THROTTLED_SECONDS = 60.0  # limits are per minute
BANNED_SECONDS = 120.0  # the shortest ban that Binance documents
PAUSE_SECONDS_MAX = 3 * 24 * 3600.0  # the longest one
REFUSED_SECONDS = 300.0  # a person must change something first; look again now and then

_SECONDS = re.compile(r"[0-9]{1,9}")

T = TypeVar("T")


class Answer(msgspec.Struct, frozen=True):
    """What a host answered; the whole body, at most `BODY_BYTES_MAX`."""

    status: int
    body: bytes

    def read(self, kind: type[T]) -> T:
        """The body as JSON of that shape. Raises SourceUnavailable("invalid") for a refusal and for anything else."""
        if self.status != 200:
            raise SourceUnavailable("invalid", detail=f"status {self.status}")
        try:
            return msgspec.json.decode(self.body, type=kind)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise SourceUnavailable("invalid", detail=f"not the JSON that was expected: {error}") from None


@dataclass(eq=False)
class Host:
    """A host that is asked with `get`. Belongs to one event loop.

    - `base_url`: plain http(s), without user, query or fragment; anything else is a ValueError.
    - `headers`: sent with every request, a key for example. Never part of an error or a log.
    - `timeout_seconds`: for one answer in all, also when it drips in.
    - `failures_max`: failures in a row that open the circuit for `open_seconds`: time-outs, broken connections, 5xx.
    - `units_max`: what the host allows this address a minute; None: nothing is counted.
    - `used_units`: reads from an answer's headers what the host says is used of it.
    - `banned_until`: reads from the text of a 418 when it ends, in seconds since 1970.
    """

    base_url: str
    clock: "Clock"
    _: KW_ONLY
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout_seconds: float = 3.0
    failures_max: int = 5
    open_seconds: float = 10.0
    units_max: int | None = None
    used_units: Callable[[Mapping[str, str]], int | None] | None = None
    banned_until: Callable[[bytes], float | None] | None = None
    budget: Budget | None = field(init=False)
    outcomes: Counter[str] = field(init=False, default_factory=Counter)
    """Requests that were sent, by what came of them: the status, or the reason there was none."""

    def __post_init__(self) -> None:
        parts = urlsplit(self.base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("a source's address must look like https://api.example.com")
        if parts.username or parts.query or parts.fragment:
            raise ValueError("a source's address must not carry a user, a query or a fragment")
        self.budget = Budget(self.clock, self.units_max) if self.units_max is not None else None
        self._gate = Gate(self.clock.monotonic, failures_max=self.failures_max, open_seconds=self.open_seconds)
        self._beside: set[asyncio.Task[None]] = set()
        # Uncompressed, so that the size limit is a limit on what we hold in memory.
        standard = {"accept": "application/json", "accept-encoding": "identity", "user-agent": "tenantry"}
        self._http = httpx2.AsyncClient(
            base_url=self.base_url.rstrip("/"),
            headers={**standard, **self.headers},
            timeout=self.timeout_seconds,
            limits=httpx2.Limits(max_connections=REQUESTS_MAX * 2, max_keepalive_connections=REQUESTS_MAX),
            # None are kept: a host could fill our memory with them, and every request would carry them.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            follow_redirects=False,
        )

    async def get(
        self, path: str, *, params: Mapping[str, str] | None = None, units: int = 1, mild: Container[int] = ()
    ) -> Answer:
        """Ask the host; 200, 400, 404 and 422 come back as an Answer, everything else is a SourceUnavailable.

        429 and 418 shut the gate for as long as they say, 403 and 451 for minutes; a `mild` status counts as one more
        failure instead. Raises without asking while the gate is shut. `units`: what the request costs of the budget.
        """
        with self._gate.passage():
            mark = self.budget.send(units) if self.budget else 0
            try:
                async with asyncio.timeout(self.timeout_seconds):  # httpx limits each read only, and a host may drip
                    return await self._get(path, params, mark=mark, mild=mild)
            except (TimeoutError, httpx2.TimeoutException):
                self.outcomes["timeout"] += 1
                raise HostFailed("timeout") from None
            except httpx2.HTTPError as error:
                self.outcomes["unreachable"] += 1
                raise HostFailed("unreachable", detail=str(error)) from error

    def wait_seconds(self, units: int) -> float:
        """How long the budget asks a request of so many units to wait."""
        return self.budget.wait_seconds(units) if self.budget else 0.0

    def recovers_in(self) -> float:
        """Seconds until the budget is whole again."""
        return self.budget.minute_ends_in() if self.budget else 1.0

    def trouble(self) -> SourceUnavailable | None:
        """Why the host cannot be asked now; None when it can. Asks nobody."""
        return self._gate.trouble()

    def pause(self, seconds: float, reason: Reason, *, may_retry: bool = True) -> SourceUnavailable:
        """Stop asking for so long; returns the error that says so. For limits that an answer's body tells."""
        return self._gate.pause(seconds, reason, may_retry=may_retry)

    def beside(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run something beside the calls, until it is done or the host is closed. Its SourceErrors are dropped."""
        task = asyncio.create_task(_quietly(work))
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)

    async def aclose(self) -> None:
        """Stop what runs beside and close the connections."""
        for task in list(self._beside):
            task.cancel()
        await asyncio.gather(*self._beside, return_exceptions=True)
        await self._http.aclose()

    async def _get(self, path: str, params: Mapping[str, str] | None, *, mark: int, mild: Container[int]) -> Answer:
        async with self._http.stream("GET", path, params=params) as response:
            status = response.status_code
            if self.budget and self.used_units:
                self.budget.hear(mark, self.used_units(response.headers))
            if status not in (200, 400, 404, 422):
                self.outcomes[str(status)] += 1
                await self._refuse(response, mild)
            answer = Answer(status, await _body(response))
        self.outcomes[str(status)] += 1
        return answer

    async def _refuse(self, response: httpx2.Response, mild: Container[int]) -> NoReturn:
        status = response.status_code
        if status in mild:
            raise HostFailed("refused", detail=f"status {status}")
        if status == 429:
            raise self._gate.pause(self._told_seconds(response) or THROTTLED_SECONDS, "throttled")
        if status == 418:
            raise self._gate.pause(await self._ban_seconds(response), "banned")
        if status in (403, 451):
            raise self._gate.pause(REFUSED_SECONDS, "refused", may_retry=False)
        if status >= 500:
            raise HostFailed("failing", detail=f"status {status}")
        raise SourceUnavailable("invalid", detail=f"status {status}")

    def _told_seconds(self, response: httpx2.Response) -> float | None:
        """`Retry-After` as seconds from now, 1 or more; None when absent or unreadable."""
        text = response.headers.get("retry-after", "").strip()
        if _SECONDS.fullmatch(text):
            return _bounded(float(text))
        try:
            until = parsedate_to_datetime(text)
        except (ValueError, OverflowError):  # the year 99999999999
            return None
        aware = until if until.tzinfo else until.replace(tzinfo=UTC)
        return _bounded((aware - self.clock.now()).total_seconds())

    async def _ban_seconds(self, response: httpx2.Response) -> float:
        """How long the ban lasts: `Retry-After` first, then the time in the text."""
        if told := self._told_seconds(response):
            return told
        self._gate.pause(BANNED_SECONDS, "banned")  # now, in case the text never arrives
        until = self.banned_until(await _body(response)) if self.banned_until else None
        seconds = until - self.clock.now().timestamp() if until else 0.0
        return _bounded(seconds) if seconds > 0 else BANNED_SECONDS


async def _body(response: httpx2.Response) -> bytes:
    """The whole answer. One above the limit, and one that is compressed although not asked for, is "invalid"."""
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise SourceUnavailable("invalid", detail="a compressed answer")
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            raise SourceUnavailable("invalid", detail=f"an answer above {BODY_BYTES_MAX} bytes")
    return bytes(body)


async def _quietly(work: Callable[[], Awaitable[None]]) -> None:
    with contextlib.suppress(SourceError):
        await work()


def _bounded(seconds: float) -> float:
    return min(max(seconds, 1.0), PAUSE_SECONDS_MAX)
