"""A provider's API over HTTP, with bounds on time, size and redirects. No unit of work is open while it is asked."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx2
import msgspec

from tenantry.kernel.database import refuse_while_open
from tenantry.kernel.trust import trusted

from ..errors import ProviderAway

TIMEOUT_SECONDS = 10.0
ANSWER_BYTES_MAX = 8 * 1024 * 1024


class Answer(msgspec.Struct, frozen=True):
    """What a provider answered: below 500, and not 429. `document` is the body's JSON, None where it has none."""

    status: int
    document: Any = None

    @property
    def is_good(self) -> bool:
        return 200 <= self.status < 300


class ProviderApi:
    """One provider's API. Belongs to one event loop; opens at its first request.

    `headers` go with every request and never into an error or a log. What does not answer within ten seconds in all, is
    busy (429) or broken (5xx), sends us elsewhere (3xx) or answers more than 8 MiB raises `ProviderAway`.
    """

    def __init__(self, name: str, base_url: str, headers: Mapping[str, str]) -> None:
        self._name = name
        self._base_url = base_url.rstrip("/")
        self._headers = dict(headers)
        self._client: httpx2.AsyncClient | None = None

    async def aclose(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        json: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request; `path` begins with a slash, or is an address below the base that the provider gave."""
        body = {} if json is None else {"content": msgspec.json.encode(json)}
        more = {} if json is None else {"content-type": "application/json"}
        return await self.send(method, path, query=query, headers={**more, **(headers or {})}, **body)

    async def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """As `ask`, with a body that is made already."""
        url = path if path.startswith(self._base_url + "/") else self._base_url + path
        async with self._asking(f"{method} {path.partition('?')[0][:100]}"):
            request = self._opened().stream(
                method, url, params=query, content=content, headers={**self._headers, **(headers or {})}
            )
            async with request as response:
                status, read = response.status_code, await _read(response)
        return Answer(status, self._document(read, status))

    def _opened(self) -> httpx2.AsyncClient:
        if self._client is None:
            self._client = httpx2.AsyncClient(
                timeout=TIMEOUT_SECONDS,
                follow_redirects=False,
                trust_env=False,
                verify=trusted(),
                # A provider's cookies would go along with everybody's requests.
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            )
        return self._client

    def _document(self, body: bytes, status: int) -> Any:
        if not body:
            return None
        try:
            return msgspec.json.decode(body)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            if 200 <= status < 300:
                raise ProviderAway(internal=f"{self._name}: status {status}, but no JSON") from None
            return None

    @asynccontextmanager
    async def _asking(self, what: str) -> AsyncIterator[None]:
        refuse_while_open(f"{self._name} was asked: {what}")
        try:
            # httpx limits each read; a host that drips one byte a second is stopped by this.
            async with asyncio.timeout(TIMEOUT_SECONDS):
                yield
        except (TimeoutError, httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise ProviderAway(internal=f"{self._name}: {what}: {type(error).__name__}") from error


async def _read(response: httpx2.Response) -> bytes:
    status = response.status_code
    if status >= 500 or status == 429 or 300 <= status < 400:
        wait = response.headers.get("retry-after", "")
        seconds = wait if wait.isascii() and wait.isdigit() and len(wait) <= 4 else "5"
        raise ProviderAway(internal=f"status {status} from {response.url.path}", headers={"Retry-After": seconds})
    body = bytearray()
    async for part in response.aiter_bytes():
        body += part
        if len(body) > ANSWER_BYTES_MAX:
            raise ProviderAway(internal=f"more than {ANSWER_BYTES_MAX} bytes from {response.url.path}")
    return bytes(body)
