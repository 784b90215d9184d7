"""Talking to a provider: Authlib's client for the code flow, with bounds on time, size and redirects."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NoReturn, cast
from urllib.parse import parse_qsl

import httpx2
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client

from tenantry.kernel.database import refuse_while_open

from ..errors import ProviderAnswerInvalid, ProviderRefused, ProviderUnreachable, SignInExpired
from .base import Attempt, Registration

TIMEOUT_SECONDS = 5.0
ANSWER_BYTES_MAX = 256 * 1024

# RFC 6749 5.2, and GitHub's own words for the same.
_CODE_ERRORS = frozenset({"invalid_grant", "bad_verification_code"})


class ProviderHttp:
    """One provider's HTTP. Every method that asks refuses to run while a unit of work is open.

    A request takes 5 seconds at most in all, an answer 256 KiB, uncompressed; a redirect is an error, because the
    answer would come from somebody else.
    """

    def __init__(self, registration: Registration, *, scope: str) -> None:
        self._provider = registration.name
        self._registration = registration
        self._scope = scope
        self._opened: AsyncOAuth2Client | None = None

    async def open(self) -> None:
        """Make the connection pool."""
        self._opened = AsyncOAuth2Client(
            client_id=self._registration.client_id,
            client_secret=self._registration.client_secret,
            scope=self._scope,
            code_challenge_method="S256",
            headers={"accept": "application/json", "accept-encoding": "identity", "user-agent": "tenantry"},
            timeout=TIMEOUT_SECONDS,
            follow_redirects=False,
            event_hooks={"response": [_bounded]},
        )
        self._opened.register_compliance_hook("access_token_response", _form_as_json)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._opened is not None:
            await self._opened.aclose()
            self._opened = None

    def authorization_url(self, endpoint: str, attempt: Attempt, **more: str) -> str:
        """Where the browser goes, with state and PKCE challenge (RFC 7636, S256); `more` are further parameters."""
        url, _state = self._client.create_authorization_url(
            endpoint,
            state=attempt.state,
            code_verifier=attempt.verifier,
            redirect_uri=attempt.redirect_uri,
            **more,
        )
        return cast("str", url)

    async def token(self, endpoint: str, attempt: Attempt, code: str, *, authentication: str) -> dict[str, Any]:
        """What the token endpoint gives for the code. `authentication` is one of its client authentication methods."""
        async with self._asking("token"):
            client = self._client
            try:
                found = await client.fetch_token(
                    endpoint,
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=attempt.verifier,
                    redirect_uri=attempt.redirect_uri,
                    auth=client.client_auth(authentication),
                )
            except OAuthError as error:
                self._refused(str(error.error))
            finally:
                client.token = None  # The client is everybody's; nobody's token stays in it.
        if not isinstance(found.get("access_token"), str):
            raise ProviderAnswerInvalid(internal=f"{self._provider}: the token endpoint gave no access token")
        return dict(found)

    async def document(self, url: str, *, bearer: str | None = None) -> Any:
        """A JSON document, read with an access token if one is given."""
        headers = {} if bearer is None else {"authorization": f"Bearer {bearer}"}
        async with self._asking(url):
            response = await self._client.request("GET", url, withhold_token=True, headers=headers)
            response.raise_for_status()
            return response.json()

    @property
    def _client(self) -> AsyncOAuth2Client:
        if self._opened is None:
            msg = f"the sign-in provider {self._provider} was not opened"
            raise RuntimeError(msg)
        return self._opened

    def _refused(self, error: str) -> NoReturn:
        internal = f"{self._provider}: the token endpoint answered {error[:100]}"
        if error in _CODE_ERRORS:
            raise SignInExpired(internal=internal)
        raise ProviderRefused(internal=internal)

    @asynccontextmanager
    async def _asking(self, what: str) -> AsyncIterator[None]:
        refuse_while_open(f"{self._provider} was asked for {what}")
        try:
            # httpx limits each read; a host that drips one byte a second is stopped by this.
            async with asyncio.timeout(TIMEOUT_SECONDS):
                yield
        except (TimeoutError, httpx2.TransportError) as error:
            raise ProviderUnreachable(internal=f"{self._provider}: {what}: {type(error).__name__}") from error
        except httpx2.HTTPStatusError as error:
            status = error.response.status_code
            internal = f"{self._provider}: {what}: status {status}"
            if status >= 500 or status == 429:
                raise ProviderUnreachable(internal=internal) from error
            raise ProviderAnswerInvalid(internal=internal) from error
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError, TypeError, RecursionError) as error:
            # What a provider sends may be anything: no JSON, another type, nested without end.
            raise ProviderAnswerInvalid(internal=f"{self._provider}: {what}: {type(error).__name__}") from error


class _BoundedStream(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.AsyncByteStream) -> None:
        self._inner = inner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for piece in self._inner:
            size += len(piece)
            if size > ANSWER_BYTES_MAX:
                raise ProviderAnswerInvalid(internal=f"an answer of more than {ANSWER_BYTES_MAX} bytes")
            yield piece

    async def aclose(self) -> None:
        await self._inner.aclose()


async def _bounded(response: httpx2.Response) -> None:
    """Runs before the body is read."""
    if response.is_redirect:
        raise ProviderAnswerInvalid(internal=f"a redirect from {response.url.host}")
    # A compressed kilobyte may be a gigabyte; we asked for none.
    if response.headers.get("content-encoding", "identity") != "identity":
        raise ProviderAnswerInvalid(internal=f"a compressed answer from {response.url.host}")
    if isinstance(response.stream, httpx2.AsyncByteStream):
        response.stream = _BoundedStream(response.stream)


def _form_as_json(response: httpx2.Response) -> httpx2.Response:
    """GitHub's token endpoint answers in form encoding to whoever does not insist; older servers always do."""
    if not response.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return response
    return httpx2.Response(response.status_code, json=dict(parse_qsl(response.text)), request=response.request)
